"""SMART on FHIR: where a record's authorization stands, and a token for a service with a key of its own.

Backend Services: a signed assertion (RS384 or ES384, at most five minutes, never the same `jti` twice) for a token
that is kept until shortly before it ends. Knows no resource; a key is read from where the caller says.
"""

import datetime
import json
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from prescreen.config import Strict
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.wire import PASSING, check_address, fetch, open_client
from prescreen.errors import InputError

if TYPE_CHECKING:
    from httpx2 import Client

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE_S = 240  # of an assertion; SMART allows 300
EARLY_S = 60  # before its end a token is not used any more
MAX_BYTES = 256 * 1024


class SmartServer(BaseModel):
    """What is read of .well-known/smart-configuration; servers tell more."""

    token_endpoint: str
    authorization_endpoint: str | None = None
    issuer: str | None = None
    jwks_uri: str | None = None
    code_challenge_methods_supported: list[str] = []


class Token(BaseModel):
    """What is read of a token answer."""

    access_token: str = Field(min_length=1)
    token_type: str
    expires_in: int = 300
    scope: str = ""


class ServiceKey(Strict):
    """Who a service is to the record system. `pem` is the private key; `kid` names it in our published key set."""

    client_id: str
    kid: str
    pem: str = Field(repr=False)
    algorithm: Literal["RS384", "ES384"] = "RS384"


def discover(client: "Client", base_url: str) -> SmartServer:
    """Where the record at `base_url` gives tokens; every address in it is held to the same rule as ours."""
    reply = fetch(client, "GET", f"{check_address(base_url)}/.well-known/smart-configuration", most=MAX_BYTES)
    if reply.status != 200:
        told = f"the record system tells no SMART configuration (status {reply.status})"
        raise DeliveryError(told, lasting=reply.status not in PASSING)
    try:
        server = SmartServer.model_validate(reply.read())
    except ValidationError:
        raise DeliveryError(
            "the record system's SMART configuration lacks its token endpoint", lasting=True
        ) from None
    for address in (server.token_endpoint, server.authorization_endpoint, server.jwks_uri):
        if address:
            check_address(address)
    return server


def write_assertion(key: ServiceKey, audience: str, now: datetime.datetime, jti: str) -> str:
    """A signed statement of who asks, for one use."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    claims = {
        "iss": key.client_id,
        "sub": key.client_id,
        "aud": audience,
        "jti": jti,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + LIFE_S,
    }
    try:
        private = (RSAKey if key.algorithm == "RS384" else ECKey).import_key(key.pem)
        return jwt.encode({"alg": key.algorithm, "kid": key.kid}, claims, private, algorithms=[key.algorithm])
    except (JoseError, ValueError, TypeError):
        raise InputError(
            f"the service's private key cannot sign {key.algorithm}; give a PEM of that kind"
        ) from None


def ask_token(client: "Client", endpoint: str, form: dict[str, str]) -> dict[str, Any]:
    """The answer of a token endpoint. What it says of an error stays there, but for its code."""
    reply = fetch(client, "POST", endpoint, most=MAX_BYTES, data=form, headers={"Accept": "application/json"})
    if reply.status == 200:
        return reply.read()
    try:
        code = str(json.loads(reply.body).get("error", ""))
    except (ValueError, AttributeError):
        code = ""
    known = code if code in ("invalid_client", "invalid_grant", "invalid_scope", "invalid_request") else "refused"
    raise DeliveryError(f"no token ({known}, status {reply.status})", lasting=reply.status not in PASSING)


class BackendAuth:
    """A token for a service, kept while it lasts; may be shared by threads."""

    def __init__(
        self,
        base_url: str,
        key: ServiceKey,
        scopes: tuple[str, ...],
        *,
        timeout_s: float = 20.0,
        ca: str | None = None,
        clock: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        self._base, self._key, self._scopes, self._clock = check_address(base_url), key, scopes, clock
        self._client, self._lock = open_client(timeout_s, ca), threading.Lock()
        self._server: SmartServer | None = None
        self._token, self._until = "", clock()

    def header(self) -> str:
        """The value of Authorization; DeliveryError where no token is given."""
        with self._lock:
            if not self._token or self._clock() >= self._until:
                self._renew()
            return f"Bearer {self._token}"

    def forget(self) -> None:
        """The last token was refused: the next is a new one."""
        with self._lock:
            self._token = ""

    def _renew(self) -> None:
        self._server = self._server or discover(self._client, self._base)
        endpoint, now = self._server.token_endpoint, self._clock()
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(self._scopes),
            "client_assertion_type": ASSERTION,
            "client_assertion": write_assertion(self._key, endpoint, now, str(uuid.uuid4())),
        }
        try:
            token = Token.model_validate(ask_token(self._client, endpoint, form))
        except ValidationError:
            raise DeliveryError("the token endpoint answered without a token", lasting=True) from None
        if token.token_type.lower() != "bearer":
            raise DeliveryError("the token endpoint gave a token of another kind than Bearer", lasting=True)
        self._token = token.access_token
        self._until = now + datetime.timedelta(seconds=max(0, token.expires_in - EARLY_S))

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()
