"""Spans: stretches of text that identify somebody, and how overlapping ones become one.

The kinds are the 18 of HIPAA Safe Harbor, 45 CFR 164.514(b)(2), and ages over 89. Knows no text.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, Protocol, get_args

Kind = Literal[
    "name", "place", "date", "phone", "fax", "email", "ssn", "mrn", "plan", "account", "licence", "vehicle",
    "device", "url", "ip", "biometric", "photo", "other", "age_over_89",
]  # fmt: skip
Layer = Literal["known", "pattern", "cue", "vocabulary", "detector"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
STRENGTH: Final[dict[Layer, int]] = {"known": 0, "pattern": 1, "cue": 2, "detector": 3, "vocabulary": 4}


class Span(NamedTuple):
    """`text[start:end]` identifies; `layer` says who found it."""

    start: int
    end: int
    kind: Kind
    layer: Layer


class Detector(Protocol):
    """A further finder of names, such as a tagger. What it raises refuses the row."""

    name: str  # with its version, for the custody of each row

    def find(self, text: str) -> list[Span]:
        """Every identifying stretch of the text."""
        ...


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Sorted spans without overlap; an overlap becomes one, named by its strongest layer, then its longest span."""
    merged: list[tuple[Span, Span]] = []  # the union, and the span that names it
    for span in sorted(span for span in spans if span.end > span.start):
        if merged and span.start < merged[-1][0].end:
            last, head = merged[-1]
            head = min(head, span, key=_rank)
            merged[-1] = (Span(last.start, max(last.end, span.end), head.kind, head.layer), head)
        else:
            merged.append((span, span))
    return [span for span, _ in merged]


def _rank(span: Span) -> tuple[int, bool, int]:
    return STRENGTH[span.layer], span.kind == "other", span.start - span.end


_ODD: Final = {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "’": "'", "‘": "'", "ʼ": "'", "‐": "-", "‑": "-", "–": "-"}
_ODD_SPACE: Final = {"\u00a0": " ", "\u2009": " ", "\u202f": " "}


def fold(text: str) -> str:
    """Lower case without accents, letter for letter: positions stay."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_letter(c) for c in text)


def _fold_letter(letter: str) -> str:
    if letter.isascii():
        return letter.lower()
    low = letter.lower()
    low = low if len(low) == 1 else low[0]
    if low in _ODD or low in _ODD_SPACE:
        return _ODD.get(low) or _ODD_SPACE[low]
    return unicodedata.normalize("NFKD", low)[0]
