"""Incidents: reported by staff, assessed, made a regression case, closed. Each act leaves its line.

What was written stands sealed under the patient's own key; kind, severity, state and hazard stand open, for they
are counted. Knows no page, no hazard log and no file of cases.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, select

from prescreen.clinic.case import Case
from prescreen.clinic.incident import KINDS, OUTCOMES, SEVERITIES, Incident, Kind, Outcome
from prescreen.clinic.signed import PatientLink
from prescreen.errors import ConflictError, RefusedError
from prescreen.store.base import Act, new_id
from prescreen.store.loop_tables import IncidentRow
from prescreen.store.patients import read_link
from prescreen.store.record import add_record
from prescreen.store.reviews import last_review, read_signed
from prescreen.store.tables import Patient, Visit
from prescreen.store.visits import read_case

LEAST: Final = 10  # characters of a report, an assessment, a conclusion
MOST: Final = 4_000
NEEDS_CASE: Final[frozenset[Kind]] = frozenset({"missed emergency", "wrong level"})
WITHOUT_CASE: Final[frozenset[Outcome]] = frozenset(
    {"no fault of the software", "duplicate", "cannot be settled"}
)  # outcomes that need none


class Told(NamedTuple):
    """An incident with everything written of it, opened."""

    incident: Incident
    reporter: str
    report: str
    assessment: str
    conclusion: str


class Ground(NamedTuple):
    """What a regression case is made of: the contact as it was signed, and who it was about."""

    incident: Incident
    case: Case
    link: PatientLink


def report(act: Act, visit_id: str, kind: str, severity: str, text: str) -> IncidentRow:
    """Keep a report. Whoever saw it may tell it; the visit itself is not touched."""
    if kind not in KINDS:
        raise RefusedError(f"choose what kind it is: {', '.join(KINDS)}")
    _check_severity(severity)
    visit = act.session.get(Visit, visit_id)
    if visit is None:
        raise ConflictError("no such visit is here; copy its number from the address of its page")
    if act.session.get_one(Patient, visit.patient_id).sealed_key is None:
        raise RefusedError("this patient's key was destroyed, so nothing can be kept with it; report it on paper")
    row = IncidentRow(
        id=new_id(),
        visit_id=visit.id,
        at=act.now,
        reporter=act.who.id,
        kind=kind,
        severity=severity,
        state="open",
        report=b"",
    )
    row.report = _seal(act, row, "report", text)
    act.session.add(row)
    act.session.flush()
    act.log("incident.report", visit.id, incident=row.id, kind=kind, severity=severity)
    return row


def assess(act: Act, incident_id: str, *, severity: str, hazard: str, note: str) -> IncidentRow:
    """Say how bad it was, which hazard of the log it is a case of, and what was found; again until it is closed."""
    _check_severity(severity)
    row = _lock(act, incident_id)
    if row.state == "closed":
        raise ConflictError("the incident is closed; report it again if something new is known")
    row.assessment = _seal(act, row, "assessment", note)
    row.severity, row.hazard, row.state = severity, hazard, "assessed"
    row.assessed, row.assessed_by = act.now, act.who.id
    act.log("incident.assess", row.visit_id, incident=row.id, severity=severity, hazard=hazard)
    return row


def close(act: Act, incident_id: str, *, outcome: str, note: str) -> IncidentRow:
    """Close an assessed incident. A level that was wrong becomes a regression case first, or it was no fault."""
    if outcome not in OUTCOMES:
        raise RefusedError(f"choose what became of it: {', '.join(OUTCOMES)}")
    row = _lock(act, incident_id)
    if row.state != "assessed":
        why = "is closed already" if row.state == "closed" else "was not assessed yet; assess it first"
        raise ConflictError(f"the incident {why}")
    is_owed = row.kind in NEEDS_CASE and outcome not in WITHOUT_CASE
    if row.case_id is None and (is_owed or outcome == "regression case"):
        raise RefusedError("write its regression case first (`prescreen incident case`), then close it")
    row.conclusion = _seal(act, row, "conclusion", note)
    row.state, row.outcome = "closed", outcome
    row.closed, row.closed_by = act.now, act.who.id
    act.log("incident.close", row.visit_id, incident=row.id, outcome=outcome)
    return row


def read(act: Act, incident_id: str) -> Told:
    """An incident with what was written, opened and noted."""
    row = _lock(act, incident_id)
    texts = [_unseal(act, row, place) for place in ("report", "assessment", "conclusion")]
    act.log("incident.read", row.visit_id, incident=row.id)
    return Told(_tell(row), row.reporter, *texts)


def list_incidents(act: Act, states: Collection[str] = (), visit_id: str = "") -> list[Incident]:
    """Incidents in codes, newest first; nothing sealed is opened."""
    wanted: list[ColumnElement[bool]] = []
    if states:
        wanted.append(IncidentRow.state.in_(states))
    if visit_id:
        wanted.append(IncidentRow.visit_id == visit_id)
    query = select(IncidentRow).where(*wanted).order_by(IncidentRow.at.desc(), IncidentRow.id)
    return [_tell(row) for row in act.session.scalars(query)]


def export(act: Act) -> list[Incident]:
    """All incidents in codes, to be counted elsewhere; noted."""
    found = list_incidents(act)
    act.log("incident.export", "", count=len(found))
    return found


def open_ground(act: Act, incident_id: str) -> Ground:
    """The contact of an assessed incident as it was signed (or stands), for a regression case; one for each."""
    row = _lock(act, incident_id)
    if row.state == "open":
        raise ConflictError("the incident was not assessed yet; assess it first")
    if row.case_id is not None:
        raise ConflictError(f"its regression case {row.case_id} was written before; look in the clinic's bank")
    visit = act.session.get_one(Visit, row.visit_id)
    signature = last_review(act, visit)
    case = read_case(act, visit) if signature is None else read_signed(act, signature).case
    return Ground(_tell(row), add_record(act, visit, case), read_link(act, visit))


def note_case(act: Act, incident_id: str, case_id: str, level: str) -> IncidentRow:
    """Note which regression case was made of it, and who levelled it how."""
    row = _lock(act, incident_id)
    row.case_id = case_id
    act.log("incident.case", row.visit_id, incident=row.id, case=case_id, level=level)
    return row


def _tell(row: IncidentRow) -> Incident:
    return Incident.model_validate(
        {
            "id": row.id,
            "visit": row.visit_id,
            "at": row.at,
            "kind": row.kind,
            "severity": row.severity,
            "state": row.state,
            "hazard": row.hazard,
            "outcome": row.outcome,
            "case": row.case_id,
        }
    )


def _lock(act: Act, incident_id: str) -> IncidentRow:
    row: IncidentRow = act.lock(IncidentRow, incident_id)
    return row


def _check_severity(severity: str) -> None:
    if severity not in SEVERITIES:
        raise RefusedError(f"choose how bad it was or could have been: {', '.join(SEVERITIES)}")


def _seal(act: Act, row: IncidentRow, place: str, text: str) -> bytes:
    told = text.strip()
    if not LEAST <= len(told) <= MOST:
        raise RefusedError(f"write in {LEAST} to {MOST} characters what happened and what was found")
    return act.seal(_patient(act, row), f"incidents|{place}|{row.id}", told)


def _unseal(act: Act, row: IncidentRow, place: str) -> str:
    sealed = {"report": row.report, "assessment": row.assessment, "conclusion": row.conclusion}[place]
    return "" if sealed is None else act.unseal(_patient(act, row), f"incidents|{place}|{row.id}", sealed)


def _patient(act: Act, row: IncidentRow) -> str:
    return act.session.get_one(Visit, row.visit_id).patient_id
