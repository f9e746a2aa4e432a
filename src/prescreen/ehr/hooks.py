"""CDS Hooks 2.0: what the service offers, and the cards for a patient somebody opens in the record system.

Pure functions over JSON. A card says that an interview waits and links to the review; it carries no word of the
patient, no order, and before a signature no level. Knows no web server, and not who called: see `hook_token`.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from prescreen.clinic.acuity import Acuity
from prescreen.errors import GuardError, PrescreenError

LONGEST_REQUEST: Final = 1 << 20  # bytes; prefetch, which is not read, may be long
LONGEST_SUMMARY: Final = 140
HOOKS: Final = {"patient-view": ("userId", "patientId"), "encounter-start": ("userId", "patientId", "encounterId")}
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_USER = re.compile(r"[A-Z][A-Za-z]{1,31}/[A-Za-z0-9\-.]{1,64}")
_INDICATORS: Final = {Acuity.EMERGENCY: "critical", Acuity.HIGH: "warning"}


class HookError(PrescreenError):
    """A request that gets no cards; `status` is the HTTP status to answer with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Waiting(NamedTuple):
    """An interview of this patient. `alert`: a red-flag rule fired and no one has signed yet. `signed`: the level
    as signed, None before. No unsigned level belongs here."""

    link: str
    alert: bool = False
    signed: Acuity | None = None


def service_id(hook: str) -> str:
    """The id of the service that answers a hook: the last part of its address."""
    return f"prescreen-{hook}"


def discover() -> dict[str, Any]:
    """The discovery document (GET /cds-services). Asks for no prefetch: the patient's id is enough."""
    told = "Says whether a pre-visit interview of this patient waits for review or is signed, and links to it."
    return {
        "services": [
            {"hook": hook, "id": service_id(hook), "title": "Pre-visit interview", "description": told}
            for hook in HOOKS
        ]
    }


def answer_hook(
    request_body: bytes,
    link_for: Callable[[str], Waiting | None],
    *,
    service: str | None = None,
    fhir_server: str | None = None,
) -> dict[str, Any]:
    """The cards of one call; `link_for` takes "Patient/123". HookError says what is wrong with the request.

    `service` is the id in the address where there was one. With `fhir_server` a call of another record system is
    refused, whose Patient/123 is somebody else.
    """
    request = _read_request(request_body)
    hook = request.get("hook")
    if not isinstance(hook, str) or hook not in HOOKS:
        raise HookError(f"this service answers the hooks {', '.join(HOOKS)}", 400)
    if service is not None and service != service_id(hook):
        raise HookError(
            f"the address is not that of {service_id(hook)}; see the discovery document",
            400 if service in map(service_id, HOOKS) else 404,
        )
    _check_uuid(request.get("hookInstance"))
    if "fhirAuthorization" in request and not isinstance(request.get("fhirServer"), str):
        raise HookError("fhirServer is missing beside fhirAuthorization", 400)
    named = request.get("fhirServer")
    if fhir_server is not None and named is not None and str(named).rstrip("/") != fhir_server.rstrip("/"):
        raise HookError("fhirServer is not the record system this service is connected to", 403)
    waiting = link_for(_read_patient(hook, request.get("context")))
    return {"cards": [] if waiting is None else [write_card(waiting)]}


def write_card(waiting: Waiting) -> dict[str, Any]:
    """One card in fixed sentences."""
    link = _check_link(waiting.link)
    label = "Open the review"
    if waiting.signed is not None:
        summary = f"Pre-visit interview reviewed and signed: {waiting.signed.value}"
        indicator, label = _INDICATORS.get(waiting.signed, "info"), "Open the signed report"
    elif waiting.alert:
        summary = "Pre-visit interview with a safety alert: needs a nurse now"
        indicator = "critical"
    else:
        summary, indicator = "A pre-visit interview waits for a nurse's review", "info"
    assert len(summary) <= LONGEST_SUMMARY
    origin = urlsplit(link)
    return {
        "summary": summary,
        "indicator": indicator,
        "source": {"label": "prescreen", "url": f"{origin.scheme}://{origin.netloc}/"},
        "links": [{"label": label, "url": link, "type": "absolute"}],
    }


def _read_request(body: bytes) -> dict[str, Any]:
    if len(body) > LONGEST_REQUEST:
        raise HookError(f"the request is longer than {LONGEST_REQUEST >> 20} MiB; no prefetch is needed", 413)
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise HookError("the request is not JSON in UTF-8", 400) from None
    if not isinstance(request, dict):
        raise HookError("the request is not a JSON object", 400)
    return request


def _check_uuid(value: object) -> None:
    try:
        if isinstance(value, str) and len(value) <= 64 and UUID(value):
            return
    except ValueError:
        pass
    raise HookError("hookInstance is missing or no UUID", 400)


def _read_patient(hook: str, context: object) -> str:
    """The patient's reference; every field the hook must bring is looked at first."""
    if not isinstance(context, dict):
        raise HookError("context is missing", 400)
    for name in HOOKS[hook]:
        value = context.get(name)
        form = _USER if name == "userId" else _ID
        if not isinstance(value, str) or not form.fullmatch(value):
            raise HookError(f"context.{name} is missing or no FHIR id", 400)
    return f"Patient/{context['patientId']}"


def _check_link(link: str) -> str:
    """The link, where it is a whole address without a password; a wrong one is a fault of our settings."""
    parts = urlsplit(link)
    schemes = ("https", "http") if parts.hostname in ("localhost", "127.0.0.1", "::1") else ("https",)
    if not parts.hostname or "@" in parts.netloc or parts.scheme not in schemes:
        raise GuardError("the link on a card must be a whole https address; set the service's public address")
    return link
