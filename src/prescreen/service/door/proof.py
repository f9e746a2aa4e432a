"""Who one is, shown once more before something grave; and the session's new token after it. Knows no page.

It counts for five minutes and for the session in which it was shown. Who signs in with an organisation has no
password here and shows it there.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from fastapi import Request
from starlette.responses import Response

from prescreen.service.door import cookies
from prescreen.service.door.identity import Caller, doors_of, store_of
from prescreen.service.door.refusal import tell_refusal
from prescreen.store.glass import is_fresh
from prescreen.store.people import Session
from prescreen.store.sign_in import prove

ELSEWHERE: Final = "Nothing was done, for you signed in at your organisation more than five minutes ago."


class Asked(NamedTuple):
    """What a page asks of a person, so that they show who they are; `elsewhere`: at their organisation."""

    password: bool
    code: bool
    elsewhere: bool


class Proof(NamedTuple):
    """Who goes on, a new token for their browser where they showed it now, a sentence where it was refused."""

    caller: Caller
    token: str = ""
    refusal: str = ""

    @property
    def session(self) -> Session:
        """The session that goes on."""
        assert self.caller.session is not None
        return self.caller.session


def ask_proof(request: Request, caller: Caller, *, always: bool = False) -> Asked:
    """Nothing is asked of who showed it a moment ago, unless it is `always` asked."""
    assert caller.user is not None
    asks = always or not _is_proved(request, caller)
    here = asks and caller.user.issuer is None
    return Asked(here, here and caller.user.totp is not None, asks and not here)


def prove_again(request: Request, caller: Caller, password: str, code: str, *, always: bool = False) -> Proof:
    """What a page asks, shown. The page that answers is given to the session that goes on."""
    assert caller.user is not None and caller.session is not None
    if not always and _is_proved(request, caller):
        return Proof(caller)
    if caller.user.issuer is not None:
        return Proof(caller, refusal=ELSEWHERE)
    answer = prove(store_of(request), caller.user, caller.session.id, password, code)
    if answer.begun is None:
        return Proof(caller, refusal=tell_refusal(answer))
    session, token = answer.begun
    request.state.caller = replace(caller, csrf=session.csrf, session=session)
    return Proof(request.state.caller, token)


def with_token(request: Request, response: Response, token: str) -> Response:
    """The response, which gives the browser its session's new token where there is one."""
    if token:
        cookies.put_cookie(response, cookies.STAFF, token, plain=doors_of(request).plain)
    return response


def _is_proved(request: Request, caller: Caller) -> bool:
    return is_fresh(caller.proved, store_of(request).clock())
