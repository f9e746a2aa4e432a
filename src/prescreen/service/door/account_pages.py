"""One's own account: password and authenticator app. Who changes either shows first who they are."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from prescreen.errors import RefusedError
from prescreen.service.door import cookies
from prescreen.service.door.identity import Caller, CurrentUser, doors_of, store_of
from prescreen.service.door.proof import ask_proof, prove_again, with_token
from prescreen.store import sign_in as door
from prescreen.store.accounts import check_own
from prescreen.store.passwords import draw_secret, secret_address

_SETUP_S = 900
ELSEWHERE = "Change your password or second factor where you sign in: at your organisation."


def make_router() -> APIRouter:
    """The routes of one's own account."""
    router = APIRouter()
    router.add_api_route("/account", show, methods=["GET"], name="account")
    router.add_api_route("/account/password", change_password, methods=["POST"], name="account-password")
    router.add_api_route("/account/totp", set_totp, methods=["POST"], name="account-totp")
    return router


def show(request: Request, caller: CurrentUser, done: str = "") -> Response:
    told = {"password": "Your new password is kept.", "totp": "Your authenticator app is set up."}.get(done, "")
    return _page(request, caller, told=told)


def change_password(
    request: Request,
    caller: CurrentUser,
    password: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    assert caller.user is not None
    if caller.user.issuer is not None:
        return _page(request, caller, fault=ELSEWHERE)
    fault = _fault_of(caller, password, new, again)
    if fault:
        return _page(request, caller, fault=fault)
    proof = prove_again(request, caller, password, code, always=True)
    if proof.refusal:
        return _page(request, caller, fault=proof.refusal)
    door.change_password(store_of(request), caller.user, proof.session.id, new)
    return _done(request, proof.token, "password")


def set_totp(
    request: Request,
    caller: CurrentUser,
    pending: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    old_code: Annotated[str, Form()] = "",
) -> Response:
    assert caller.user is not None
    store, user = store_of(request), caller.user
    if user.issuer is not None:
        return _page(request, caller, fault=ELSEWHERE)
    value = cookies.open_value(store.keys, f"totp|{user.id}", pending)
    if value is None or not 0 <= store.clock().timestamp() - value["at"] <= _SETUP_S:
        return _page(request, caller, fault="This set-up is too old. Scan the new picture.")
    proof = prove_again(request, caller, password, old_code, always=user.totp is not None)
    if proof.refusal:
        return _page(request, caller, fault=proof.refusal, secret=value["secret"])
    if not door.enrol_totp(store, user, proof.session.id, value["secret"], code):
        fault = "The code of the app is not right. Check the clock of your phone and try the next code."
        page = _page(request, proof.caller, fault=fault, secret=value["secret"])
        return with_token(request, page, proof.token)
    return _done(request, proof.token, "totp")


def _fault_of(caller: Caller, password: str, new: str, again: str) -> str:
    if new != again:
        return "The two new passwords are not the same."
    if new == password:
        return "Choose a new password, not the old one."
    assert caller.user is not None
    try:
        check_own(caller.user, new)
    except RefusedError as error:
        return error.sentence
    return ""


def _done(request: Request, token: str, what: str) -> Response:
    where = f"{request.app.url_path_for('account')}?done={what}"
    return with_token(request, RedirectResponse(where, 303, headers={"Cache-Control": "no-store"}), token)


def _page(request: Request, caller: Caller, *, told: str = "", fault: str = "", secret: str = "") -> Response:
    import segno

    assert caller.user is not None and caller.session is not None
    store, user = store_of(request), caller.user
    secret = secret or draw_secret()
    address = secret_address(secret, user.login, doors_of(request).clinic)
    sealed = {"secret": secret, "at": store.clock().timestamp()}
    response: Response = request.app.state.house.render(
        request,
        "account.html",
        csrf=caller.csrf,
        user=user,
        unfinished=caller.unfinished,
        told=told,
        fault=fault,
        asked=ask_proof(request, caller, always=True),
        asked_app=ask_proof(request, caller, always=user.totp is not None),
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        picture=segno.make(address).svg_data_uri(scale=4, border=4, light="#fff"),
        pending=cookies.seal_value(store.keys, f"totp|{user.id}", sealed),
    )
    response.headers["Cache-Control"] = "no-store"
    if fault:
        response.status_code = 422
    return response
