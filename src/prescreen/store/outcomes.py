"""What became of patients within 72 hours of a signature: who is asked for, and what was told. Knows no record.

Kind, time and urgency are kept and nothing else. "Nothing happened" is kept only where somebody looked to the end;
all else is unknown, and counted apart.
"""

import datetime
from collections.abc import Collection, Iterable
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Row, Select, exists, func, select
from sqlalchemy.exc import IntegrityError

from prescreen.clinic.contact import FOLLOWED, Later, choose_worst
from prescreen.errors import RefusedError
from prescreen.store.base import Act
from prescreen.store.leases import is_due
from prescreen.store.loop_tables import Outcome
from prescreen.store.patients import read_link
from prescreen.store.tables import Patient, Review, Visit
from prescreen.store.visits import LEVELS

OLDEST: Final = FOLLOWED + datetime.timedelta(hours=24)  # of a signature that is first asked for
LEASE: Final = datetime.timedelta(minutes=30)  # longer than the longest answer
TRIES: Final = 4
_WAIT: Final = datetime.timedelta(hours=1)  # and twice as long each time
Unknown = Literal["no way", "refused", "away", "destroyed"]


class Asked(NamedTuple):
    """A visit whose patient's record is to be read; `signature` and `reference` say who that is there."""

    visit_id: str
    signature: str
    reference: str | None
    since: datetime.datetime
    destroyed: bool


class Known(NamedTuple):
    """What is known: `followed` without `later` means that nothing happened."""

    followed: bool
    later: Later | None


def is_outcome_due(act: Act) -> bool:
    """Whether `take_outcome` would find one: a look takes no turn from anybody."""
    return act.session.scalar(_again(act)) is not None or act.session.scalar(_fresh(act)) is not None


def take_outcome(act: Act) -> Asked | None:
    """A signature to be asked for again, or the next between 72 and 96 hours old that nobody asked for."""
    row = act.session.scalar(_again(act).with_for_update(skip_locked=True))
    review = first_signature(act, row.visit_id) if row is not None else act.session.scalar(_fresh(act))
    if review is None:
        return None
    if row is None:
        row = Outcome(visit_id=review.visit_id, since=review.at, state="asked", source="record", due=act.now)
        row.attempts = 0
        try:
            with act.session.begin_nested():
                act.session.add(row)
        except IntegrityError:  # another worker was first
            return None
    row.attempts, row.due = row.attempts + 1, act.now + LEASE
    visit = act.session.get_one(Visit, review.visit_id)
    destroyed = act.session.get_one(Patient, visit.patient_id).sealed_key is None
    reference = None if destroyed else read_link(act, visit).reference
    return Asked(visit.id, review.id, reference, row.since, destroyed)


def note_outcome(act: Act, visit_id: str, later: Later | None) -> None:
    """The record was read to its end. Said twice, or after a person's word, the first stays."""
    row = _lock_asked(act, visit_id)
    if row is None:
        return
    _write(row, later)
    act.log("outcome.read", visit_id, state=row.state, tries=row.attempts)


def note_unknown(act: Act, visit_id: str, why: Unknown, *, lasting: bool) -> None:
    """It could not be read: later again, or unknown for good."""
    row = _lock_asked(act, visit_id)
    if row is None:
        return
    row.why = why
    if lasting or row.attempts >= TRIES:
        row.state = "unknown"
        act.log("outcome.read", visit_id, "failed", state=row.state, why=why, tries=row.attempts)
    else:
        row.due = act.now + _WAIT * 2 ** (row.attempts - 1)


