"""What an import promises whoever learns from it: a custody line for each row, an audit, and who has withdrawn.

Knows the files of an import's run and of the sealed table's folder, and what stands in them. Knows neither readers
nor de-identification, so that every stage may ask.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from prescreen.config import Strict
from prescreen.errors import GuardError
from prescreen.run import Run, hash_file

CASES: Final = "cases.jsonl"
CUSTODY: Final = "custody.jsonl"
OUTCOMES: Final = "outcomes.jsonl"
REJECTS: Final = "rejects.jsonl"
AUDIT: Final = "audit.json"
WITHDRAWN: Final = "withdrawn.txt"
REAL: Final = "clinic"  # the licence of real patients' records


class Custody(Strict):
    """Where one row comes from and by what right it is used. Codes and marks are keyed: they tell nobody apart."""

    row: str  # the case's id
    patient: str  # the patient's code
    file: str  # a label; the sealed table knows the name
    place: int  # line, message or entry, from 1
    source: str  # keyed hash of the record's own bytes
    reader: str
    deid: str  # version of the de-identification, and of each further detector
    mode: Literal["safe_harbor", "limited"]
    licence: str
    basis: str


def read_custody(run: Path) -> Iterator[Custody]:
    """The custody lines of an import, in the order of its cases."""
    with (run / CUSTODY).open(encoding="utf-8") as handle:
        for line in handle:
            yield Custody.model_validate_json(line)


def read_withdrawn(vault: Path) -> frozenset[str]:
    """Codes of those who withdrew; they are random, so the list names nobody and needs no key."""
    path = vault / WITHDRAWN
    return frozenset(path.read_text(encoding="utf-8").split()) if path.is_file() else frozenset()


def require_audit(run: Run) -> dict[str, Any] | None:
    """The signed audit of an import of real records; GuardError where it is missing, failed or of other rows.

    None for an import that holds no real patients.
    """
    if getattr(run.recipe, "licence", REAL) != REAL:
        return None
    path = run.folder / AUDIT
    if not path.is_file():
        raise GuardError(
            f"{run.folder}: nobody has signed the audit of these records; fill in audit_sheet.csv, then "
            f"`prescreen records sign {run.folder} SHEET --by NAME`"
        )
    signed = json.loads(path.read_text(encoding="utf-8"))
    if signed.get("cases_sha256") != hash_file(run.folder / CASES):
        raise GuardError(f"{path}: was signed for other rows; sign the audit of these")
    if not signed.get("passed"):
        raise GuardError(f"{path}: identifiers were found in the sample; mend the import and audit it again")
    return signed
