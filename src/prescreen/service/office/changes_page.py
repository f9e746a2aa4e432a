"""Changes of signals that a clinic accepted, and the form by which a physician accepts one. Judges nothing."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from prescreen.errors import PrescreenError
from prescreen.monitor import accepted
from prescreen.monitor.sheet import name_iso, parse_week
from prescreen.monitor.signals import load_signals
from prescreen.service.door.identity import CurrentUser, store_of
from prescreen.service.door.roles import roles_of
from prescreen.service.house import house_of
from prescreen.store.glimpse import name_users


def make_router() -> APIRouter:
    """The routes of accepted changes."""
    router = APIRouter()
    router.add_api_route("/sheet/changes", show_changes, methods=["GET"], name="changes")
    router.add_api_route("/sheet/changes", accept, methods=["POST"], name="change-accept")
    return router


def show_changes(request: Request, caller: CurrentUser) -> Response:
    """What was accepted, the latest first; the form for whoever may use it."""
    return _show(request, caller)


def accept(
    request: Request,
    caller: CurrentUser,
    signal: Annotated[str, Form()] = "",
    week: Annotated[str, Form()] = "",
    why: Annotated[str, Form()] = "",
) -> Response:
    """From that week on the signal is judged anew, in the name of whoever asks for it."""
    store = store_of(request)
    try:
        with store.act(caller.who) as act:
            accepted.accept(act, signal[:64], parse_week(week, store.clock().date()), why)
    except PrescreenError as error:
        return _show(request, caller, fault=error.sentence, filled={"signal": signal, "week": week, "why": why})
    return RedirectResponse("/sheet/changes", 303)


def _show(
    request: Request, caller: CurrentUser, *, fault: str = "", filled: dict[str, str] | None = None
) -> Response:
    house, store = house_of(request), store_of(request)
    signals = load_signals()
    with store.look(caller.who) as act:
        found, names = accepted.read_accepted(act), name_users(act)
    return house.render(
        request,
        "admin/changes.html",
        422 if fault else 200,
        accepted=[(one, name_iso(one.since), names.get(one.by, one.by)) for one in reversed(found)],
        signals=signals,
        titles={signal.name: signal.title for signal in signals},
        least=accepted.LEAST,
        most=accepted.MOST,
        may=caller.who.role in roles_of("change-accept"),
        fault=fault,
        filled=filled or {"signal": "", "week": name_iso(parse_week("", store.clock().date())), "why": ""},
    )
