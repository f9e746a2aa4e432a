"""A second look at what was de-identified: the finders again, with nothing known, at the texts as they would leave.

Substitutes are taken for what they are; anything else that looks like a name, a number or an address means that
something may remain. Knows no patient and no store.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from prescreen.clinic.case import Case, Turn
from prescreen.monitor.feedback.sifting import Sifter
from prescreen.records.deid.deidentify import find_spans, list_texts
from prescreen.records.deid.replace import MARKS, Mode, load_pools
from prescreen.records.deid.spans import Detector, fold
from prescreen.records.record import Record, Source


def look_again(case: Case, reports: Sequence[str], mode: Mode, detectors: Sequence[Detector]) -> tuple[str, ...]:
    """Kinds of whatever may still identify in a case or the texts of its reports, in alphabetical order."""
    said = list(dict.fromkeys(text for text in _list_texts(case) if text.strip()))
    written = [text for text in dict.fromkeys(reports) if text.strip() and text not in said]
    record = Record(
        source=Source(file="", place=1, sha256="", reader=""),
        patient="",
        turns=tuple(Turn(speaker="nurse", text=text) for text in (*said, *written)),
    )
    sifter = Sifter({f"turns.{number}" for number in range(len(said), len(said) + len(written))})
    texts = list_texts(record)
    found = {
        span.kind
        for place, spans in find_spans(record, detectors).items()
        for span in sifter(place, texts[place], spans)
        if not (mode == "limited" and span.kind == "date")
        if not _is_substitute(texts[place][span.start : span.end])
    }
    return tuple(sorted(found))


def _list_texts(case: Case) -> Iterator[str]:
    yield from (case.history_text, case.complaint, *(turn.text for turn in case.turns))
    yield from (item for items in (case.conditions, case.medications, case.allergies) for item in items or ())


def _is_substitute(text: str) -> bool:
    """Whether a stretch is made of invented names, marks and years alone."""
    bare = text
    for mark in (*MARKS.values(), "[name]"):
        bare = bare.replace(mark, " ")
    words = [word.removesuffix("'s") for word in re.findall(r"[^\W_]+(?:'[^\W_]+)*", fold(bare))]
    return all(word in _invented() or re.fullmatch(r"(?:19|20)\d\d|000|\d{3}", word) for word in words)


@cache
def _invented() -> frozenset[str]:
    pools = load_pools()
    titles = {"mr", "mrs", "ms", "miss", "dr", "doctor", "nurse", "and", "of", "the"}
    return frozenset(w for name in (*pools.first, *pools.family, *pools.town) for w in fold(name).split()) | titles
