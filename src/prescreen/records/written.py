"""What an import wrote, read back line by line: cases, their outcomes, and every text a case holds.

Knows the two files of the import stage. Knows no identifier and no format of a clinic.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from prescreen.clinic.case import Case
from prescreen.config import Strict
from prescreen.errors import InputError
from prescreen.records.record import Outcome


class CaseOutcome(Strict):
    """One line of outcomes.jsonl: what became of the patient of one case, after de-identification."""

    id: str  # of the case
    outcome: Outcome


def read_cases(path: Path) -> Iterator[Case]:
    """Every case; InputError names the line and quotes nothing."""
    for number, line in _read(path):
        try:
            yield Case.model_validate_json(line)
        except ValidationError:
            raise InputError("is no case; run the import again", file=path, line=number) from None


def read_outcomes(path: Path) -> Iterator[CaseOutcome]:
    """Every outcome; nothing where the import wrote none."""
    for number, line in _read(path) if path.exists() else ():
        try:
            yield CaseOutcome.model_validate_json(line)
        except ValidationError:
            raise InputError("is no outcome; run the import again", file=path, line=number) from None


def _read(path: Path) -> Iterator[tuple[int, str]]:
    if not path.is_file():
        raise InputError("no such file; run the import first", file=path)
    with path.open(encoding="utf-8", newline="\n") as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                yield number, line


def list_case_texts(case: Case) -> Iterator[tuple[str, str]]:
    """Every free text of a case by what it is; everybody's words, not the patient's alone."""
    texts = [("complaint", case.complaint), ("history", case.history_text)]
    texts += [(turn.speaker, turn.text) for turn in case.turns]
    for name in ("conditions", "medications", "allergies"):
        texts += [(name, item) for item in getattr(case, name) or ()]
    yield from ((name, text) for name, text in texts if text)


def list_outcome_texts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Every text of an outcome by its name."""
    yield from ((name, value) for name, value in outcome if value)
