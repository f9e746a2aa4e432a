"""Whose visit is it: asked once more at the object, for every route that opens one.

What is refused answers as if it were not there, and leaves a line. Knows no page.
"""

import re
from typing import Annotated, Final, Literal, NamedTuple

from fastapi import Depends, HTTPException, Request

from prescreen.service.door.identity import AnyCaller, Caller, store_of
from prescreen.service.door.roles import SIGNERS
from prescreen.store.base import Act, Store
from prescreen.store.glass import find_grant
from prescreen.store.people import User
from prescreen.store.tables import Visit

How = Literal["team", "assigned", "own", "glass"]
VISIT_ID: Final = re.compile(r"[0-9a-f]{32}")


class Opened(NamedTuple):
    """A visit this caller may open, and why; `glass` means a banner on every page of it."""

    visit_id: str
    how: How


def may_open(act: Act, caller: Caller, visit: Visit) -> How | None:
    """Why this caller may open this visit, None where they may not."""
    if caller.role == "patient":
        return "own" if caller.visit_id == visit.id else None
    user = act.session.get(User, caller.who.id, populate_existing=True)
    if user is None or user.disabled or user.role != caller.role or user.role not in SIGNERS:
        return None
    if visit.team in user.teams:
        return "team"
    if visit.assigned_to == user.id:
        return "assigned"
    return "glass" if find_grant(act, user.id, visit.id) is not None else None


def find_opened(store: Store, caller: Caller, visit_id: str) -> Opened | None:
    """The visit, where this caller may open it; a refusal leaves a line whether the visit exists or not."""
    known = VISIT_ID.fullmatch(visit_id) is not None
    with store.look(caller.who) as look:
        visit = look.session.get(Visit, visit_id) if known else None
        how = may_open(look, caller, visit) if visit is not None else None
    if how is not None:
        return Opened(visit_id, how)
    with store.act(caller.who) as act:
        act.log("visit.refused", visit_id if known else "", "refused")
    return None


def open_visit(request: Request, caller: AnyCaller, visit_id: str) -> Opened:
    """The dependency of every route with a `{visit_id}`."""
    opened = find_opened(store_of(request), caller, visit_id)
    if opened is None:
        raise HTTPException(404, "this is not here, or not yours to open")
    return opened


OpenVisit = Annotated[Opened, Depends(open_visit)]
