"""Settings of identity and access: time-outs, second factor, the identity provider. Knows no web."""

import ipaddress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from prescreen.config import Strict
from prescreen.errors import GuardError

Role = Literal["nurse", "physician", "admin", "auditor"]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class OidcSettings(Strict):
    """An identity provider. Who has several mapped roles gets the first in the order of `roles`."""

    issuer: str  # of the provider, https; its own description is read from there
    client_id: str  # as the provider registered us; its return address is `base_url` and /oidc/back
    client_secret_file: Path | None = None  # without it the client is public and PKCE alone protects the code
    base_url: str  # where browsers reach this service, e.g. https://triage.clinic.example
    scopes: tuple[str, ...] = ("openid", "profile")  # what is asked for
    algorithms: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256")  # accepted signatures of an identity token
    role_claim: str = "roles"  # dots go down: realm_access.roles
    roles: dict[str, Role]  # value of the claim -> role here
    team_claim: str = ""  # the claim that names teams; empty takes none from it
    teams: dict[str, str] = {}  # value of the claim -> team here
    default_teams: tuple[str, ...] = ()  # for who has none by the claim
    reference_claim: str = "fhirUser"  # who the person is in the record
    require_acr: tuple[str, ...] = ()  # one of these, where any is named
    require_amr: tuple[str, ...] = ()  # one of these, e.g. mfa, otp, hwk
    timeout_s: float = Field(default=5.0, gt=0, le=30)  # of one call to the provider

    @field_validator("issuer", "base_url")
    @classmethod
    def _encrypted(cls, value: str, info: ValidationInfo) -> str:
        check_address(value.removesuffix("/") if info.field_name == "issuer" else value)
        return value


class IdentitySettings(Strict):
    """How people sign in and for how long."""

    local_users: bool = True  # accounts kept here, with a password
    totp_for: tuple[Role, ...] = ("nurse", "physician", "admin", "auditor")  # must set up an authenticator app
    staff_idle_min: float = Field(default=15, gt=0, le=60)  # rest after which staff sign in again
    staff_day_h: float = Field(default=12, gt=0, le=24)  # after which they do in any case
    patient_idle_min: float = Field(default=30, gt=0, le=120)  # rest after which a patient shows their code again
    patient_day_h: float = Field(default=24, gt=0, le=72)  # after which they do in any case
    plain_http: bool = False  # set by the service itself, from `web.base_url`
    oidc: OidcSettings | None = None

    @model_validator(mode="after")
    def _some_door(self) -> "IdentitySettings":
        if not self.local_users and self.oidc is None:
            raise ValueError("nobody could sign in: set local_users or oidc")
        return self


def check_plain(settings: IdentitySettings, host: str, *, demo: bool) -> None:
    """GuardError where cookies would travel unencrypted beyond this machine."""
    if settings.plain_http and not (demo and is_loopback(host)):
        raise GuardError("plain_http is for a demo on 127.0.0.1 only; put a TLS proxy before the service instead")


def check_address(value: str) -> None:
    """ValueError unless it is an https address without slash, query or user; plain http only on loopback."""
    parts = urlsplit(value)
    if parts.username or parts.query or parts.fragment or not parts.hostname or value.endswith("/"):
        raise ValueError("write the bare address, without a slash at its end")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("it must be https")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
