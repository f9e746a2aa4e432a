"""The auditor's pages: the log, one visit's lines, who broke the glass and why. No chart is opened from here."""

import re
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from prescreen.service.door.identity import CurrentUser, store_of
from prescreen.service.house import house_of
from prescreen.store.extract import read_page, read_visit
from prescreen.store.glass import look_at, read_grants
from prescreen.store.glimpse import name_users

PAGE = 100
Before = Annotated[int, Query(ge=0, lt=2**62)]
_ID = re.compile(r"[0-9a-f]{32}")


def make_router() -> APIRouter:
    """The routes of the auditor's pages."""
    router = APIRouter()
    router.add_api_route("/audit", show_log, methods=["GET"], name="audit")
    router.add_api_route("/audit/visits/{visit_id}", show_visit, methods=["GET"], name="audit-visit")
    router.add_api_route("/audit/glass", show_glass, methods=["GET"], name="grants")
    router.add_api_route("/audit/glass", judge, methods=["POST"], name="grant-look")
    return router


def show_log(
    request: Request, caller: CurrentUser, before: Before = 0, action: str = "", actor: str = ""
) -> Response:
    """The newest lines first; opening the log is a line as well."""
    wished = action[:64], actor[:64]
    with store_of(request).act(caller.who) as act:
        names = name_users(act)
        lines = read_page(act, before=before, action=wished[0], actor=wished[1], limit=PAGE)
        act.log("audit.read")
    more = lines[-1].number if len(lines) == PAGE else 0
    return house_of(request).render(
        request, "audit/log.html", lines=lines, names=names, more=more, action=wished[0], actor=wished[1], visit=""
    )


def show_visit(request: Request, caller: CurrentUser, visit_id: str) -> Response:
    """All that was done with one visit."""
    known = visit_id if _ID.fullmatch(visit_id) else ""
    with store_of(request).act(caller.who) as act:
        names = name_users(act)
        lines = read_visit(act, known)
        act.log("audit.read", known)
    return house_of(request).render(
        request, "audit/log.html", lines=lines, names=names, more=0, action="", actor="", visit=known
    )


def show_glass(request: Request, caller: CurrentUser) -> Response:
    with store_of(request).act(caller.who) as act:
        grants = read_grants(act)
        act.log("glass.read")
    return house_of(request).render(request, "audit/glass.html", grants=grants)


def judge(
    request: Request,
    caller: CurrentUser,
    grant: Annotated[str, Form()] = "",
    verdict: Annotated[str, Form()] = "",
) -> Response:
    with store_of(request).act(caller.who) as act:
        look_at(act, grant[:64], verdict)
    return RedirectResponse("/audit/glass", 303)
