"""The check of an ID token: signature, algorithm, issuer, audience, time, nonce, access token. Knows no network."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from prescreen.errors import RefusedError
from prescreen.service.door.identity_settings import OidcSettings

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

SKEW_S: Final = 60
Keys = Callable[[bool], "KeySet"]  # True: a key is unknown, ask again


def check_id_token(
    token: dict[str, Any], settings: OidcSettings, nonce: str, now: float, keys: Keys
) -> dict[str, Any]:
    """The claims of a good token; RefusedError names the check that failed, never what was in it."""
    text = token.get("id_token")
    if not isinstance(text, str):
        raise RefusedError("id_token")
    claims, algorithm = _verify(text, settings, keys)
    _check_claims(claims, settings, now)
    if not hmac.compare_digest(nonce.encode(), str(claims.get("nonce", "")).encode("utf-8", "replace")):
        raise RefusedError("nonce")
    if "at_hash" in claims and claims["at_hash"] != _half(str(token.get("access_token", "")), algorithm):
        raise RefusedError("at_hash")
    return claims


def _verify(text: str, settings: OidcSettings, keys: Keys) -> tuple[dict[str, Any], str]:
    from joserfc import jwt
    from joserfc.errors import JoseError

    for unknown in (False, True):  # a second time with fresh keys: the provider may have changed them
        try:
            read = jwt.decode(text, keys(unknown), algorithms=list(settings.algorithms))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return read.claims, str(read.header["alg"])
    raise RefusedError("signature")


def _check_claims(claims: dict[str, Any], settings: OidcSettings, now: float) -> None:
    from joserfc.errors import JoseError
    from joserfc.jwt import JWTClaimsRegistry

    essential = {"essential": True}
    registry = JWTClaimsRegistry(
        now=int(now),
        leeway=SKEW_S,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.client_id},
        sub=essential,  # type: ignore[arg-type]
        exp=essential,  # type: ignore[arg-type]
        iat=essential,  # type: ignore[arg-type]
    )
    try:
        registry.validate(claims)
    except JoseError:
        raise RefusedError("claims") from None
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else settings.client_id) != settings.client_id:
        raise RefusedError("azp")
    if not claims["sub"] or len(claims["sub"]) > 255:
        raise RefusedError("sub")


def _half(access: str, algorithm: str) -> str:
    """The left half of the hash of an access token, as at_hash holds it."""
    digest = hashlib.new(f"sha{algorithm[2:]}" if algorithm != "EdDSA" else "sha512", access.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
