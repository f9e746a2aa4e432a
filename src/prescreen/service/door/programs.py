"""Programs that call this service: by a token of their own (the FHIR endpoint) or a signed one (CDS Hooks).

Of a token only what its file holds is known; it is compared in a time that tells nothing. Knows no page.
"""

import datetime
import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from pydantic import Field

from prescreen.config import Strict
from prescreen.ehr.hook_token import verify_hook_token
from prescreen.ehr.hooks import HookError
from prescreen.errors import GuardError
from prescreen.service.door.identity import Bearer
from prescreen.service.record.ways import read_secret
from prescreen.store.base import Store, Who
from prescreen.store.once import use_once

_SHORTEST = 32  # characters of a token


class Program(Strict):
    """A program that may use the FHIR endpoint; `token_file` holds its token of 32 characters or more."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")  # as the audit log names it
    token_file: Path  # its token, 32 characters or more, for the service's user alone (0600)


class HookSettings(Strict):
    """The record systems that may ask for cards: each issuer with the file of its public keys (JWKS)."""

    issuers: dict[str, Path]  # each issuer, and the file of its public keys (JWKS)
    fhir_server: str | None = None  # the only FHIR server a call may name; none believes every issuer


def open_programs(programs: tuple[Program, ...]) -> Bearer:
    """Who a token of the FHIR endpoint belongs to."""
    digests = {program.name: _digest(_read_token(program)) for program in programs}

    def find(request: Request) -> Who | None:
        told = _digest(_bearer(request))
        same = [name for name, digest in digests.items() if hmac.compare_digest(digest, told)]
        return Who(same[0], "service") if same else None

    return find


def open_hooks(settings: HookSettings, store: Store, base_url: str) -> Bearer:
    """Who signed the token of a hook's call; each token once, for all processes together."""
    key_sets = {issuer: _read_keys(path) for issuer, path in settings.issuers.items()}

    def is_seen(issuer: str, jti: str, until: int) -> bool:
        ends = datetime.datetime.fromtimestamp(until, datetime.UTC)
        with store.act(Who(issuer[:60], "hooks")) as act:
            return not use_once(act, f"hook|{issuer}", jti, ends)

    def find(request: Request) -> Who | None:
        try:
            audience = base_url.rstrip("/") + request.url.path
            now = store.clock().timestamp()
            caller = verify_hook_token(_bearer(request), key_sets, audience, key_sets, is_seen, now)
        except HookError:
            return None
        return Who(hashlib.sha256(caller.issuer.encode()).hexdigest()[:16], "hooks")

    return find


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _read_token(program: Program) -> str:
    token = read_secret(program.token_file)
    if len(token) < _SHORTEST:
        raise GuardError(f"{program.token_file}: a token has {_SHORTEST} characters or more; draw a new one")
    return token


def _read_keys(path: Path) -> Mapping[str, Any]:
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        keys = None
    if not isinstance(keys, dict) or not isinstance(keys.get("keys"), list):
        raise GuardError(f"{path}: holds no key set (JWKS); ask the record system for its public keys")
    return keys
