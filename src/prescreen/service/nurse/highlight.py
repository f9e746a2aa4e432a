"""Words with the stretches marked that something else points at; the text itself stays as it is. Knows no HTML."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Final, NamedTuple

_MOST: Final = 50  # marks of one span in one text
_QUOTES = {"'": "['\u2018\u2019]", '"': '["\u201c\u201d]'}


class Span(NamedTuple):
    """What to look for: the words, and the number of what they are evidence for."""

    words: str
    number: int


class Piece(NamedTuple):
    """A stretch of text; `numbers` are of the spans that cover it, none where it is plain."""

    text: str
    numbers: tuple[int, ...] = ()


def mark(text: str, spans: Sequence[Span]) -> list[Piece]:
    """The text cut where marks begin and end; the pieces put together are the text."""
    edges: dict[int, Counter[int]] = {0: Counter(), len(text): Counter()}
    for span in spans:
        for found in islice(_find(text, span.words), _MOST):
            edges.setdefault(found.start(), Counter())[span.number] += 1
            edges.setdefault(found.end(), Counter())[span.number] -= 1
    pieces, open_now = [], Counter[int]()
    for start, end in pairwise(sorted(edges)):
        open_now.update(edges[start])
        pieces.append(Piece(text[start:end], tuple(sorted(number for number, n in open_now.items() if n > 0))))
    return pieces


def _find(text: str, words: str) -> Iterator[re.Match[str]]:
    """Where the words stand, whatever the case, the kind of quotes or the space between them."""
    tokens = ["".join(_QUOTES.get(_plain(char), re.escape(char)) for char in word) for word in words.split()]
    if not tokens:
        return iter(())
    return re.finditer(r"(?<!\w)" + r"\s+".join(tokens) + r"(?!\w)", text, re.I)


def _plain(char: str) -> str:
    return {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}.get(char, char)
