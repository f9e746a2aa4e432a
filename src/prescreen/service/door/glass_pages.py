"""Breaking the glass: a visit of another team for half an hour, with a reason and a fresh proof. Knows no chart."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from prescreen.errors import PrescreenError
from prescreen.service.door.identity import CurrentUser, store_of
from prescreen.service.door.proof import ask_proof, prove_again, with_token
from prescreen.service.house import house_of
from prescreen.store.glass import REASON_LEAST, break_glass


def make_router() -> APIRouter:
    """The two routes."""
    router = APIRouter()
    router.add_api_route("/glass/{visit_id}", show, methods=["GET"], name="glass")
    router.add_api_route("/glass/{visit_id}", take, methods=["POST"], name="glass-post")
    return router


def show(request: Request, caller: CurrentUser, visit_id: str) -> Response:
    return _page(request, caller, visit_id)


def take(
    request: Request,
    caller: CurrentUser,
    visit_id: str,
    reason: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
) -> Response:
    """Show who one is where that was a while ago, then open the visit."""
    proof = prove_again(request, caller, password, code)
    if proof.refusal:
        return _page(request, caller, visit_id, proof.refusal, reason)
    caller = proof.caller
    try:
        with store_of(request).act(caller.who) as act:
            break_glass(act, visit_id[:64], reason, caller.proved)
        response: Response = RedirectResponse(f"/visits/{visit_id[:64]}", 303)
    except PrescreenError as error:
        response = _page(request, caller, visit_id, error.sentence, reason)
    return with_token(request, response, proof.token)


def _page(request: Request, caller: CurrentUser, visit_id: str, fault: str = "", reason: str = "") -> Response:
    return house_of(request).render(
        request,
        "glass.html",
        422 if fault else 200,
        visit_id=visit_id[:64],
        fault=fault,
        reason=reason[:500],
        least=REASON_LEAST,
        asked=ask_proof(request, caller),
    )
