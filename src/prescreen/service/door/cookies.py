"""Cookies and form tokens: their names, their attributes, the one constant-time comparison. Knows no role.

Staff and patients have cookies of their own, so that a nurse who tries the patient's pages stays a nurse. All are
HttpOnly and SameSite=Lax: Strict would lose the session on the way back from the identity provider and on a link
out of the record; forms carry a token besides. `__Host-` and Secure always, except with plain HTTP on loopback.
"""

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from prescreen.errors import GuardError
from prescreen.store.keys import Keys

STAFF: Final = "staff"
VISIT: Final = "visit"
FORM: Final = "form"
DEVICE: Final = "device"
PENDING: Final = "oidc"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FIELD: Final = "csrf"
HEADER: Final = "x-csrf-token"
_YEAR_S: Final = 365 * 86400


class FormToken(NamedTuple):
    """The token of a form shown before anyone has signed in, tied to a cookie: call `put` on the response."""

    value: str
    nonce: str
    plain: bool

    def put(self, response: Response) -> Response:
        put_cookie(response, FORM, self.nonce, plain=self.plain)
        return response


def put_cookie(response: Response, name: str, value: str, *, plain: bool, max_age: int | None = None) -> None:
    """Set a cookie; without `max_age` it goes with the browser's window."""
    response.set_cookie(
        _full(name, plain), value, max_age=max_age, path="/", secure=not plain, httponly=True, samesite="lax"
    )


def put_device(response: Response, mark: str, *, plain: bool) -> None:
    """Remember that this browser has signed a login in."""
    put_cookie(response, DEVICE, mark, plain=plain, max_age=_YEAR_S)


def drop_cookie(response: Response, name: str, *, plain: bool) -> None:
    response.delete_cookie(_full(name, plain), path="/", secure=not plain, httponly=True, samesite="lax")


def read_cookie(request: Request, name: str, *, plain: bool) -> str:
    return request.cookies.get(_full(name, plain), "")[:4096]


def make_form_token(request: Request, keys: Keys, *, plain: bool) -> FormToken:
    """The token for a public form; a browser keeps its nonce, so that two tabs both work."""
    nonce = read_cookie(request, FORM, plain=plain)
    if len(nonce) != 43 or not nonce.isascii():
        nonce = secrets.token_urlsafe(32)
    return FormToken(keys.look("form", nonce).hex(), nonce, plain)


def is_form_token(request: Request, keys: Keys, told: str, *, plain: bool) -> bool:
    nonce = read_cookie(request, FORM, plain=plain)
    return bool(nonce) and is_same(keys.look("form", nonce).hex(), told)


def is_same(right: str, told: str) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(right.encode(), told.encode("utf-8", "replace"))


def seal_value(keys: Keys, place: str, value: dict[str, Any]) -> str:
    """A value only we can read or make, for a cookie or a hidden field; `place` ties it to its use."""
    return urlsafe_b64encode(keys.seal_own(place, json.dumps(value))).decode()


def open_value(keys: Keys, place: str, told: str) -> dict[str, Any] | None:
    """What was sealed, None where it is not ours."""
    try:
        value = json.loads(keys.open_own(place, urlsafe_b64decode(told.encode("ascii"))))
    except (ValueError, GuardError):
        return None
    return value if isinstance(value, dict) else None


def _full(name: str, plain: bool) -> str:
    return name if plain else f"__Host-{name}"
