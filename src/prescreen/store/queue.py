"""The nurses' queue: whoever needs a person soonest stands first. Reads open columns only, so it is quick.

A visit nobody has assessed yet stands among the HIGH ones: unknown is never last.
"""

import datetime
from collections.abc import Collection
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.orm import defer

from prescreen.clinic.acuity import Acuity
from prescreen.store.base import Act
from prescreen.store.holding import holder
from prescreen.store.reviews import last_review
from prescreen.store.tables import Entry, Patient, Visit
from prescreen.store.visits import LEVELS

_UNKNOWN = Acuity.HIGH.rank
SEALED = (Visit.interview, Visit.case, Visit.unasked, Visit.record)
Whose = Literal["team", "mine", "unassigned"]


class Waiting(NamedTuple):
    """One line of the queue. `level` is None while nothing has assessed the visit."""

    id: str
    patient_id: str
    team: str
    language: str
    state: Literal["intake", "waiting", "asked"]
    level: Acuity | None
    urgent: datetime.datetime | None
    since: datetime.datetime
    has_draft: bool
    blind: bool
    assigned_to: str | None
    escalated: datetime.datetime | None
    locked_by: str | None
    version: int


def read_queue(act: Act, teams: Collection[str], limit: int = 200, whose: Whose = "team") -> list[Waiting]:
    """Highest level first, then longest wait; a patient still answering is in it from the first red flag on."""
    since = func.coalesce(Visit.finished, Visit.urgent, Visit.opened)
    query = (
        select(Visit)
        .where(Visit.team.in_(teams), _is_task(), _is_of(act, whose))
        .order_by(func.coalesce(Visit.level, _UNKNOWN).desc(), since, Visit.id)
        .limit(limit)
        .options(*(defer(column) for column in SEALED))
    )
    return [_line(act, visit) for visit in act.session.scalars(query)]


def count_queue(act: Act, teams: Collection[str], whose: Whose = "team") -> int:
    """How many wait, those beyond the list too."""
    query = select(func.count()).where(Visit.team.in_(teams), _is_task(), _is_of(act, whose))
    return act.session.scalar(query) or 0


def _is_of(act: Act, whose: Whose) -> ColumnElement[bool]:
    """The person's own (given to them, or in their hands), nobody's, or the whole team's."""
    if whose == "mine":
        return or_(Visit.assigned_to == act.who.id, Visit.locked_by == act.who.id)
    return Visit.assigned_to.is_(None) if whose == "unassigned" else true()


def find_left(act: Act, before: datetime.datetime) -> list[Visit]:
    """Interviews that have said something, and nothing more since `before`; nor will a clock that was ahead while
    they spoke hide them: what stands as far in the future is as long ago."""
    last = select(func.max(Entry.at)).where(Entry.visit_id == Visit.id).scalar_subquery()
    silent = or_(last < before, last > act.now + (act.now - before))
    query = select(Visit).where(Visit.state == "intake", Visit.case.is_not(None), silent)
    return list(act.session.scalars(query.order_by(Visit.opened).limit(100)))


def find_newest(act: Act, reference: str) -> Visit | None:
    """A patient's visit by the record's reference, e.g. "Patient/123": the newest that is a nurse's task, else the
    newest in which something was said, else the newest."""
    look = act.keys.look("patient", reference)
    telling = _is_task().desc(), Visit.case.is_not(None).desc(), Visit.opened.desc()
    return act.session.scalar(select(Visit).join(Patient).where(Patient.look == look).order_by(*telling).limit(1))


def find_signed_level(act: Act, visit: Visit) -> Acuity | None:
    """The level as last signed, None while the visit is anybody's task."""
    if visit.state != "signed":
        return None
    review = last_review(act, visit)
    return None if review is None else LEVELS[review.level]


def _is_task() -> ColumnElement[bool]:
    return or_(Visit.state.in_(("waiting", "asked")), and_(Visit.state == "intake", Visit.level.is_not(None)))


def _line(act: Act, visit: Visit) -> Waiting:
    return Waiting(
        id=visit.id,
        patient_id=visit.patient_id,
        team=visit.team,
        language=visit.language,
        state=visit.state,  # type: ignore[arg-type]
        level=None if visit.level is None else LEVELS[visit.level],
        urgent=visit.urgent,
        since=visit.finished or visit.urgent or visit.opened,
        has_draft=visit.draft_id is not None,
        blind=visit.blind,
        assigned_to=visit.assigned_to,
        escalated=visit.escalated,
        locked_by=holder(visit, act.now),
        version=visit.version,
    )
