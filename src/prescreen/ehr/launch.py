"""A launch out of the record system: the nurse opens the review from the chart, with patient and encounter.

Code flow with PKCE (S256), `state`, `aud` and the record's `launch`. Which records may launch us is a list; another
`iss` is refused before anything is asked of it. Knows no web: what must be kept between the two steps is a value
for the caller's session.
"""

import base64
import datetime
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from prescreen.config import Strict
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.codes import check_reference
from prescreen.ehr.smart import MAX_BYTES, SmartServer, Token, ask_token, discover
from prescreen.ehr.wire import check_address, fetch
from prescreen.errors import InputError

if TYPE_CHECKING:
    from httpx2 import Client

SCOPES = ("launch", "openid", "fhirUser", "patient/Patient.r", "patient/Encounter.r")
ALGORITHMS = ["RS256", "RS384", "ES256", "ES384"]
LEEWAY_S = 60


class LaunchSettings(Strict):
    """Who we are to the records that may launch us. `allowed` holds their base addresses."""

    client_id: str  # as the record system registered us
    redirect_uri: str  # `web.base_url` and /launch/back
    allowed: tuple[str, ...]  # base addresses of the FHIR servers that may launch
    scopes: tuple[str, ...] = SCOPES  # what is asked for at a launch


class Pending(Strict):
    """What the session keeps until the browser is back; it is secret and serves once."""

    iss: str
    state: str
    nonce: str
    verifier: str
    server: dict[str, Any]


class Launched(Strict):
    """Who opened what: references of the record, None where it did not say."""

    iss: str
    patient: str | None
    encounter: str | None
    user: str | None
    scope: str


class _Context(Token):
    patient: str | None = None
    encounter: str | None = None
    id_token: str | None = None


class _Claims(BaseModel):
    fhirUser: str | None = None


def check_issuer(iss: str, settings: LaunchSettings) -> str:
    """The record's base address, one of those allowed; InputError otherwise."""
    known = {check_address(base): base for base in settings.allowed}
    if iss.rstrip("/") not in known:
        raise InputError("this record system may not open the review; add its address to the allowed ones")
    return iss.rstrip("/")


def challenge(verifier: str) -> str:
    """PKCE S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def write_authorize_url(pending: Pending, launch: str, settings: LaunchSettings) -> str:
    """Where the browser goes."""
    server = SmartServer.model_validate(pending.server)
    if not server.authorization_endpoint:
        raise InputError("this record system has no authorization endpoint; it cannot launch the review")
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": settings.redirect_uri,
        "scope": " ".join(settings.scopes),
        "state": pending.state,
        "nonce": pending.nonce,
        "aud": pending.iss,
        "launch": launch,
        "code_challenge": challenge(pending.verifier),
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in server.authorization_endpoint else "?"
    return f"{server.authorization_endpoint}{joint}{urlencode(query)}"


def begin_launch(client: "Client", iss: str, launch: str, settings: LaunchSettings) -> tuple[Pending, str]:
    """What the session keeps, and where the browser goes."""
    base = check_issuer(iss, settings)
    if not 0 < len(launch) <= 512:
        raise InputError("the record system's launch parameter is missing or too long")
    server = discover(client, base)
    if "S256" not in server.code_challenge_methods_supported:
        raise InputError("this record system does not offer PKCE with S256; it may not launch the review")
    secret = [secrets.token_urlsafe(32) for _ in range(3)]
    pending = Pending(iss=base, state=secret[0], nonce=secret[1], verifier=secret[2], server=server.model_dump())
    return pending, write_authorize_url(pending, launch, settings)


def complete_launch(
    client: "Client", pending: Pending, state: str, code: str, settings: LaunchSettings, now: datetime.datetime
) -> Launched:
    """The context behind a code; InputError where the answer is not to our question."""
    if not hmac.compare_digest(state.encode(), pending.state.encode()):
        raise InputError("this answer belongs to another launch; open the review from the chart again")
    check_issuer(pending.iss, settings)
    server = SmartServer.model_validate(pending.server)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.redirect_uri,
        "client_id": settings.client_id,
        "code_verifier": pending.verifier,
    }
    try:
        context = _Context.model_validate(ask_token(client, server.token_endpoint, form))
    except ValidationError:
        raise DeliveryError("the record system gave no launch context", lasting=True) from None
    user = read_user(client, server, context.id_token, pending.nonce, settings, now) if context.id_token else None
    return Launched(
        iss=pending.iss,
        patient=check_reference(f"Patient/{context.patient}", "Patient") if context.patient else None,
        encounter=check_reference(f"Encounter/{context.encounter}", "Encounter") if context.encounter else None,
        user=user,
        scope=context.scope,
    )


def read_user(
    client: "Client",
    server: SmartServer,
    id_token: str,
    nonce: str,
    settings: LaunchSettings,
    now: datetime.datetime,
) -> str | None:
    """fhirUser of a signed identity token, e.g. "Practitioner/7"; InputError where it is not valid."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    if not server.jwks_uri or not server.issuer:
        raise InputError("this record system does not publish its keys; who opened the review is not known")
    reply = fetch(client, "GET", server.jwks_uri, most=MAX_BYTES)
    keys: Any = reply.read()
    try:
        token = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)
        claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now.timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": server.issuer},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        claims.validate(token.claims)
        user = _Claims.model_validate(token.claims).fhirUser
    except (JoseError, ValidationError, ValueError, KeyError, TypeError):
        raise InputError("the record system's identity token is not valid; open the review again") from None
    return check_reference("/".join(user.split("/")[-2:]), "Practitioner", "PractitionerRole") if user else None
