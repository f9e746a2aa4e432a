"""Signing in and proving again who one is: throttle, password, code, session, each in a transaction that is short.

A wrong login, a wrong password, a wrong code and a disabled account look and last alike. Knows no page.
"""

import datetime
import hmac
import secrets
from typing import Final, NamedTuple

from prescreen.store.accounts import find_user, read_totp, set_password, set_totp
from prescreen.store.base import Act, Store, Who
from prescreen.store.keys import Keys
from prescreen.store.passwords import find_step, hash_password, is_dated, verify
from prescreen.store.people import Session, User
from prescreen.store.sessions import Begun, Limits, begin, end_session, rotate
from prescreen.store.throttle import ADDRESS, DEVICE, LOGIN, Limit, enter, forgive, give_back, network_of, read_wait

DOOR: Final = Who("door", "anyone")
_MARKS: Final = 10  # logins one shared computer remembers
_NOTHING: Final = datetime.timedelta()


Gates = tuple[tuple[Limit, str], ...]


class Try(NamedTuple):
    """What somebody typed at the door. `device` is the mark of a browser this login has signed in with before."""

    login: str
    password: str
    code: str = ""
    address: str = ""
    device: str = ""
    old_session: str = ""


class Answer(NamedTuple):
    """A session, or how long to wait, or neither: then something typed was wrong, and nobody says what."""

    begun: Begun | None
    user: User | None
    wait: datetime.timedelta = _NOTHING


def sign_in(store: Store, told: Try, limits: Limits) -> Answer:
    """Try a login, a password and a code. The slow check of the password holds no lock of the database."""
    gates = _gates(told)
    wait = _knock(store, DOOR, gates)
    if wait is not None:
        return Answer(None, None, wait)
    with store.look(DOOR) as look:
        user = find_user(look, told.login)
    right = verify(user.password if user else None, told.password, store.clock())
    dated = hash_password(told.password) if right and user and _renews(user) else None
    with store.act(DOOR) as act:
        user = act.session.get(User, user.id, with_for_update=True, populate_existing=True) if user else None
        why = _why_not(act, user, right, told.code)
        if why or user is None:
            marks = {kind: _mark(act, kind, text) for kind, text in (("login", told.login), ("at", told.address))}
            act.log("sign-in", user.id if user else "", "refused", why=why, wait=_seconds(act, gates), **marks)
            return Answer(None, None)
        if dated is not None:
            user.password = dated
        return Answer(_let_in(act, user, limits, told, gates), user)


def prove(store: Store, user: User, session_id: str, password: str, code: str) -> Answer:
    """Show once more who one is (a step-up): the session goes on under a new token, proved now."""
    gates = ((LOGIN, f"prove|{user.login}"),)
    who = Who(user.id, user.role)
    wait = _knock(store, who, gates)
    if wait is not None:
        return Answer(None, None, wait)
    right = verify(user.password, password, store.clock())
    with store.act(who) as act:
        row = act.session.get(User, user.id, with_for_update=True, populate_existing=True)
        why = _why_not(act, row, right, code)
        if why or row is None:
            act.log("session.prove", user.id, "refused", why=why, wait=_seconds(act, gates))
            return Answer(None, None)
        forgive(act, *gates[0])
        begun = rotate(act, session_id, proved=True)
        act.log("session.prove", user.id)
        return Answer(begun, row)


def vouch(store: Store, login: str, password: str, code: str) -> User | datetime.timedelta | None:
    """Who signs at the console, by password and code: the person, how long to wait, or None where it was wrong.

    Throttled as the door is, and with it: tries here count there.
    """
    gates = ((LOGIN, login.strip().lower()[:256]),)
    wait = _knock(store, DOOR, gates)
    if wait is not None:
        return wait
    with store.look(DOOR) as look:
        user = find_user(look, login)
    right = verify(user.password if user else None, password, store.clock())
    with store.act(DOOR) as act:
        row = act.session.get(User, user.id, with_for_update=True, populate_existing=True) if user else None
        why = _why_not(act, row, right, code) or ("password to be changed first" if row and row.must_change else "")
        if why or row is None:
            act.log("vouch", row.id if row else "", "refused", why=why, wait=_seconds(act, gates))
            return None
        forgive(act, *gates[0])
        act.log("vouch", row.id)
        return row


