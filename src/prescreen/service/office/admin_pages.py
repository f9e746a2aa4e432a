"""The admin's pages: people, the way to the record, the state of the system. No chart, no word of a patient."""

import importlib.metadata
from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from prescreen.errors import PrescreenError, RefusedError
from prescreen.service.door.identity import CurrentUser, store_of
from prescreen.service.engine.calling import Fault
from prescreen.service.house import house_of
from prescreen.store.accounts import ROLES, add_user, change_user, disable_user, enable_user, list_users, reset_user
from prescreen.store.outbox import count_states, list_rows, send_again
from prescreen.store.queue import count_queue

COUNTS: Final = {
    "drafts": "Drafts asked for",
    "drafted": "Drafts by the model",
    "by_rules": "Drafts by the rules alone",
    "schema_failures": "Answers that were no report, asked for once more",
    "repaired": "Reports on being asked once more",
    "repair_failed": "No report on being asked once more",
    "asked": "Questions asked for",
    "answered": "Questions by the model",
    "ask_unreadable": "Questions that could not be used",
}


def make_router() -> APIRouter:
    """The routes of the admin's pages."""
    router = APIRouter()
    router.add_api_route("/admin/people", show_people, methods=["GET"], name="users")
    router.add_api_route("/admin/people/add", add, methods=["POST"], name="user-add")
    router.add_api_route("/admin/people/change", change, methods=["POST"], name="user-change")
    router.add_api_route("/admin/record", show_record, methods=["GET"], name="outbox")
    router.add_api_route("/admin/record/again", again, methods=["POST"], name="outbox-again")
    router.add_api_route("/admin/system", show_system, methods=["GET"], name="system")
    return router


def show_people(request: Request, caller: CurrentUser) -> Response:
    return _people(request, caller)


def add(
    request: Request,
    caller: CurrentUser,
    login: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
    teams: Annotated[list[str] | None, Form()] = None,
    reference: Annotated[str, Form()] = "",
) -> Response:
    """A new account; its first password is shown once, on the page that answers."""
    known = [team for team in teams or () if team in house_of(request).settings.clinic.teams]
    named = reference.strip()[:160] or None
    try:
        with store_of(request).act(caller.who) as act:
            made = add_user(act, login, name=name, role=role, teams=known, reference=named)
    except PrescreenError as error:
        return _people(request, caller, fault=error.sentence)
    return _people(request, caller, login=made.user.login, password=made.password)


def change(
    request: Request,
    caller: CurrentUser,
    user: Annotated[str, Form()] = "",
    what: Annotated[str, Form()] = "",
    teams: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Disable, enable, give a new password, set the teams."""
    if user == caller.who.id and what != "teams":
        return _people(request, caller, fault="ask another admin to change your own account")
    try:
        with store_of(request).act(caller.who) as act:
            match what:
                case "disable":
                    disable_user(act, user)
                case "enable":
                    enable_user(act, user)
                case "teams":
                    known = [team for team in teams or () if team in house_of(request).settings.clinic.teams]
                    change_user(act, user, teams=known)
                case "reset":
                    made = reset_user(act, user)
                    return _people(request, caller, login=made.user.login, password=made.password)
                case _:
                    raise RefusedError("choose what to change")
    except PrescreenError as error:
        return _people(request, caller, fault=error.sentence)
    return RedirectResponse("/admin/people", 303)


def show_record(request: Request, caller: CurrentUser) -> Response:
    """What is on its way to the record, what was given up, and why."""
    with store_of(request).look(caller.who) as act:
        return house_of(request).render(
            request, "admin/record.html", counts=count_states(act), rows=list_rows(act, ("dead", "waiting"))
        )


def again(request: Request, caller: CurrentUser, row: Annotated[str, Form()] = "") -> Response:
    with store_of(request).act(caller.who) as act:
        send_again(act, row[:64])
    return RedirectResponse("/admin/record", 303)


def show_system(request: Request, caller: CurrentUser) -> Response:
    """What serves, what waits, which versions and keys: what an admin is asked on the phone."""
    house = house_of(request)
    with house.store.look(caller.who) as act:
        facts = {
            "Drafts by": house.label.name if house.label else "the red-flag rules alone",
            "Why": house.why or "a model serves",
            "Model's version": house.label.version if house.label else "–",
            "Waiting for a nurse": count_queue(act, house.settings.clinic.teams),
            "On the way to the record": count_states(act).get("waiting", 0),
            "Given up": count_states(act).get("dead", 0),
            "Ways to the record": ", ".join(f"{way.name} ({way.kind})" for way in house.settings.record) or "none",
            "Clinic key": f"version {house.store.keys.version}",
            "prescreen": importlib.metadata.version("prescreen"),
        }
    tally = tell_counts(house.engine.tally.snapshot()) if house.engine else {}
    return house.render(request, "admin/system.html", facts=facts, tally=tally)


def tell_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """What a model was asked since the service started, in words, drafts first; a fault by what a nurse is told."""
    faults = {
        f"{lane}_{fault.name.lower()}": f"{none}, {fault.value}"
        for lane, none in (("draft", "No draft"), ("ask", "No question"))
        for fault in Fault
    }
    return {said: counts[name] for name, said in {**COUNTS, **faults}.items() if name in counts}


def _people(
    request: Request, caller: CurrentUser, *, fault: str = "", login: str = "", password: str = ""
) -> Response:
    house = house_of(request)
    with house.store.look(caller.who) as act:
        people = list_users(act)
    return house.render(
        request,
        "admin/people.html",
        422 if fault else 200,
        people=people,
        roles=ROLES,
        fault=fault,
        login=login,
        password=password,
        own=caller.who.id,
    )
