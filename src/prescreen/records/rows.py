"""In the worker: records become lines of cases, outcomes and custody, or of rejects. Knows no file and no vault."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from prescreen.clinic.acuity import read_level
from prescreen.clinic.case import Case, Label
from prescreen.custody import Custody
from prescreen.errors import InputError
from prescreen.records.deid.deidentify import deidentify
from prescreen.records.deid.replace import Mode
from prescreen.records.deid.taggers import load_detectors
from prescreen.records.record import Outcome, Record, Reject
from prescreen.records.written import CaseOutcome

VERSION: Final = "deid/1"
NUMBER: Final = re.compile(r"\d[\d,.]*")


class Terms(NamedTuple):
    """What holds for every row of an import: how it is de-identified and by what right it is used."""

    mode: Mode
    licence: str
    basis: str
    detectors: tuple[str, ...] = ()  # beside the default ones, as load_detectors names them


class Given(NamedTuple):
    """A record with what the sealed table gives for it: the patient's secret, and marks for file and content."""

    record: Record
    secret: bytes
    file: str
    mark: str


class Lines(NamedTuple):
    """What a batch adds to each file, and to the counts."""

    cases: list[str]
    outcomes: list[str]
    custody: list[str]
    rejects: list[str]
    counts: Mapping[str, int]


def make_lines(batch: Sequence[Given | Reject], terms: Terms) -> Lines:
    """The lines of one batch, in its order."""
    counts: Counter[str] = Counter()
    lines = Lines([], [], [], [], counts)
    for given in batch:
        made = given if isinstance(given, Reject) else _make(given, terms, lines, counts)
        if isinstance(made, Reject):
            lines.rejects.append(json.dumps(made._asdict(), ensure_ascii=False))
            counts["rejects"] += 1
            counts[f"rejected: {NUMBER.sub('#', made.reason.partition(';')[0])[:100]}"] += 1
    return lines


def _make(given: Given, terms: Terms, lines: Lines, counts: Counter[str]) -> Reject | None:
    record = given.record
    done = deidentify(
        record, given.secret, terms.mode, detectors=load_detectors(terms.detectors), licence=terms.licence
    )
    if isinstance(done, Reject):
        return done._replace(file=given.file)
    case = _label(done.case, done.outcome, record)
    custody = Custody(
        row=case.id,
        patient=case.patient_id,
        file=given.file,
        place=record.source.place,
        source=given.mark,
        reader=record.source.reader,
        deid=", ".join((VERSION, *done.detectors)),
        mode=done.mode,
        licence=terms.licence,
        basis=terms.basis,
    )
    lines.cases.append(case.model_dump_json(exclude_none=True))
    lines.outcomes.append(CaseOutcome(id=case.id, outcome=done.outcome).model_dump_json(exclude_none=True))
    lines.custody.append(custody.model_dump_json())
    counts["cases"] += 1
    counts[f"level: {case.label.acuity.value if case.label else 'none'}"] += 1
    counts.update({f"taken out: {kind}": count for kind, count in done.taken.items()})
    return None


def _label(case: Case, outcome: Outcome, record: Record) -> Case:
    """The case with the nurse's level as its label, where the record has one that is known."""
    if not outcome.acuity or not outcome.scale:
        return case
    try:
        level = read_level(outcome.acuity, outcome.scale)
    except InputError:
        return case
    origin = f"the level in the clinic's record ({outcome.scale})"
    label = Label(acuity=level.acuity, accepted=level.accepted, origin=origin, condition=outcome.diagnosis)
    return case.model_copy(update={"label": label})