def sign_in_claimed(
    act: Act, user: User, limits: Limits, shown: datetime.datetime | None = None, old_session: str = ""
) -> Begun | None:
    """A session for a person an identity provider vouches for, proved when `shown`; None where it is disabled."""
    if user.disabled:
        act.log("sign-in", user.id, "refused", why="disabled", by="oidc")
        return None
    if old_session:
        end_session(act, old_session, why="signed in anew")
    act.log("sign-in", user.id, by="oidc")
    begun = begin(act, limits, user=user)
    begun.session.proved = shown or begun.session.proved
    return begun


def change_password(store: Store, user: User, session_id: str, new: str) -> None:
    """Keep a password its owner has chosen; the caller has had the old one proved and the new one checked."""
    hashed = hash_password(new)
    with store.act(Who(user.id, user.role)) as act:
        set_password(act, user.id, hashed, keep_session=session_id)


def enrol_totp(store: Store, user: User, session_id: str, secret: str, code: str) -> bool:
    """Keep an authenticator's secret once it has shown a right code."""
    step = find_step(secret, code, store.clock(), 0)
    if step is None:
        return False
    with store.act(Who(user.id, user.role)) as act:
        set_totp(act, user.id, secret, step, keep_session=session_id)
    return True


def _knock(store: Store, who: Who, gates: Gates) -> datetime.timedelta | None:
    """Count a try, or tell how long to wait: who comes too early costs a read, no write and no line of the log."""
    with store.look(who) as look:
        wait = read_wait(look, *gates)
    if wait is None:
        with store.act(who) as act:
            wait = enter(act, *gates)
    return wait


def _seconds(act: Act, gates: Gates) -> int:
    """How long the next try has to wait, for the log."""
    return int((read_wait(act, *gates) or _NOTHING).total_seconds())


def _gates(told: Try) -> Gates:
    login = (told.login.strip().lower())[:256]
    door = (DEVICE, f"{login}|{told.device}") if told.device else (LOGIN, login)
    return door, (ADDRESS, network_of(told.address))


def find_device(keys: Keys, login: str, marks: str) -> str:
    """The mark of this login among those a browser keeps, "" where it never signed this login in."""
    for mark in marks.split("|")[:_MARKS]:
        nonce, _, seal = mark.partition(".")
        right = keys.look("device", f"{login.strip().lower()}|{nonce}").hex()
        if nonce and hmac.compare_digest(right.encode(), seal.encode("utf-8", "replace")):
            return mark
    return ""


def add_device(keys: Keys, login: str, marks: str) -> str:
    """The marks a browser keeps, with this login's first: who has one waits less when others try the same login."""
    known = find_device(keys, login, marks)
    nonce = secrets.token_hex(16)
    mark = known or f"{nonce}.{keys.look('device', f'{login}|{nonce}').hex()}"
    others = [other for other in marks.split("|") if other and other != mark]
    return "|".join([mark, *others][:_MARKS])


def _why_not(act: Act, user: User | None, right: bool, code: str) -> str:
    """Why somebody is not let in, "" where they are; a code that is right is used up."""
    if user is None:
        return "unknown"
    if not right:
        return "password"
    if user.disabled:
        return "disabled"
    secret = read_totp(act, user)
    if secret is None:
        return ""
    step = find_step(secret, code, act.now, user.totp_last)
    if step is None:
        return "code"
    user.totp_last = step
    return ""


def _renews(user: User) -> bool:
    return user.password is not None and not user.must_change and is_dated(user.password)


def _let_in(act: Act, user: User, limits: Limits, told: Try, gates: Gates) -> Begun:
    forgive(act, *gates[0])
    for gate in gates[1:]:  # a clinic signs in from one address: right tries slow nobody down, wrong ones still do
        give_back(act, *gate)
    if told.old_session:
        end_session(act, told.old_session, why="signed in anew")
    act.log("sign-in", user.id, by="password", second="yes" if user.totp else "no")
    return begin(act, limits, user=user)


def _mark(act: Act, kind: str, text: str) -> str:
    """Enough to see in the log that two tries were the same, and nothing of what was typed."""
    told = network_of(text) if kind == "at" else text.strip().lower()[:256]
    return act.keys.look(f"mark|{kind}", told).hex()[:16]


def sign_out(store: Store, session: Session, who: Who) -> None:
    """End a session because its owner asked for it."""
    with store.act(who) as act:
        end_session(act, session.id, "sign-out")
