"""People an identity provider vouches for: met by issuer and subject. Knows no token."""

import datetime
import hashlib
from typing import NamedTuple

from sqlalchemy import select

from prescreen.store.accounts import checked_name, checked_role, checked_teams
from prescreen.store.base import Act, new_id
from prescreen.store.people import User
from prescreen.store.sessions import end_all


class Claimed(NamedTuple):
    """What an identity provider says of a person, in our words; `role` is None where it gives none of ours."""

    issuer: str
    subject: str
    name: str
    role: str | None
    teams: tuple[str, ...]
    reference: str | None = None
    shown: datetime.datetime | None = None  # when they showed who they are there, where it says so


def meet_claimed(act: Act, claimed: Claimed) -> User:
    """The person the identity provider names, by issuer and subject; it says the role and the teams.

    Without a role of ours the account is disabled and stays so until an admin enables it.
    """
    query = select(User).where(User.issuer == claimed.issuer, User.subject == claimed.subject)
    user = act.session.scalar(query.with_for_update())
    if user is None:
        return _first_meeting(act, claimed)
    if claimed.role is None:
        if not user.disabled:
            user.disabled = True
            end_all(act, user.id)
            act.log("user.disable", user.id, why="no-role")
        return user
    if (user.role, user.teams) != (claimed.role, list(claimed.teams)):
        user.role, user.teams = checked_role(claimed.role), checked_teams(claimed.teams)
        end_all(act, user.id)
        act.log("user.change", user.id, role=user.role, teams=",".join(user.teams), why="claims")
    user.name = checked_name(claimed.name)
    user.reference = claimed.reference or user.reference
    return user


def _first_meeting(act: Act, claimed: Claimed) -> User:
    digest = hashlib.sha256(f"{claimed.issuer}\n{claimed.subject}".encode()).hexdigest()
    user = User(
        id=new_id(),
        login=f"oidc:{digest[:16]}",  # no local login holds a colon
        name=checked_name(claimed.name),
        role=checked_role(claimed.role or "auditor"),
        teams=checked_teams(claimed.teams),
        reference=claimed.reference,
        issuer=claimed.issuer,
        subject=claimed.subject,
        disabled=claimed.role is None,
        created=act.now,
    )
    act.session.add(user)
    act.session.flush()
    act.log("user.meet", user.id, role=claimed.role or "none")
    return user
