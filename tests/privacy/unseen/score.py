"""Scores the finder on the unseen notes: what is missed, what is taken in vain, what clinical meaning is lost.

PYTHONPATH=src:tests python -m privacy.unseen.score --seed 11 --notes 920 [--unknown] [--misses]
"""

import argparse
import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from prescreen.records.deid.deidentify import deidentify, find_spans
from prescreen.records.deid.spans import Detector, Span, fold
from prescreen.records.record import Identifiers, Record, Reject, Source
from privacy.unseen.notes import SETS, Note, write_notes

SECRET = bytes(range(32))


class Score(NamedTuple):
    """Counts over letters and digits of all notes; a leak is a gold span with any letter or digit uncovered."""

    notes: int
    found: int
    gold: int
    taken: int
    right: int
    leaking: int
    terms_kept: int
    terms: int
    refused: int
    surviving: int
    seconds: float
    classes: dict[str, tuple[int, int]]
    misses: list[str]
    vain: list[str]

    @property
    def recall(self) -> float:
        return self.found / self.gold

    @property
    def precision(self) -> float:
        return self.right / self.taken


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a proportion."""
    if count == 0:
        return 0.0, 1.0
    p = right / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - half, middle + half


def make_record(note: Note, *, known: bool = True) -> Record:
    """The note as a record; without what the clinic knows when `known` is false."""
    source = Source(file="unseen", place=1, sha256="0" * 64, reader="unseen/1")
    identifiers = note.known if known else Identifiers()
    return Record(source=source, patient="p", identifiers=identifiers, complaint=note.text)


def score_notes(notes: list[Note], *, known: bool = True, detectors: Sequence[Detector] | None = None) -> Score:
    """Run finder and pipeline over the notes; the default detectors where none are given."""
    found, refused, surviving = [], 0, 0
    started = time.perf_counter()
    for note in notes:
        record = make_record(note, known=known)
        found.append(find_spans(record, detectors)["complaint"])
        result = deidentify(record, SECRET, "safe_harbor", detectors=detectors)
        if isinstance(result, Reject):
            refused += 1
            continue
        out = fold(result.case.complaint)
        surviving += any(
            fold(note.text[g.start : g.end]) in out
            for g in note.gold
            if not g.neutral and g.end - g.start > 4 and g.kind != "date"
        )
    seconds = time.perf_counter() - started
    return score_spans(notes, found)._replace(refused=refused, surviving=surviving, seconds=seconds)


def score_spans(notes: list[Note], found: list[list[Span]]) -> Score:
    """What any finder's spans are worth, letter by letter and identifier by identifier."""
    totals: Counter[str] = Counter()
    classes: dict[str, list[int]] = {}
    misses, vain = [], []
    for note, spans in zip(notes, found, strict=True):
        covered = {i for span in spans for i in range(span.start, span.end)}
        letters = {i for i, c in enumerate(note.text) if c.isalnum()}
        neutral = {i for g in note.gold if g.neutral for i in range(g.start, g.end)}
        gold = {i for g in note.gold if not g.neutral for i in range(g.start, g.end)} & letters
        taken = (covered & letters) - neutral
        totals["found"] += len(gold & covered)
        totals["gold"] += len(gold)
        totals["taken"] += len(taken)
        totals["right"] += len(taken & gold)
        leak = False
        for mark in note.gold:
            own = set(range(mark.start, mark.end)) & letters
            if mark.neutral or not own:
                continue
            whole = own <= covered
            counts = classes.setdefault(mark.kind, [0, 0])
            counts[0] += whole
            counts[1] += 1
            if not whole:
                leak = True
                misses.append(f"{note.template:2} {note.style:5} {mark.kind:8} {note.text[mark.start : mark.end]}")
        totals["leaking"] += leak
        vain += [note.text[s.start : s.end] + f" [{s.kind}/{s.layer}]" for s in spans
                 if not set(range(s.start, s.end)) & (gold | neutral)]  # fmt: skip
        totals["terms"] += len(note.terms)
        lost = [note.text[a:b] for a, b in note.terms if set(range(a, b)) & covered]
        totals["terms_kept"] += len(note.terms) - len(lost)
        vain += [f"{term} [term]" for term in lost]
    return Score(
        len(notes), totals["found"], totals["gold"], totals["taken"], totals["right"], totals["leaking"],
        totals["terms_kept"], totals["terms"], 0, 0, 0.0,
        {kind: (right, count) for kind, (right, count) in sorted(classes.items())}, misses, vain,
    )  # fmt: skip


def write_score(score: Score) -> str:
    """The figures, one a line."""
    low, high = wilson(score.leaking, score.notes)
    lines = [
        f"notes {score.notes}, refused {score.refused}, {score.notes / score.seconds:.0f} notes/s (found twice)",
        f"character recall {score.recall:.4f} ({score.found}/{score.gold}), precision {score.precision:.4f}",
        f"notes with any leak {score.leaking} = {score.leaking / score.notes:.1%} [{low:.1%}, {high:.1%}]",
        f"notes released with a whole identifier of 5+ characters {score.surviving}",
        f"clinical terms kept {score.terms_kept}/{score.terms} = {score.terms_kept / score.terms:.2%}",
    ]
    for kind, (right, count) in score.classes.items():
        low, high = wilson(right, count)
        lines.append(f"  {kind:12} {right}/{count} whole = {right / count:.3f} [{low:.3f}, {high:.3f}]")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--set", choices=list(SETS), default="fourth")
    parser.add_argument("--notes", type=int, default=920)
    parser.add_argument("--unknown", action="store_true")
    parser.add_argument("--core", action="store_true", help="without further detectors")
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    result = score_notes(write_notes(options.seed, options.notes, options.set), known=not options.unknown,
                         detectors=() if options.core else None)  # fmt: skip
    print(write_score(result))
    if options.misses:
        print("\n".join(f"{n}x {line}" for line, n in Counter(result.misses).most_common(120)))
        print("\n".join(f"{n}x {line}" for line, n in Counter(result.vain).most_common(120)))
