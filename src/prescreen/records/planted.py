"""Recall measured with invented identifiers planted into the clinic's own texts, by class, style and letter case.

Each is planted alone, in a carrier phrase, at the start, the end or between two sentences of a text; the record's
own identifiers do not hold it. Keeps counts alone. Knows no detector and no answer of one.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from prescreen.config import Strict, read_yaml
from prescreen.records.blindfold import count_covered, draw_records
from prescreen.records.deid.deidentify import find_spans
from prescreen.records.deid.known import split_names
from prescreen.records.deid.spans import Detector, fold
from prescreen.records.invented import INVENT, invent_word
from prescreen.records.record import Record
from prescreen.records.share import Recall, Tally

NAMES: Final = ("common name", "invented name")
CLASSES: Final = (*NAMES, *INVENT)
PER_CLASS: Final = 400  # found without one miss, the interval's lower end is above 0.99
MOST: Final = 1_000  # records that texts are taken from
AROUND: Final = 400  # characters of the text kept on each side of what is planted
_BREAK: Final = re.compile(r"(?<=[.!?;])\s+|\n+")


class Planting(NamedTuple):
    """A text with one invented identifier at `text[start:end]`."""

    text: str
    start: int
    end: int
    style: str
    case: str


class Planted(Strict):
    """Recall by class of what was planted, and of all classes together by style and by letter case."""

    records: int  # whose texts were used
    errored: int  # a detector failed: neither found nor missed is claimed
    recalls: tuple[Recall, ...]
    by_style: tuple[Recall, ...]
    by_case: tuple[Recall, ...]

    @property
    def weak(self) -> list[str]:
        """Classes of which less than 0.99 was found whole."""
        return [recall.kind for recall in self.recalls if recall.verdict == "weak"]


@cache
def _load() -> dict[str, Any]:
    return read_yaml(Path(__file__).with_name("planted.yaml"))


def measure_planted(
    records: Iterable[Record],
    detectors: Sequence[Detector] = (),
    *,
    per_class: int = PER_CLASS,
    most: int = MOST,
    seed: int = 0,
) -> Planted:
    """Plant `per_class` identifiers of each class into a sample of the records, drawn by hash, and search."""
    held = ((record, list_hosts(record)) for record in draw_records(records, most, seed))
    sample = [(record, hosts) for record, hosts in held if hosts]
    by_kind, by_style, by_case, errored = Tally(), Tally(), Tally(), 0
    for kind in CLASSES if sample else ():
        for number in range(per_class):
            rng = Random(f"{seed} {kind} {number}")
            record, hosts = sample[rng.randrange(len(sample))]
            planting = plant(rng.choice(hosts), kind, record, rng)
            bare = Record(
                source=record.source, patient=record.patient, identifiers=record.identifiers, when=record.when,
                complaint=planting.text, language=record.language,
            )  # fmt: skip
            try:
                spans = find_spans(bare, detectors)["complaint"]
            except Exception:  # whatever a detector raises; its message may quote the record
                errored += 1
                continue
            counts = count_covered(planting.text, planting.start, planting.end, spans)
            for tally, name in ((by_kind, kind), (by_style, planting.style), (by_case, planting.case)):
                tally.add(name, *counts)
    return Planted(
        records=len(sample), errored=errored, recalls=by_kind.list_recalls(),
        by_style=by_style.list_recalls(), by_case=by_case.list_recalls(),
    )  # fmt: skip


def list_hosts(record: Record) -> list[str]:
    """The texts of a record that something can be planted into."""
    texts = [record.history_text, record.complaint, *(turn.text for turn in record.turns)]
    return [text for text in texts if text.strip()]


def plant(text: str, kind: str, record: Record, rng: Random) -> Planting:
    """One identifier in a carrier phrase of the record's language, at a break of the text."""
    value = _invent(kind, record, rng)
    styles = _find_carriers(record.language, "name" if kind in NAMES else kind)
    style = rng.choice(sorted(styles))
    before, after = rng.choice(styles[style]).split("{}")
    case = _choose_case(style, rng)
    before, value, after = (_change_case(part, case) for part in (before, value, after))
    breaks = [0, len(text), *(match.end() for match in _BREAK.finditer(text))]
    at = rng.choice(breaks)
    left = text[max(0, at - AROUND) : at].rstrip(" ")
    left += "" if not left else " " if left.endswith((".", "!", "?", ";", "\n", ":")) else ". "
    right = text[at : at + AROUND].lstrip(" ")
    after += " " if after.endswith((".", "!", "?")) or not right else ". "
    start = len(left) + len(before)
    return Planting(f"{left}{before}{value}{after}{right}".rstrip(), start, start + len(value), style, case)


def _invent(kind: str, record: Record, rng: Random) -> str:
    if kind not in NAMES:
        return INVENT[kind](rng)
    own = split_names(record.identifiers)
    while True:
        if kind == "invented name":
            first, last = invent_word(rng), invent_word(rng)
        else:
            first, last = rng.choice(_load()["given"].split()), rng.choice(_load()["family"].split())
        if not own & set(re.split(r"[\s'-]", fold(f"{first} {last}"))):
            return rng.choice([first, last, f"{first} {last}", f"{first} {last}", f"{last}, {first}"])


def _find_carriers(language: str, kind: str) -> dict[str, list[str]]:
    carriers = _load()["carriers"]
    found: dict[str, list[str]] = carriers.get(language[:2].lower(), {}).get(kind) or carriers["en"][kind]
    return found


def _choose_case(style: str, rng: Random) -> str:
    draw = rng.random()
    if style == "chat":
        return "lower case" if draw < 0.6 else "as written"
    return "capitals" if style == "notes" and draw < 0.2 else "as written"


def _change_case(text: str, case: str) -> str:
    return text.lower() if case == "lower case" else text.upper() if case == "capitals" else text
