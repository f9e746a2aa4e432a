"""An incident in codes: what kind, how bad, of which hazard, how far it has come. Nothing told and nobody's name.

Pure data: the store makes one of each report, the hazard log counts them. Knows neither.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import AwareDatetime, Field, ValidationError

from prescreen.config import Strict
from prescreen.errors import InputError

Kind = Literal["missed emergency", "wrong level", "wrong fact in a draft", "harmful advice", "privacy", "other"]
Severity = Literal["negligible", "minor", "serious", "critical", "catastrophic"]
State = Literal["open", "assessed", "closed"]
Outcome = Literal["regression case", "mended", "no fault of the software", "duplicate", "cannot be settled"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class Incident(Strict):
    """One report. `id` is random; `case` is the regression case made of it; `visit` stays inside the clinic."""

    id: str
    visit: str = ""
    at: AwareDatetime
    kind: Kind
    severity: Severity
    state: State
    hazard: str | None = Field(None, pattern=r"^H\d\d$")
    outcome: Outcome | None = None
    case: str | None = None


class _Export(Strict):
    incidents: tuple[Incident, ...]


def write_export(incidents: Iterable[Incident]) -> str:
    """The export as JSON: codes and random ids, without the visits."""
    rows = [incident.model_dump(mode="json", exclude={"visit"}) for incident in incidents]
    return json.dumps({"incidents": rows}, indent=2) + "\n"


def read_export(path: Path) -> tuple[Incident, ...]:
    """What `write_export` wrote; InputError where it is something else."""
    try:
        return _Export.model_validate_json(path.read_text(encoding="utf-8")).incidents
    except FileNotFoundError:
        raise InputError("no such file; write it with `prescreen incident export`", file=path) from None
    except (ValidationError, UnicodeDecodeError):
        raise InputError(
            "is no export of incidents; write it with `prescreen incident export`", file=path
        ) from None


def count_by_hazard(incidents: Sequence[Incident]) -> dict[str, Counter[State]]:
    """How many incidents of each hazard stand in each state; "" holds those nobody has linked to one."""
    counts: dict[str, Counter[State]] = {}
    for incident in incidents:
        counts.setdefault(incident.hazard or "", Counter())[incident.state] += 1
    return counts
