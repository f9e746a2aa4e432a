"""Whether a human looked at what an import wrote and found it clean: the file audit.json of its folder.

Read by whoever is about to train on a clinic's records. Knows hashes and counts; the sheet a human fills in is made
and read in records/audit.py.
"""

import datetime
import json
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from prescreen.clinic.rates import CONFIDENCE, Rate
from prescreen.config import Strict
from prescreen.custody import CASES, OUTCOMES
from prescreen.errors import GuardError
from prescreen.run import hash_file

NAME: Final = "audit.json"
AUDITED: Final = (CASES, OUTCOMES)  # whose texts the sheet shows; the second may be absent
BOUND: Final = 0.01  # of cases with an identifier left, the upper 95 % bound


class Audit(Strict):
    """One signed audit: who, when, of which contents, with what result."""

    signed_by: str
    date: datetime.date
    sheet_sha256: str  # of the file as it came back
    contents: dict[str, str | None]  # SHA-256 of each of AUDITED
    cases: int  # in the import
    sampled: int  # cases looked at
    leaks: int  # of these, with an identifier left
    kinds: dict[str, int]  # of what was left, in cases
    allowed: int  # leaks, set before the sheet was filled in
    bound: float  # asked of the upper bound, likewise
    upper: float  # exact one-sided 95 % bound of the share of cases with an identifier left
    passed: bool


def bound_leaks(leaks: int, sampled: int, cases: int) -> float:
    """Exact one-sided upper 95 % bound of the share of leaking cases; the share itself where all were looked at."""
    if sampled >= cases:
        return leaks / cases if cases else 1.0
    return Rate(leaks, sampled - leaks).upper(CONFIDENCE) if leaks < sampled else 1.0


def hash_contents(folder: Path) -> dict[str, str | None]:
    """SHA-256 of each file whose texts are audited, None where it is not there."""
    return {name: hash_file(folder / name) if (folder / name).is_file() else None for name in AUDITED}


def read_audit(folder: Path) -> Audit | None:
    """The audit of an import's folder, None where nobody signed one; GuardError where it cannot be read."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        return Audit.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError):
        raise GuardError(f"{path}: is no audit; sign the sheet again") from None


def require_audit(folder: Path, bound: float = BOUND) -> Audit:
    """The audit that lets these very contents train; GuardError in one sentence where there is none."""
    audit = read_audit(folder)
    if audit is None:
        raise GuardError(
            f"{folder}: real records train nothing before an audit; write the sheet, have it filled in, sign it"
        )
    if audit.contents != hash_contents(folder):
        raise GuardError(f"{folder}: the audit of {audit.date} is of other contents; audit these anew")
    if not audit.passed or audit.leaks > audit.allowed:
        raise GuardError(
            f"{folder}: the audit of {audit.date} found identifiers in {audit.leaks} of {audit.sampled} cases; mend"
            " what let them through, import again and audit anew"
        )
    upper = bound_leaks(audit.leaks, audit.sampled, audit.cases)
    if upper > bound:
        raise GuardError(
            f"{folder}: {audit.leaks} of {audit.sampled} audited cases leave room for {100 * upper:.2g} % that"
            f" identify, more than {100 * bound:g} %; audit a larger sample"
        )
    return audit
