"""The weekly sheet as a page: codes, numbers and links, for admin and physician. Judges nothing itself."""

import base64
import hashlib
import re
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from prescreen.errors import InputError
from prescreen.monitor.sheet import draw_up, name_iso, parse_week
from prescreen.service.door.identity import CurrentUser, store_of
from prescreen.service.house import house_of
from prescreen.service.message import show_message

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_NOTHING_ELSE = "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
Wished = Annotated[str, Query(max_length=8)]


def make_router() -> APIRouter:
    """The route of the sheet."""
    router = APIRouter()
    router.add_api_route("/sheet", show_sheet, methods=["GET"], name="sheet")
    return router


def show_sheet(request: Request, caller: CurrentUser, week: Wished = "") -> Response:
    """The sheet of a week, by default of the last whole one."""
    house, store = house_of(request), store_of(request)
    try:
        start = parse_week(week, store.clock().date())
    except InputError as error:
        return show_message(request, 422, error.sentence)
    with store.look(caller.who) as act:
        web, name = house.settings.web, house.settings.clinic.name
        page = draw_up(act, start, clinic=name, base_url=web.base_url)
    with store.act(caller.who) as act:
        act.log("sheet.read", "", week=name_iso(start))
    return HTMLResponse(page, headers={"content-security-policy": allow_style(page)})


def allow_style(page: str) -> str:
    """A policy that allows the page's own style, by its hash, and nothing else."""
    found = _STYLE.search(page)
    assert found, "the sheet holds one style"
    mark = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{mark}'; {_NOTHING_ELSE}"
