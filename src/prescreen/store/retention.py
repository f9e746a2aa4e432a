"""How long what is kept, what a court holds, and destroying a patient's key: with it goes all they ever said.

The law of the place decides the months; ours are defaults to be set. Knows no page.
"""

import datetime
from typing import Final, NamedTuple

from sqlalchemy import delete, func, select, text

from prescreen.clinic.signed import PatientLink
from prescreen.config import Strict
from prescreen.errors import ConflictError, RefusedError
from prescreen.store.base import Act, Store
from prescreen.store.loop_tables import Outcome
from prescreen.store.shelf import name_identifier, name_subject
from prescreen.store.tables import Outgoing, Patient, Resource, ResourceKey, Review, Visit
from prescreen.store.visits import OPEN

_DAYS_A_MONTH: Final = 30.44
REASONS: Final = ("retention ended", "patient asked", "opened by mistake", "invented patient", "other")


class Retention(Strict):
    """Months a patient is kept after the last visit, by what came of it; None keeps for ever."""

    signed: int | None = 120  # a nurse signed: a chart, as the place's law wants it
    unsigned: int | None = 24  # reached the queue, never signed
    left: int | None = 1  # began and left before the end


class Overdue(NamedTuple):
    """A patient whose time has passed."""

    patient_id: str
    kept_as: str
    last: datetime.datetime


def find_overdue(act: Act, retention: Retention, limit: int = 1000) -> list[Overdue]:
    """Whose time has passed, oldest first; nobody under a legal hold. A person decides, then `shred`."""
    last = func.max(func.coalesce(Visit.finished, Visit.opened)).label("last")
    signed = func.count(Review.id)
    queued = func.count(Visit.finished)
    months = {"signed": retention.signed, "unsigned": retention.unsigned, "left": retention.left}
    found: list[Overdue] = []
    for kept_as, rule in (
        ("signed", signed > 0),
        ("unsigned", (signed == 0) & (queued > 0)),
        ("left", (signed == 0) & (queued == 0)),
    ):
        kept = months[kept_as]
        if kept is None:
            continue
        before = act.now - datetime.timedelta(days=kept * _DAYS_A_MONTH)
        query = (
            select(Patient.id, last)
            .join(Visit, Visit.patient_id == Patient.id)
            .outerjoin(Review, Review.visit_id == Visit.id)
            .where(Patient.hold.is_(False), Patient.sealed_key.is_not(None))
            .group_by(Patient.id)
            .having(rule, last < before)
            .order_by(last)
            .limit(limit)
        )
        found += [Overdue(patient, kept_as, moment) for patient, moment in act.session.execute(query)]
    return sorted(found, key=lambda row: row.last)[:limit]


def shred(act: Act, patient_id: str, reason: str) -> int:
    """Destroy a patient's key, name and copies in the embedded record; how many copies there were.

    Nothing brings them back but a backup of before. `scrub` then wipes what the files still hold of the key.
    """
    if reason not in REASONS:
        raise RefusedError(f"choose why: {', '.join(REASONS)}")
    patient: Patient = act.lock(Patient, patient_id)
    if patient.hold:
        raise RefusedError("the patient is under a legal hold; lift it first")
    if patient.sealed_key is None:
        raise ConflictError("this patient's key was destroyed before")
    for visit in act.session.scalars(select(Visit).where(Visit.patient_id == patient_id).with_for_update()):
        if visit.state == "intake" and visit.case is None:
            visit.state = "left"  # nothing was ever said, and its codes open nothing from now on
        elif visit.state in OPEN:
            raise RefusedError("a visit of this patient is still open; close it first")
    _refuse_unsent(act, patient_id)  # the visits are locked: nobody signs meanwhile
    copies = _delete_copies(act, patient)
    patient.sealed_key = patient.link = patient.look = None
    patient.shredded = act.now
    visits = select(Visit.id).where(Visit.patient_id == patient_id)
    act.session.execute(delete(Outcome).where(Outcome.visit_id.in_(visits)))
    act.log("patient.shred", patient_id, reason=reason, copies=copies)
    return copies


def hold(act: Act, patient_id: str, on: bool) -> Patient:
    """Put a patient under a legal hold, or lift it."""
    patient: Patient = act.lock(Patient, patient_id)
    if patient.sealed_key is None:
        raise ConflictError("this patient's key was destroyed before; there is nothing to hold")
    patient.hold = on
    act.log("patient.hold" if on else "patient.unhold", patient_id)
    return patient


def scrub(store: Store) -> None:
    """Wipe deleted bytes from the database's files: journal and free pages of SQLite, dead rows of PostgreSQL.

    A server's write-ahead log keeps them until it is recycled, a backup until it lapses.
    """
    with store.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in (Patient, Outcome, Resource, ResourceKey):
                alone.execute(text(f"VACUUM FULL {table.__tablename__}"))
            alone.execute(text("CHECKPOINT"))
            return
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("VACUUM")
        busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise ConflictError("others use the database, so its journal still holds deleted bytes; run it again")


def _refuse_unsent(act: Act, patient_id: str) -> None:
    query = (
        select(func.count())
        .select_from(Outgoing)
        .join(Review, Review.id == Outgoing.review_id)
        .join(Visit, Visit.id == Review.visit_id)
        .where(Visit.patient_id == patient_id, Outgoing.state.in_(("waiting", "dead")))
    )
    if act.session.scalar(query):
        raise RefusedError("a signature of this patient has not reached the record; send or settle it first")


def _delete_copies(act: Act, patient: Patient) -> int:
    subjects = _find_subjects(act, patient)
    if not subjects:
        return 0
    rows = act.session.execute(
        select(Resource.kind, Resource.id, Resource.version).where(Resource.subject.in_(subjects))
    ).all()
    for kind, id in {(row.kind, row.id) for row in rows}:
        act.session.execute(delete(ResourceKey).where(ResourceKey.kind == kind, ResourceKey.id == id))
        act.session.execute(delete(Resource).where(Resource.kind == kind, Resource.id == id))
    return len(rows)


def _find_subjects(act: Act, patient: Patient) -> set[bytes]:
    """What the embedded record calls this patient: by reference, by identifier, by what was delivered."""
    link = PatientLink()
    if patient.link is not None:
        told = act.unseal(patient.id, f"patients|link|{patient.id}", patient.link)
        link = PatientLink.model_validate_json(told)
    subjects = set()
    if link.reference:
        subjects.add(name_subject(act.keys, link.reference))
    if link.identifier:
        look = name_identifier(act.keys, "Patient", link.identifier_system or "", link.identifier)
        known = select(ResourceKey.id).where(ResourceKey.kind == "Patient", ResourceKey.look == look)
        subjects |= {name_subject(act.keys, f"Patient/{id}") for id in act.session.scalars(known)}
    receipts = (
        select(Outgoing.receipt)
        .join(Review, Review.id == Outgoing.review_id)
        .join(Visit, Visit.id == Review.visit_id)
        .where(Visit.patient_id == patient.id, Outgoing.state == "sent")
    )
    for receipt in act.session.scalars(receipts):
        kind, _, rest = receipt.partition("/")
        delivered = select(Resource.subject).where(
            Resource.kind == kind, Resource.id == rest.partition("/")[0], Resource.subject.is_not(None)
        )
        subjects |= {subject for subject in act.session.scalars(delivered) if subject is not None}
    return subjects
