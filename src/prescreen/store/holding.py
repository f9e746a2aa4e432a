"""A nurse's hold on a visit and what may be done while it waits: claim, ask, measure, raise, hand over, escalate.

Nothing here lowers a level or lets a visit leave the queue. Knows no page.
"""

import datetime
from typing import Final

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.errors import ConflictError, RefusedError
from prescreen.store.base import Act
from prescreen.store.leases import SLACK
from prescreen.store.people import User
from prescreen.store.tables import Visit
from prescreen.store.visits import OPEN, add_entry, lock_visit, raise_level, standing, take_facts

LOCK: Final = datetime.timedelta(minutes=10)
SIGNERS: Final = ("nurse", "physician")


def claim(act: Act, visit_id: str, *, take_over: bool = False) -> Visit:
    """Hold a visit, so that nobody reviews it twice; a held one is taken over on purpose only."""
    visit = lock_visit(act, visit_id)
    if holder(visit, act.now) not in (None, act.who.id):
        if not take_over:
            raise ConflictError("a colleague is reviewing this visit; wait, or take it over")
        act.log("visit.take-over", visit.id, held_by=visit.locked_by)
    elif visit.locked_by != act.who.id:
        act.log("visit.claim", visit.id)
    visit.locked_by, visit.locked_until = act.who.id, act.now + LOCK
    return visit


def holder(visit: Visit, now: datetime.datetime) -> str | None:
    """Who reviews a visit now. A hold that lasts longer than any does is of a clock that jumped: nobody's."""
    if visit.locked_until is None or not now < visit.locked_until <= now + LOCK + SLACK:
        return None
    return visit.locked_by


def release(act: Act, visit_id: str) -> None:
    """Let go of a visit."""
    visit = lock_visit(act, visit_id)
    if visit.locked_by == act.who.id:
        visit.locked_by = visit.locked_until = None
        act.log("visit.release", visit.id)


def check_hold(act: Act, visit: Visit, version: int) -> None:
    """ConflictError unless the person holds the visit and it is as they saw it."""
    if visit.locked_by != act.who.id:
        raise ConflictError("you do not hold this visit any more; open it again")
    if visit.version != version:
        raise ConflictError("something new came in since you opened this; read it and sign again")


def ask_patient(act: Act, visit_id: str, version: int, question: str) -> Visit:
    """Send the patient one more question; the visit keeps its place in the queue."""
    visit = lock_visit(act, visit_id, "waiting", "asked")
    check_hold(act, visit, version)
    add_entry(act, visit, "question", question)
    visit.state = "asked"
    act.log("visit.ask", visit.id)
    return visit


def assign(act: Act, visit_id: str, user_id: str, *, escalate: bool = False, note: str = "") -> Visit:
    """Give a visit to somebody of its team; `escalate` sends it to a physician and notes when."""
    visit = lock_visit(act, visit_id, *OPEN)
    user = act.session.get(User, user_id)
    if user is None or user.disabled or visit.team not in user.teams or user.role not in SIGNERS:
        raise RefusedError("choose a nurse or physician of this team")
    if escalate and user.role != "physician":
        raise RefusedError("a visit is escalated to a physician")
    visit.assigned_to, visit.locked_by, visit.locked_until = user.id, None, None
    if escalate:
        visit.escalated = act.now
    if note:
        add_entry(act, visit, "handover", note)
    act.log("visit.escalate" if escalate else "visit.assign", visit.id, to=user.id)
    return visit


def add_facts(act: Act, visit_id: str, case: Case, said: str, draft_by: datetime.timedelta) -> Visit:
    """Keep what a nurse measured or was told."""
    visit = lock_visit(act, visit_id, "waiting", "asked")
    take_facts(act, visit, case, "vitals", said, draft_by)
    act.log("visit.facts", visit.id)
    return visit


def raise_now(act: Act, visit_id: str, level: Acuity) -> Visit:
    """Raise a waiting visit at once, so that colleagues see it; lowering it takes a signature."""
    visit = lock_visit(act, visit_id, *OPEN)
    if level.rank < standing(visit):
        raise RefusedError("a level is lowered by signing with a reason, not before")
    raise_level(visit, level)
    act.log("visit.raise", visit.id, level=level.value)
    return visit
