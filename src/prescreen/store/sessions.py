"""Sessions on the server's side: of the cookie only its hash is kept; they end by rest, by age, by a word.

Knows whose a session is, nothing of cookies or pages.
"""

import datetime
import hashlib
import secrets
from typing import Final, NamedTuple

from sqlalchemy import delete, select

from prescreen.store.base import Act, Store, Who
from prescreen.store.people import Session, User

TOUCH: Final = datetime.timedelta(seconds=20)  # a session is noted as used this often at most: reading is cheap
SKEW: Final = datetime.timedelta(minutes=5)
KEEP: Final = datetime.timedelta(days=30)
KEEPER: Final = Who("sessions", "service")


class Limits(NamedTuple):
    """How long a session may rest, and how long it may last."""

    idle: datetime.timedelta
    day: datetime.timedelta


STAFF: Final = Limits(datetime.timedelta(minutes=15), datetime.timedelta(hours=12))
PATIENT: Final = Limits(datetime.timedelta(minutes=30), datetime.timedelta(hours=24))


class Begun(NamedTuple):
    """A new session and the token for its cookie, which is told this once."""

    session: Session
    token: str


class Found(NamedTuple):
    """A live session and, of staff, the person."""

    session: Session
    user: User | None


def begin(act: Act, limits: Limits, *, user: User | None = None, visit_id: str | None = None) -> Begun:
    """A session of a member of staff, or of a patient on one visit. Always a new token: none can be planted."""
    assert (user is None) != (visit_id is None), "a session is a person's or a visit's"
    token = secrets.token_urlsafe(32)
    session = Session(
        id=name_of(token),
        user_id=user.id if user else None,
        visit_id=visit_id,
        role=user.role if user else "patient",
        csrf=secrets.token_urlsafe(32),
        begun=act.now,
        seen=act.now,
        ends=act.now + limits.day,
        proved=act.now if user else None,
    )
    act.session.add(session)
    act.session.flush()
    return Begun(session, token)


def rotate(act: Act, session_id: str, *, proved: bool = False) -> Begun | None:
    """The same session under a new token; the old one ends. `proved` notes that the person showed who they are."""
    old = act.session.get(Session, session_id, with_for_update=True, populate_existing=True)
    if old is None or old.ended is not None:
        return None
    token = secrets.token_urlsafe(32)
    new = Session(
        id=name_of(token),
        user_id=old.user_id,
        visit_id=old.visit_id,
        role=old.role,
        csrf=secrets.token_urlsafe(32),
        begun=old.begun,
        seen=act.now,
        ends=old.ends,
        proved=act.now if proved else old.proved,
    )
    act.session.add(new)
    old.ended = act.now
    act.session.flush()
    return Begun(new, token)


def find_session(store: Store, token: str, staff: Limits, patient: Limits, *, touch: bool = True) -> Found | None:
    """The session of a cookie, None where there is none that lives. What ran out ends here, with its line.

    `touch` says somebody did something; a page that asks by itself does not keep a session alive.
    """
    with store.look(KEEPER) as look:
        session = look.session.get(Session, name_of(token))
        if session is None or session.ended is not None:
            return None
        user = look.session.get(User, session.user_id) if session.user_id else None
        now = look.now
    why = _run_out(session, user, now, patient if session.role == "patient" else staff)
    if why:
        _end_late(store, session.id, why)
        return None
    if touch and now - session.seen >= TOUCH:
        with store.act(KEEPER) as act:
            row = act.session.get(Session, session.id, with_for_update=True)
            if row is None or row.ended is not None:
                return None
            row.seen = max(row.seen, act.now)
    return Found(session, user)


def end_session(act: Act, session_id: str, action: str = "session.end", why: str = "asked") -> bool:
    """End one session; False where it had ended."""
    session = act.session.get(Session, session_id, with_for_update=True, populate_existing=True)
    if session is None or session.ended is not None:
        return False
    session.ended = act.now
    act.log(action, session.user_id or session.visit_id or "", why=why)
    return True


def end_all(act: Act, user_id: str, *, but: str = "") -> int:
    """End all sessions of a person (but one)."""
    live = select(Session).where(Session.user_id == user_id, Session.ended.is_(None), Session.id != but)
    ended = list(act.session.scalars(live.with_for_update()))
    for session in ended:
        session.ended = act.now
    if ended:
        act.log("session.end-all", user_id, count=len(ended))
    return len(ended)


def sweep_sessions(act: Act, staff: Limits, patient: Limits) -> int:
    """End what ran out unseen, with a line each, and drop what ended long ago; returns how many ended."""
    ended = 0
    for session in act.session.scalars(select(Session).where(Session.ended.is_(None)).with_for_update()):
        why = _run_out(session, None, act.now, patient if session.role == "patient" else staff)
        if why:
            session.ended = act.now
            act.log("session.time-out", session.user_id or session.visit_id or "", why=why)
            ended += 1
    act.session.flush()
    act.session.execute(delete(Session).where(Session.ended < act.now - KEEP))
    return ended


def name_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _run_out(session: Session, user: User | None, now: datetime.datetime, limits: Limits) -> str:
    """Why a session is over, "" while it lives. A clock that went back is no way to make one last."""
    if now >= min(session.ends, session.begun + limits.day):
        return "age"
    if now - session.seen >= limits.idle:
        return "idle"
    if session.seen - now > SKEW:
        return "clock"
    if user is not None and (user.disabled or user.role != session.role):
        return "changed"
    return ""


def _end_late(store: Store, session_id: str, why: str) -> None:
    with store.act(KEEPER) as act:
        action = "session.time-out" if why in ("age", "idle") else "session.end"
        end_session(act, session_id, action, why)
