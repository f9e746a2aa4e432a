"""Who one is, shown once more before something grave; and the session's new token after it. Knows no page."""

import datetime
from typing import NamedTuple

from fastapi import Request
from starlette.responses import Response

from prescreen.service.door import cookies
from prescreen.service.door.identity import Caller, doors_of, store_of
from prescreen.service.door.refusal import tell_refusal
from prescreen.store.glass import is_fresh
from prescreen.store.sign_in import prove


class Asked(NamedTuple):
    """What a form asks of a person, so that they show who they are."""

    password: bool
    code: bool


class Proof(NamedTuple):
    """When it was shown; a new token for the browser where that was now, and a sentence where it was refused."""

    at: datetime.datetime | None
    token: str = ""
    refusal: str = ""


def ask_proof(request: Request, caller: Caller, *, always: bool = False) -> Asked:
    """Nothing is asked of who showed it a moment ago, unless it is `always` asked."""
    assert caller.user is not None
    asks = caller.user.issuer is None and (always or not is_fresh(caller.proved, store_of(request).clock()))
    return Asked(asks, asks and caller.user.totp is not None)


def prove_again(request: Request, caller: Caller, password: str, code: str) -> Proof:
    """Nothing is asked of who showed it a moment ago."""
    store = store_of(request)
    assert caller.user is not None and caller.session is not None
    if is_fresh(caller.proved, store.clock()):
        return Proof(caller.proved)
    answer = prove(store, caller.user, caller.session.id, password, code)
    if answer.begun is None:
        return Proof(None, refusal=tell_refusal(answer))
    return Proof(answer.begun.session.proved, answer.begun.token)


def with_token(request: Request, response: Response, token: str) -> Response:
    """The response, which gives the browser its session's new token where there is one."""
    if token:
        cookies.put_cookie(response, cookies.STAFF, token, plain=doors_of(request).plain)
    return response
