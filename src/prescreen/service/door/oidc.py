"""Signing in at the clinic's identity provider: OpenID Connect, code with PKCE, state and nonce. Knows no page.

A small client of our own over httpx2 and joserfc: Authlib's for Starlette is asynchronous and keeps the state of a
sign-in in a session of its own. Everything a provider says is checked before it is believed.
"""

import base64
import datetime
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from pydantic import Field, ValidationError

from prescreen.config import Strict
from prescreen.errors import GuardError, RefusedError
from prescreen.service.door.identity_settings import OidcSettings, check_address
from prescreen.store.accounts import tidy_reference
from prescreen.store.claimed import Claimed

if TYPE_CHECKING:
    import httpx2
    from joserfc.jwk import KeySet

LASTS_S: Final = 600  # how long somebody may take at the provider
SKEW_S: Final = 60
FRESH_S: Final = 300
_KEEP_S: Final = 3600
_AGAIN_S: Final = 60
_MOST_BYTES: Final = 1_000_000


class Pending(Strict):
    """A sign-in that is under way, kept sealed in the browser. `step_of` is the user who proves once more."""

    state: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = Field(default_factory=lambda: secrets.token_urlsafe(64))
    next: str = ""
    step_of: str = ""
    began: float


class OidcClient:
    """One provider. Its addresses and keys are read when first needed and again after an hour."""

    def __init__(self, settings: OidcSettings, transport: "httpx2.BaseTransport | None" = None) -> None:
        self.settings = settings
        self._secret = _read_secret(settings)
        self._transport = transport
        self._lock = threading.Lock()
        self._about: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    @property
    def redirect(self) -> str:
        return f"{self.settings.base_url}/oidc/back"

    def start(self, pending: Pending) -> str:
        """The address at the provider to send the browser to."""
        challenge = _b64(hashlib.sha256(pending.verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.redirect,
            "scope": " ".join(self.settings.scopes),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if pending.step_of:
            asked |= {"prompt": "login", "max_age": "0"}
        if self.settings.require_acr:
            asked["acr_values"] = " ".join(self.settings.require_acr)
        return f"{self._place('authorization_endpoint')}?{urlencode(asked)}"

    def finish(self, pending: Pending, told: Mapping[str, str], now: float) -> Claimed:
        """Who came back; RefusedError where anything does not fit."""
        if not hmac.compare_digest(pending.state.encode(), told.get("state", "").encode("utf-8", "replace")):
            raise RefusedError("state")
        if not 0 <= now - pending.began <= LASTS_S:
            raise RefusedError("late")
        said = self._read_about()
        if told.get(
            "iss", "" if said.get("authorization_response_iss_parameter_supported") else said["issuer"]
        ) != (self.settings.issuer):
            raise RefusedError("issuer")
        if "error" in told or not told.get("code"):
            raise RefusedError("provider")
        token = self._redeem(told["code"], pending.verifier)
        return self._claimed(self._check(token, pending, now), now)

    def end_address(self, back: str) -> str | None:
        """Where to send the browser to sign out at the provider as well, None where it offers no such place."""
        if "end_session_endpoint" not in self._read_about():
            return None
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": self.settings.base_url + back}
        return f"{self._place('end_session_endpoint')}?{urlencode(asked)}"

    def _redeem(self, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect,
            "code_verifier": verifier,
            "client_id": self.settings.client_id,
        }
        auth = None if self._secret is None else (self.settings.client_id, self._secret)
        return self._read("POST", self._place("token_endpoint"), data=form, auth=auth)

    def _check(self, token: dict[str, Any], pending: Pending, now: float) -> dict[str, Any]:
        from prescreen.service.door.id_token import check_id_token

        claims = check_id_token(token, self.settings, pending.nonce, now, self._key_set)
        if self.settings.require_acr and claims.get("acr") not in self.settings.require_acr:
            raise RefusedError("acr")
        if self.settings.require_amr and not set(self.settings.require_amr) & set(_listed(claims.get("amr"))):
            raise RefusedError("amr")
        shown = claims.get("auth_time")
        if pending.step_of and not (isinstance(shown, int | float) and now - shown <= FRESH_S):
            raise RefusedError("auth_time")
        return claims

    def _claimed(self, claims: dict[str, Any], now: float) -> Claimed:
        held = _listed(_dig(claims, self.settings.role_claim))
        roles = [role for value, role in self.settings.roles.items() if value in held]
        groups = _listed(_dig(claims, self.settings.team_claim)) if self.settings.team_claim else []
        teams = [team for value, team in self.settings.teams.items() if value in groups]
        reference = _dig(claims, self.settings.reference_claim)
        subject = str(claims["sub"])
        return Claimed(
            issuer=self.settings.issuer,
            subject=subject,
            name=_shown(claims.get("name")) or "Member of staff",
            role=roles[0] if roles else None,
            teams=tuple(sorted(set(teams) or set(self.settings.default_teams))),
            reference=tidy_reference(reference) if isinstance(reference, str) else None,
            shown=_moment(claims.get("auth_time"), now),
        )

    def _key_set(self, unknown: bool) -> "KeySet":
        """The provider's keys; asked for again where a key is unknown, once a minute at most."""
        from joserfc.jwk import KeySet

        with self._lock:
            age = None if self._keys is None else time.monotonic() - self._keys[0]
        if self._keys is None or age is None or age > (_AGAIN_S if unknown else _KEEP_S):
            found = KeySet.import_key_set(self._read("GET", self._place("jwks_uri")))  # type: ignore[arg-type]
            with self._lock:
                self._keys = (time.monotonic(), found)
            return found
        return self._keys[1]

    def _place(self, name: str) -> str:
        place = self._read_about().get(name)
        if not isinstance(place, str):
            raise GuardError(f"the identity provider names no {name}")
        try:
            check_address(place.partition("?")[0])
        except ValueError:
            raise GuardError(f"the identity provider's {name} is not https") from None
        return place

    def _read_about(self) -> dict[str, Any]:
        with self._lock:
            if self._about is not None and time.monotonic() - self._about[0] < _KEEP_S:
                return self._about[1]
        address = self.settings.issuer.removesuffix("/") + "/.well-known/openid-configuration"
        about = self._read("GET", address)
        if about.get("issuer") != self.settings.issuer:
            raise GuardError("the identity provider calls itself by another name than oidc.issuer; set it alike")
        with self._lock:
            self._about = (time.monotonic(), about)
        return about

    def _read(self, method: str, address: str, **more: Any) -> dict[str, Any]:
        import httpx2

        try:  # a client for each call: people sign in a few times an hour, and nothing is left open
            with httpx2.Client(
                timeout=self.settings.timeout_s, follow_redirects=False, trust_env=False, transport=self._transport
            ) as http:
                answer = http.request(method, address, headers={"accept": "application/json"}, **more)
            value = answer.json() if len(answer.content) <= _MOST_BYTES else None
        except (httpx2.HTTPError, ValueError):
            raise RefusedError("unreachable") from None
        if answer.status_code != 200 or not isinstance(value, dict):
            raise RefusedError("provider")
        return value


def read_pending(value: dict[str, Any] | None) -> Pending | None:
    """A sign-in under way, as it comes back out of its cookie."""
    try:
        return None if value is None else Pending.model_validate(value)
    except ValidationError:
        return None


def _read_secret(settings: OidcSettings) -> str | None:
    path = settings.client_secret_file
    if path is None:
        return None
    if not path.is_file() or path.stat().st_mode & 0o077:
        raise GuardError(f"{path}: the client's secret must be a file its owner alone can read (chmod 600)")
    return path.read_text(encoding="utf-8").strip()


def _dig(claims: dict[str, Any], dotted: str) -> Any:
    value: Any = claims
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _listed(value: Any) -> list[str]:
    told = value if isinstance(value, list) else [value]
    return [item for item in told if isinstance(item, str)]


def _moment(value: Any, now: float) -> datetime.datetime | None:
    known = isinstance(value, int | float) and 0 <= value <= now
    return datetime.datetime.fromtimestamp(value, datetime.UTC) if known else None


def _shown(value: Any) -> str:
    return "".join(char for char in value if char.isprintable())[:160].strip() if isinstance(value, str) else ""


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
