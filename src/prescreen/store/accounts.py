"""The people who work here: made, changed, disabled, helped back in. Knows no page and no cookie.

An admin makes accounts and sees no chart. Who cannot sign in any more is helped by an admin alone: a new password
for one use, told once; nothing is sent by mail and no question is asked.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import func, select

from prescreen.errors import ConflictError, RefusedError
from prescreen.store.base import Act, new_id
from prescreen.store.passwords import ONCE_FOR, check_new, draw_password, hash_password
from prescreen.store.people import User
from prescreen.store.sessions import end_all

ROLES: Final = ("nurse", "physician", "admin", "auditor")
FIRST: Final = "admin"
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,62}")
_REFERENCE = re.compile(r"(?:Practitioner|PractitionerRole)/[A-Za-z0-9\-.]{1,64}")


class Made(NamedTuple):
    """An account and the password for its first sign-in, told once."""

    user: User
    password: str


def tidy_login(text: str) -> str | None:
    """A login as it is kept, None where no account can be called so."""
    told = text.strip().lower()
    return told if _LOGIN.fullmatch(told) else None


def add_user(
    act: Act, login: str, *, name: str, role: str, teams: Sequence[str] = (), reference: str | None = None
) -> Made:
    """A new account with a password for one use, to be changed at the first sign-in."""
    told = tidy_login(login)
    if told is None:
        raise RefusedError("a login is 2 to 63 of a-z, 0-9 and . _ @ -, and begins with a letter or digit")
    if find_user(act, told) is not None:
        raise ConflictError(f"there is an account {told} already")
    password = draw_password()
    user = User(
        id=new_id(),
        login=told,
        name=checked_name(name),
        role=checked_role(role),
        teams=checked_teams(teams),
        reference=checked_reference(reference) if reference else None,
        password=hash_password(password, act.now + ONCE_FOR),
        must_change=True,
        created=act.now,
    )
    act.session.add(user)
    act.session.flush()
    act.log("user.add", user.id, role=role, teams=",".join(user.teams))
    return Made(user, password)


def add_first_admin(act: Act) -> Made | None:
    """The first account of a new store, None where there is any; the caller prints the password at the console."""
    if act.session.scalar(select(func.count()).select_from(User)):
        return None
    return add_user(act, FIRST, name="First admin", role="admin")


def find_user(act: Act, login: str) -> User | None:
    """The account of a login."""
    told = tidy_login(login)
    return None if told is None else act.session.scalar(select(User).where(User.login == told))


def list_users(act: Act) -> list[User]:
    """All accounts, by login."""
    return list(act.session.scalars(select(User).order_by(User.login)))


def change_user(
    act: Act,
    user_id: str,
    *,
    name: str | None = None,
    role: str | None = None,
    teams: Sequence[str] | None = None,
    reference: str | None = None,
) -> User:
    """Set what an admin may set. Another role, or fewer teams, ends the person's sessions."""
    user: User = act.lock(User, user_id)
    if role is not None and role != user.role:
        if user.id == act.who.id:
            raise RefusedError("nobody gives themselves another role; ask another admin")
        _keep_an_admin(act, user)
        user.role = checked_role(role)
        end_all(act, user.id)
    if teams is not None:
        before, user.teams = user.teams, checked_teams(teams)
        if not set(before) <= set(user.teams):
            end_all(act, user.id)
    if name is not None:
        user.name = checked_name(name)
    if reference is not None:
        user.reference = checked_reference(reference) if reference else None
    act.log("user.change", user.id, role=user.role, teams=",".join(user.teams))
    return user


def disable_user(act: Act, user_id: str) -> User:
    """Nobody signs in with it from this moment on; what they signed stays theirs."""
    user: User = act.lock(User, user_id)
    if user.id == act.who.id:
        raise RefusedError("nobody disables themselves; ask another admin")
    _keep_an_admin(act, user)
    user.disabled = True
    end_all(act, user.id)
    act.log("user.disable", user.id)
    return user


def enable_user(act: Act, user_id: str) -> User:
    user: User = act.lock(User, user_id)
    user.disabled = False
    act.log("user.enable", user.id)
    return user


def reset_user(act: Act, user_id: str) -> Made:
    """A new password for one use and no second factor: the one way back in, by an admin."""
    user: User = act.lock(User, user_id)
    if user.id == act.who.id:
        raise RefusedError("change your own password on your account page; another admin resets it")
    if user.issuer is not None:
        raise RefusedError("this person signs in at the identity provider; reset it there")
    password = draw_password()
    user.password = hash_password(password, act.now + ONCE_FOR)
    user.must_change, user.totp = True, None
    end_all(act, user.id)
    act.log("user.reset", user.id)
    return Made(user, password)


def set_password(act: Act, user_id: str, hashed: str, *, keep_session: str) -> User:
    """Keep the hash of a password its owner has chosen; every other session of theirs ends."""
    user: User = act.lock(User, user_id)
    user.password, user.must_change = hashed, False
    end_all(act, user.id, but=keep_session)
    act.log("user.password", user.id)
    return user


def check_own(user: User, password: str) -> None:
    """RefusedError with the mend where this person may not take this password."""
    check_new(password, user.login, user.name)


def set_totp(act: Act, user_id: str, secret: str, step: int, *, keep_session: str) -> User:
    """Keep the secret of an authenticator app that has shown one right code."""
    user: User = act.lock(User, user_id)
    user.totp = act.keys.seal_own(f"users|totp|{user.id}", secret)
    user.totp_last = step
    end_all(act, user.id, but=keep_session)
    act.log("user.totp", user.id)
    return user


def read_totp(act: Act, user: User) -> str | None:
    """The secret of a person's authenticator app."""
    return None if user.totp is None else act.keys.open_own(f"users|totp|{user.id}", user.totp)


def tidy_reference(text: str) -> str | None:
    """Who a person is in the record ("Practitioner/7"), also out of a whole address; None where it tells none."""
    told = "/".join(text.strip().split("/")[-2:])
    return told if _REFERENCE.fullmatch(told) else None


def checked_reference(reference: str) -> str:
    """No report of theirs would ever arrive that names them in another form."""
    told = tidy_reference(reference)
    if told is None:
        raise RefusedError("write the person as the record system does, for example Practitioner/7")
    return told


def _keep_an_admin(act: Act, user: User) -> None:
    if user.role != "admin" or user.disabled:
        return
    others = select(User.id).where(User.role == "admin", User.disabled.is_(False), User.id != user.id)
    if act.session.scalars(others.with_for_update()).first() is None:
        raise RefusedError("this is the last admin; make another one first")


def checked_role(role: str) -> str:
    if role not in ROLES:
        raise RefusedError(f"choose a role: {', '.join(ROLES)}")
    return role


def checked_teams(teams: Collection[str]) -> list[str]:
    told = sorted({team.strip() for team in teams if team.strip()})
    if any(len(team) > 64 or not team.isprintable() or "," in team for team in told):
        raise RefusedError("a team is a short name without a comma")
    return told


def checked_name(name: str) -> str:
    told = " ".join(name.split())
    if not told or len(told) > 160 or not told.isprintable():
        raise RefusedError("a name is 1 to 160 printable characters")
    return told
