"""Breaking the glass: a signer outside the team opens one visit for half an hour, says why, and is looked at after.

Knows no page. The codes are DICOM's for emergency override (110127) within a security alert (110113).
"""

import datetime
from typing import Final, NamedTuple

from sqlalchemy import func, select

from prescreen.errors import ConflictError, RefusedError
from prescreen.store.base import Act, new_id
from prescreen.store.holding import SIGNERS
from prescreen.store.people import Grant, User
from prescreen.store.tables import Visit

LASTS: Final = datetime.timedelta(minutes=30)
FRESH: Final = datetime.timedelta(minutes=5)  # how long ago the person may have shown who they are
REASON_LEAST: Final = 10
REASON_MOST: Final = 500


class Broken(NamedTuple):
    """A grant with its reason opened, for whoever looks at it."""

    grant: Grant
    login: str
    reason: str


def is_fresh(proved: datetime.datetime | None, now: datetime.datetime) -> bool:
    """Whether the person showed who they are a moment ago."""
    return proved is not None and datetime.timedelta() <= now - proved <= FRESH


def break_glass(act: Act, visit_id: str, reason: str, proved: datetime.datetime | None) -> Grant:
    """Open one visit to the person who acts."""
    user = act.session.get(User, act.who.id)
    if user is None or user.disabled or user.role not in SIGNERS:
        raise RefusedError("only a nurse or a physician may open a visit of another team")
    if not is_fresh(proved, act.now):
        raise RefusedError("show once more who you are, then open the visit")
    told = reason.strip()
    if not REASON_LEAST <= len(told) <= REASON_MOST:
        raise RefusedError(f"write why in {REASON_LEAST} to {REASON_MOST} characters; a colleague will read it")
    if act.session.get(Visit, visit_id) is None:
        raise ConflictError("this is not here any more; look at the list again")
    grant = Grant(
        id=new_id(),
        user_id=user.id,
        visit_id=visit_id,
        reason=b"",
        at=act.now,
        ends=act.now + LASTS,
        looked_by=None,
    )
    grant.reason = act.keys.seal_own(f"grants|reason|{grant.id}", told)
    act.session.add(grant)
    act.session.flush()
    act.log("glass.break", visit_id, grant=grant.id, code="110113", subtype="110127", minutes=30)
    return grant


def find_grant(act: Act, user_id: str, visit_id: str) -> Grant | None:
    """The grant that opens this visit to this person now."""
    query = select(Grant).where(
        Grant.user_id == user_id, Grant.visit_id == visit_id, Grant.at <= act.now, Grant.ends > act.now
    )
    return act.session.scalar(query.order_by(Grant.ends.desc()).limit(1))


def read_grants(act: Act, *, all_of_them: bool = False, limit: int = 200) -> list[Broken]:
    """Grants nobody has looked at, oldest first, with their reasons; the list itself is noted."""
    query = select(Grant, User.login).join(User, User.id == Grant.user_id).order_by(Grant.at).limit(limit)
    if not all_of_them:
        query = query.where(Grant.looked_at.is_(None))
    return [
        Broken(grant, login, act.keys.open_own(f"grants|reason|{grant.id}", grant.reason))
        for grant, login in act.session.execute(query)
    ]


def find_unseen(act: Act) -> tuple[int, datetime.datetime | None]:
    """How many grants nobody has looked at, and when the oldest of them was given."""
    query = select(func.count(), func.min(Grant.at)).where(Grant.looked_at.is_(None))
    count, oldest = act.session.execute(query).one()
    return count, oldest


def look_at(act: Act, grant_id: str, verdict: str) -> Grant:
    """Somebody else's word on it: `fits` or `follow-up`. An auditor gives it, who sees no chart."""
    if verdict not in ("fits", "follow-up"):
        raise RefusedError("choose whether it fits or is to be followed up")
    grant: Grant = act.lock(Grant, grant_id)
    user = act.session.get(User, act.who.id)
    if user is None or user.role != "auditor" or user.disabled or grant.user_id == act.who.id:
        raise RefusedError("an auditor looks at it, never who opened the visit")
    if grant.looked_at is not None:
        raise ConflictError("somebody has looked at it already")
    grant.looked_by, grant.looked_at = act.who.id, act.now
    act.log("glass.look", grant.visit_id, grant=grant.id, verdict=verdict)
    return grant
