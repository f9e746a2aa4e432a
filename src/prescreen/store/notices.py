"""Small things a nurse's room needs beside charts: hand-over notes, colleagues, invitations. Knows no page."""

import datetime
from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import select

from prescreen.clinic.signed import PatientLink
from prescreen.errors import RefusedError
from prescreen.store.base import Act, new_id
from prescreen.store.holding import SIGNERS
from prescreen.store.passes import give_code
from prescreen.store.people import Notice, User
from prescreen.store.tables import Visit
from prescreen.store.visits import open_visit

LONGEST: Final = 2_000
INVITED_FOR: Final = datetime.timedelta(days=3)
SHOWN_FOR: Final = datetime.timedelta(days=2)


class Note(NamedTuple):
    """A hand-over note, opened."""

    at: datetime.datetime
    author: str
    team: str
    body: str


class Invitation(NamedTuple):
    """A visit that waits for its patient; the code is told this once."""

    visit: Visit
    code: str
    ends: datetime.datetime


def post_notice(act: Act, team: str, body: str) -> Notice:
    """Leave a note for the next shift of a team."""
    told = body.strip()
    if not 1 <= len(told) <= LONGEST:
        raise RefusedError(f"write a note of at most {LONGEST} characters")
    notice = Notice(id=new_id(), team=team, at=act.now, author=act.who.id, body=b"")
    notice.body = act.keys.seal_own(f"notices|body|{notice.id}", told)
    act.session.add(notice)
    act.session.flush()
    act.log("handover.note", notice.id, team=team)
    return notice


def read_notices(act: Act, teams: Collection[str], limit: int = 50) -> list[Note]:
    """The notes of these teams of the last days, newest first."""
    query = (
        select(Notice, User.name)
        .join(User, User.id == Notice.author)
        .where(Notice.team.in_(teams), Notice.at >= act.now - SHOWN_FOR)
        .order_by(Notice.at.desc())
        .limit(limit)
    )
    return [
        Note(notice.at, name, notice.team, act.keys.open_own(f"notices|body|{notice.id}", notice.body))
        for notice, name in act.session.execute(query)
    ]


def list_colleagues(act: Act, team: str) -> list[User]:
    """Who may take a visit of this team."""
    query = select(User).where(User.disabled.is_(False), User.role.in_(SIGNERS)).order_by(User.name)
    return [user for user in act.session.scalars(query) if team in user.teams]


def invite(act: Act, *, team: str, language: str, link: PatientLink) -> Invitation:
    """Open a visit for an expected patient and draw the code that opens it to them."""
    visit = open_visit(act, team=team, language=language, channel="invite", link=link)
    return Invitation(visit, give_code(act, visit.id, "invite", INVITED_FOR), act.now + INVITED_FOR)
