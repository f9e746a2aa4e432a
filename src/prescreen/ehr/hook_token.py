"""The token by which a record system proves itself to the CDS Hooks service: a JWT, checked and used up.

Trusts only keys it is given for an issuer; an address in the token (`jku`) is never followed. Knows no web server.
"""

import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from prescreen.ehr.hooks import HookError

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
LEEWAY_S: Final = 60  # two clocks
LONGEST_S: Final = 300  # between iat and exp
LONGEST_TOKEN: Final = 8192
_JTI = re.compile(r"[\x21-\x7e]{1,128}")

Seen = Callable[[str, str, int], bool]


class HookCaller(NamedTuple):
    """Who called, after every check."""

    issuer: str
    jti: str
    tenant: str | None = None


class SeenTokens:
    """Remembers the ids of tokens until they have expired, in this process. Several processes need a table."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._until, self._lock = clock, dict[tuple[str, str], int](), threading.Lock()

    def __call__(self, issuer: str, jti: str, until: int) -> bool:
        """Whether it was seen before; it is seen from now on."""
        with self._lock:
            now = self._clock()
            self._until = {key: end for key, end in self._until.items() if end > now}
            before = (issuer, jti) in self._until
            self._until[issuer, jti] = until
            return before


def verify_hook_token(
    token: str,
    jwks: Mapping[str, Mapping[str, Any]],
    audience: str,
    issuers: Collection[str],
    seen_jti: Seen,
    now: float | None = None,
) -> HookCaller:
    """The caller, or HookError 401. `jwks` holds each issuer's own key set, so no issuer can speak for another.

    `audience` is this service's address as the record system calls it. `seen_jti(issuer, jti, until)` notes an id
    in one step and says whether it was there: the last check, so that only a valid token takes up room.
    """
    from joserfc import errors, jwt

    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise _refuse("it is no JWT")
    time_now = int(time.time() if now is None else now)
    header, unproven = _peek(token)
    issuer = unproven.get("iss")
    if not isinstance(issuer, str) or issuer not in issuers or issuer not in jwks:
        raise _refuse("its issuer is not known here")
    key = _find_key(jwks[issuer], header)
    try:
        claims = jwt.decode(token, key, algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            now=time_now,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        ).validate(claims)
    except (errors.JoseError, ValueError, TypeError):
        raise _refuse("its signature, audience or time is wrong") from None
    _check_window(claims, time_now)
    if not _JTI.fullmatch(claims["jti"]):
        raise _refuse("its jti is no plain id")
    if seen_jti(issuer, claims["jti"], int(claims["exp"]) + LEEWAY_S + 1):
        raise _refuse("it was used before")
    tenant = claims.get("tenant")
    return HookCaller(issuer, claims["jti"], tenant if isinstance(tenant, str) else None)


def _peek(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims before any proof: only to choose the key."""
    from joserfc.util import json_b64decode

    parts = token.split(".")
    try:
        header, claims = (json_b64decode(part.encode()) for part in parts[:2])
    except (ValueError, RecursionError):
        raise _refuse("it is no JWT") from None
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        raise _refuse("it is no JWT")
    return header, claims


def _find_key(key_set: Mapping[str, Any], header: Mapping[str, Any]) -> Any:
    """The one public key of the token's `kid`; a shared secret is never a key here."""
    from joserfc import errors, jwk

    kid, algorithm = header.get("kid"), header.get("alg")
    if algorithm not in ALGORITHMS:
        raise _refuse("its algorithm is not taken")
    found = [
        key
        for key in key_set.get("keys", ())
        if isinstance(kid, str)
        and key.get("kid") == kid
        and key.get("kty") in ("EC", "RSA")
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    ]
    if len(found) != 1:
        raise _refuse("its key is not known here")
    public = {name: value for name, value in found[0].items() if name not in ("d", "p", "q", "dp", "dq", "qi")}
    try:
        return jwk.import_key(public)
    except (errors.JoseError, ValueError, TypeError):
        raise _refuse("its key cannot be read") from None


def _check_window(claims: Mapping[str, Any], now: int) -> None:
    issued, expires = claims["iat"], claims["exp"]
    fresh = now - LONGEST_S - LEEWAY_S <= issued <= now + LEEWAY_S
    if not (fresh and issued <= expires <= issued + LONGEST_S):  # written so that NaN fails
        raise _refuse(f"it is not issued just now for at most {LONGEST_S} s")


def _refuse(reason: str) -> HookError:
    return HookError(f"the token is refused: {reason}", 401)
