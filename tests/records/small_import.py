"""A small import's folder, written by hand: invented cases as the import stage would leave them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prescreen.clinic.case import Case
from prescreen.custody import CASES, OUTCOMES
from prescreen.records.record import Outcome
from prescreen.records.written import CaseOutcome


def make_case(number: int, person: int | None = None, **values: Any) -> Case:
    values = {"complaint": f"cough number {number}", **values}
    return Case(
        id=f"{number:016x}",
        patient_id=f"p{number if person is None else person}",
        source="clinic/safe_harbor",
        licence="clinic",
        **values,
    )


def write_import(folder: Path, cases: Iterable[Case], outcomes: Iterable[tuple[str, Outcome]] = ()) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / CASES).write_text("".join(case.model_dump_json() + "\n" for case in cases))
    lines = [CaseOutcome(id=name, outcome=outcome).model_dump_json() + "\n" for name, outcome in outcomes]
    if lines:
        (folder / OUTCOMES).write_text("".join(lines))
    return folder
