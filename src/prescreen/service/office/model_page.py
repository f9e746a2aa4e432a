"""The drafting model: what drafts, what is on trial and on what evidence; two people sign it, one takes it back.

The console's `prescreen release` asks the same. A signature binds to what was shown. Judges
nothing.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from prescreen.errors import PrescreenError, RefusedError
from prescreen.monitor.advance import advance, read_contacts
from prescreen.monitor.board import read_board
from prescreen.monitor.life import approve, rollback, withdraw
from prescreen.monitor.registry import tell
from prescreen.monitor.shelf import SIGNING, Shelf
from prescreen.release import CURRENT
from prescreen.service.door.identity import Caller, CurrentUser, store_of
from prescreen.service.door.proof import ask_proof, prove_again, with_token
from prescreen.service.door.roles import roles_of
from prescreen.service.house import house_of
from prescreen.store.base import Who
from prescreen.store.glimpse import name_users

Typed = Annotated[str, Form()]
LAST: Final = 30  # lines of the ledger that are shown
LEAST, MOST = 8, 200  # characters of a reason


def make_router() -> APIRouter:
    """The routes of the drafting model."""
    router = APIRouter()
    router.add_api_route("/model", show_model, methods=["GET"], name="model")
    router.add_api_route("/model/sign", sign, methods=["POST"], name="model-sign")
    router.add_api_route("/model/end", end, methods=["POST"], name="model-end")
    router.add_api_route("/model/back", take_back, methods=["POST"], name="model-back")
    return router


def show_model(request: Request, caller: CurrentUser) -> Response:
    """What drafts, and the candidate with its evidence."""
    return _show(request, caller)


def sign(
    request: Request,
    caller: CurrentUser,
    key: Typed = "",
    password: Typed = "",
    code: Typed = "",
) -> Response:
    """A signature under exactly the candidate that was shown; the second one lets it draft."""
    return _do(request, caller, password, code, lambda shelf: put_signature(shelf, caller.who, key[:64]))


def take_back(
    request: Request,
    caller: CurrentUser,
    why: Typed = "",
    password: Typed = "",
    code: Typed = "",
) -> Response:
    """The release before drafts again, or the rules alone; one person may do that."""
    return _do(request, caller, password, code, lambda shelf: roll_back(shelf, caller.who, why), why)


def end(
    request: Request,
    caller: CurrentUser,
    why: Typed = "",
    password: Typed = "",
    code: Typed = "",
) -> Response:
    """The candidate's end, wherever it stands; what drafts goes on."""
    return _do(request, caller, password, code, lambda shelf: withdraw(shelf, caller.who, check_reason(why)), why)


def check_reason(why: str) -> str:
    """A reason that can stand in the ledger."""
    told = why.strip()
    if not LEAST <= len(told) <= MOST or not told.isprintable():
        raise RefusedError(f"write why in {LEAST} to {MOST} characters, without anybody's name")
    return told


def put_signature(shelf: Shelf, who: Who, key: str) -> None:
    """Sign, and take the candidate as far as it may go now."""
    approve(shelf, who, key)
    advance(shelf, read_contacts(shelf), who)


def roll_back(shelf: Shelf, who: Who, why: str) -> None:
    """Take back what drafts now."""
    if not (shelf.folder / CURRENT).exists():
        raise RefusedError("no release drafts; there is nothing to take back")
    rollback(shelf, who, check_reason(why))


def _do(
    request: Request, caller: Caller, password: str, code: str, act: Callable[[Shelf], object], why: str = ""
) -> Response:
    """Show who one is where that was a while ago, then act."""
    shelf, fault = house_of(request).shelf, ""
    if shelf is None:
        return _show(request, caller, "The settings name no release.", why)
    proof = prove_again(request, caller, password, code)
    if proof.refusal:
        return _show(request, caller, proof.refusal, why)
    try:
        act(shelf)
        with suppress(PrescreenError, OSError):  # the registry is told besides; what was done is done
            tell(shelf)
    except PrescreenError as error:
        fault = error.sentence
    except OSError:
        fault = "The folder of releases cannot be written from here; use `prescreen release` where it is kept."
    response = _show(request, proof.caller, fault, why) if fault else RedirectResponse("/model", 303)
    return with_token(request, response, proof.token)


def _show(request: Request, caller: Caller, fault: str = "", why: str = "") -> Response:
    house, store = house_of(request), store_of(request)
    board = read_board(house.shelf) if house.shelf is not None else None
    with store.look(caller.who) as act:
        names = name_users(act)
    signs = caller.who.role in roles_of("model-sign")
    return house.render(
        request,
        "admin/model.html",
        422 if fault else 200,
        board=board,
        label=house.label,
        engine_why=house.why,
        names=names,
        signing=SIGNING,
        lines=list(reversed(board.lines))[:LAST] if board else [],
        may_sign=signs and board is not None and board.may_be_signed(caller.who.role),
        may_end=signs and board is not None and bool(board.state.candidate),
        may_take_back=signs and board is not None and board.current is not None,
        fault=fault,
        why=why,
        least=LEAST,
        most=MOST,
        asked=ask_proof(request, caller),
    )
