"""The words of a text: where each stands, its folded form, its letter case. Knows no list."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from prescreen.records.deid.spans import fold

_WORD: Final = re.compile(r"(?<![\w@])[^\W\d_]+(?:['’][^\W\d_]+)*(?!\w)")
_START: Final = re.compile(r"(?:^|[.!?:;\n\"“>•*-])\s*$")
CAREFUL: Final = 0.75  # of a careful text's sentences so many open with a capital


class Word(NamedTuple):
    """One word of a text: where it stands, and its folded form without a possessive."""

    start: int
    end: int
    low: str
    case: str  # lower, capital or shout
    first: bool  # opens a sentence


@lru_cache(maxsize=4096)
def list_words(text: str) -> tuple[Word, ...]:
    """The words of a text; hyphens part them."""
    words = []
    for match in _WORD.finditer(text):
        raw = match[0]
        low = fold(raw)
        low = low[:-2] if low.endswith("'s") else low
        shout = (raw.isupper() and len(raw) > 1) or (sum(c.isupper() for c in raw) > 2 and len(raw) < 7)
        case = "shout" if shout else "capital" if raw[0].isupper() else "lower"
        first = bool(_START.search(text[max(0, match.start() - 4) : match.start()]))
        words.append(Word(match.start(), match.end(), low, case, first))
    return tuple(words)


def is_shouting(text: str) -> bool:
    """Whether the text is mostly capitals."""
    return sum(c.isupper() for c in text) > sum(c.islower() for c in text)


def is_careful(words: Sequence[Word]) -> bool:
    """Whether nearly every sentence opens with a capital, so that a lower-case word is no name."""
    cases = [word.case for word in words if word.first]
    return bool(cases) and cases.count("capital") >= CAREFUL * len(cases)
