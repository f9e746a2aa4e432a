"""The door: sign in by password and code or at the identity provider, and sign out. Knows pages."""

import contextlib
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from prescreen.errors import PrescreenError, RefusedError
from prescreen.service.door import cookies
from prescreen.service.door.identity import (
    NOBODY,
    Csrf,
    CurrentUser,
    Doors,
    doors_of,
    limits_of,
    peek_staff,
    safe_next,
    store_of,
)
from prescreen.service.door.oidc import LASTS_S, OidcClient, Pending, read_pending
from prescreen.service.door.refusal import count_wait, tell_refusal
from prescreen.service.door.roles import HOME
from prescreen.store import sign_in as door
from prescreen.store.claimed import Claimed, meet_claimed
from prescreen.store.once import use_once
from prescreen.store.sessions import Begun, name_of, rotate

WHY = {
    "ended": "You were signed out because nobody used this page for a while. Sign in again to go on.",
    "out": "You are signed out.",
    "provider": "Signing in at your organisation did not work. Try again; if it happens again, tell your admin.",
    "account": "Your account may not be used here. Ask your admin.",
}
_PLACE = "oidc|pending"


def make_router() -> APIRouter:
    """The routes of the door."""
    router = APIRouter()
    router.add_api_route("/sign-in", show, methods=["GET"], name="sign-in")
    router.add_api_route("/sign-in", take, methods=["POST"], name="sign-in-post")
    router.add_api_route("/oidc/start", start, methods=["GET"], name="oidc-start")
    router.add_api_route("/oidc/back", back, methods=["GET"], name="oidc-back")
    router.add_api_route("/sign-out", leave, methods=["POST"], name="sign-out")
    return router


def show(request: Request, csrf: Csrf, next: str = "", why: str = "") -> Response:
    return _page(request, csrf, next=safe_next(next), told=WHY.get(why, ""))


def take(
    request: Request,
    csrf: Csrf,
    login: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",
) -> Response:
    doors, store = doors_of(request), store_of(request)
    if not doors.settings.local_users:
        raise HTTPException(404)
    marks = cookies.read_cookie(request, cookies.DEVICE, plain=doors.plain)
    told = door.Try(
        login=login,
        password=password,
        code=code,
        address=request.client.host if request.client else "",
        device=door.find_device(store.keys, login, marks),
        old_session=_old_session(request, doors),
    )
    answer = door.sign_in(store, told, limits_of(doors.settings)[0])
    where = safe_next(next)
    if answer.begun is None or answer.user is None:
        return _refused(request, csrf, answer, where)
    response = _welcome(request, answer.begun, answer.user.role, where)
    cookies.put_device(response, door.add_device(store.keys, answer.user.login, marks), plain=doors.plain)
    return response


def start(request: Request, next: str = "", step: bool = False) -> Response:
    """To the identity provider. `step` has somebody who is signed in already show it once more."""
    doors, store = doors_of(request), store_of(request)
    client = _client(doors)
    user = peek_staff(request).user if step else None
    pending = Pending(next=safe_next(next), step_of=user.id if user else "", began=store.clock().timestamp())
    try:
        where = client.start(pending)
    except PrescreenError:
        return _turned_back(request, "provider")
    response = RedirectResponse(where, 303, headers={"Cache-Control": "no-store"})
    value = cookies.seal_value(store.keys, _PLACE, pending.model_dump())
    cookies.put_cookie(response, cookies.PENDING, value, plain=doors.plain, max_age=LASTS_S)
    return response


def back(request: Request) -> Response:
    """From the identity provider: each sign-in comes back once, to the browser that began it."""
    doors, store = doors_of(request), store_of(request)
    client = _client(doors)
    sealed = cookies.read_cookie(request, cookies.PENDING, plain=doors.plain)
    pending = read_pending(cookies.open_value(store.keys, _PLACE, sealed))
    try:
        if pending is None:
            raise RefusedError("no-pending")
        claimed = _finish(request, client, pending)
    except PrescreenError as error:
        why = str(error) if isinstance(error, RefusedError) else "set-up"
        with store.act(NOBODY) as act:
            act.log("sign-in", "", "refused", why=why, by="oidc")
        return _turned_back(request, "provider")
    return _come_in(request, doors, pending, claimed)