def note_told(act: Act, visit_id: str, later: Later | None) -> None:
    """A person's list says it. RefusedError, with nothing changed, where it does not fit the visit."""
    visit = act.session.get(Visit, visit_id)
    review = None if visit is None else first_signature(act, visit_id)
    if visit is None or review is None:
        raise RefusedError("there is no signed visit of this number")
    if act.session.get_one(Patient, visit.patient_id).sealed_key is None:
        raise RefusedError("the patient's data were destroyed; nothing is added to them")
    if later is None and act.now < review.at + FOLLOWED:
        raise RefusedError("the 72 hours are not over; nobody can know yet that nothing happens")
    if later is not None and not review.at < later.at <= review.at + FOLLOWED:
        raise RefusedError("its time is not within 72 hours of the visit's signature")
    row = act.session.get(Outcome, visit_id, with_for_update=True, populate_existing=True)
    known = None if row is None else read_later(row)
    if known is not None and later is None:
        raise RefusedError("something is known to have happened after this visit; the line changes nothing")
    if row is None:
        row = Outcome(visit_id=visit_id, since=review.at, state="asked", source="file", due=act.now, attempts=0)
        act.session.add(row)
    row.source = "file"
    _write(row, choose_worst(event for event in (known, later) if event is not None))
    act.log("outcome.told", visit_id, state=row.state)


def find_visits(act: Act, identifier: str, at: datetime.datetime) -> list[str]:
    """The visits of a patient, named as the record names them, that were signed in the 72 hours before."""
    known = identifier if "|" in identifier or identifier.startswith("Patient/") else f"None|{identifier}"
    query = (
        select(Review.visit_id)
        .join(Visit, Visit.id == Review.visit_id)
        .join(Patient, Patient.id == Visit.patient_id)
        .where(Patient.look == act.keys.look("patient", known))
        .where(Review.state == "signed", Review.corrects.is_(None), Review.at < at, Review.at >= at - FOLLOWED)
        .order_by(Review.at)
    )
    return list(act.session.scalars(query))


def read_outcomes(act: Act, visits: Collection[str]) -> dict[str, Known]:
    """What is known of these visits; one that is missing was never asked for."""
    columns = (Outcome.visit_id, Outcome.state, Outcome.kind, Outcome.at, Outcome.level)
    rows: Iterable[Row[Any]] = act.session.execute(select(*columns).where(Outcome.visit_id.in_(visits)))
    return {row.visit_id: Known(row.state in ("found", "nothing"), read_later(row)) for row in rows}


def read_later(row: Outcome | Row[*tuple[Any, ...]]) -> Later | None:
    """What came after, None where nothing did or nobody knows."""
    if row.state != "found" or row.level is None:
        return None
    return Later.model_validate({"kind": row.kind, "at": row.at, "level": LEVELS[row.level]})


def count_outcomes(act: Act) -> dict[str, int]:
    """How many visits stand in each state: asked, found, nothing, unknown."""
    query = select(Outcome.state, func.count()).group_by(Outcome.state)
    return {state: count for state, count in act.session.execute(query)}


def first_signature(act: Act, visit_id: str) -> Review | None:
    """The signature a visit's outcome is counted from: a correction days later begins no new time."""
    query = select(Review).where(Review.visit_id == visit_id, Review.state == "signed", Review.corrects.is_(None))
    return act.session.scalar(query.limit(1))


def _lock_asked(act: Act, visit_id: str) -> Outcome | None:
    """The row, unless it was answered or its patient shredded meanwhile."""
    row = act.session.get(Outcome, visit_id, with_for_update=True, populate_existing=True)
    return row if row is not None and row.state == "asked" else None


def _again(act: Act) -> Select[Outcome]:
    due = is_due(act, Outcome.due, _WAIT * 2**TRIES)
    return select(Outcome).where(Outcome.state == "asked", due).order_by(Outcome.due).limit(1)


def _fresh(act: Act) -> Select[Review]:
    return (
        select(Review)
        .where(
            Review.state == "signed",
            Review.corrects.is_(None),
            Review.at <= act.now - FOLLOWED,
            Review.at >= act.now - OLDEST,
            ~exists().where(Outcome.visit_id == Review.visit_id),
        )
        .order_by(Review.at)
        .limit(1)
    )


def _write(row: Outcome, later: Later | None) -> None:
    row.state, row.why = ("nothing" if later is None else "found"), ""
    row.kind, row.at, row.level = (None, None, None) if later is None else (later.kind, later.at, later.level.rank)