def leave(request: Request, caller: CurrentUser) -> Response:
    doors = doors_of(request)
    assert caller.session is not None and caller.user is not None
    door.sign_out(store_of(request), caller.session, caller.who)
    where = str(request.app.url_path_for("sign-in"))
    target = f"{where}?why=out"
    if caller.user.issuer is not None and doors.oidc is not None:
        with contextlib.suppress(PrescreenError):  # signed out here all the same, if it cannot be reached
            target = doors.oidc.end_address(where) or target
    response = RedirectResponse(target, 303, headers={"Cache-Control": "no-store"})
    cookies.drop_cookie(response, cookies.STAFF, plain=doors.plain)
    return response


def _finish(request: Request, client: OidcClient, pending: Pending) -> Claimed:
    store = store_of(request)
    with store.act(NOBODY) as act:
        if not use_once(
            act, "oidc-state", pending.state, act.now + 2 * limits_of(doors_of(request).settings)[0].idle
        ):
            raise RefusedError("used")
    return client.finish(pending, request.query_params, store.clock().timestamp())


def _come_in(request: Request, doors: Doors, pending: Pending, claimed: Claimed) -> Response:
    store = store_of(request)
    caller = peek_staff(request) if pending.step_of else None
    with store.act(NOBODY) as act:
        user = meet_claimed(act, claimed)
        if caller is None:
            limits, old = limits_of(doors.settings)[0], _old_session(request, doors)
            begun = door.sign_in_claimed(act, user, limits, claimed.shown, old)
        elif caller.session is None or user.disabled or not user.id == pending.step_of == caller.who.id:
            act.log("session.prove", pending.step_of, "refused", why="other-person", by="oidc")
            begun = None
        else:
            begun = rotate(act, caller.session.id, proved=True)
            act.log("session.prove", user.id, by="oidc")
    if begun is None:
        return _turned_back(request, "account")
    response = _welcome(request, begun, user.role, pending.next)
    cookies.drop_cookie(response, cookies.PENDING, plain=doors.plain)
    return response


def _welcome(request: Request, begun: Begun, role: str, where: str) -> Response:
    doors = doors_of(request)
    target = where or str(request.app.url_path_for(HOME[role]))
    response = RedirectResponse(target, 303, headers={"Cache-Control": "no-store"})
    cookies.put_cookie(response, cookies.STAFF, begun.token, plain=doors.plain)
    return response


def _turned_back(request: Request, why: str) -> Response:
    doors = doors_of(request)
    target = f"{request.app.url_path_for('sign-in')}?why={quote(why)}"
    response = RedirectResponse(target, 303, headers={"Cache-Control": "no-store"})
    cookies.drop_cookie(response, cookies.PENDING, plain=doors.plain)
    return response


def _refused(request: Request, csrf: cookies.FormToken, answer: door.Answer, where: str) -> Response:
    told, seconds = tell_refusal(answer, "Login, password or code is not right. Try again."), count_wait(answer)
    response = _page(request, csrf, next=where, fault=told)
    response.status_code = 429 if seconds else 401
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


def _page(request: Request, csrf: cookies.FormToken, *, next: str, told: str = "", fault: str = "") -> Response:
    settings = doors_of(request).settings
    response: Response = request.app.state.house.render(
        request,
        "sign_in.html",
        csrf=csrf.value,
        next=next,
        told=told,
        fault=fault,
        local=settings.local_users,
        oidc=settings.oidc is not None,
    )
    response.headers["Cache-Control"] = "no-store"
    return csrf.put(response)


def _client(doors: Doors) -> OidcClient:
    if doors.oidc is None:
        raise HTTPException(404)
    return doors.oidc


def _old_session(request: Request, doors: Doors) -> str:
    token = cookies.read_cookie(request, cookies.STAFF, plain=doors.plain)
    return name_of(token) if token else ""
