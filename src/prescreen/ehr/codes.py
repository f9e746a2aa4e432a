"""The code systems we write, the identifiers that make a signature arrive once, and how a search names them.

Every identifier is a UUID derived from the signature's or the visit's own id, never from a person. A resource's
identifier and its place in a Bundle (`fullUrl`) are different UUIDs on purpose: some servers replace a `fullUrl`
wherever they meet its text, inside identifiers too. Knows no resource and no wire.
"""

import datetime
import re
import uuid
from typing import Any, Final
from urllib.parse import quote

from prescreen.clinic.acuity import Acuity
from prescreen.errors import PrescreenError

Resource = dict[str, Any]

URN: Final = "urn:ietf:rfc:3986"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
LANGUAGES: Final = "urn:ietf:bcp:47"
TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
ACT_CODE: Final = TERMINOLOGY + "v3-ActCode"
ACT_PRIORITY: Final = TERMINOLOGY + "v3-ActPriority"
OBSERVATION_VALUE: Final = TERMINOLOGY + "v3-ObservationValue"
OBSERVATION_CATEGORY: Final = TERMINOLOGY + "observation-category"
ABSENT: Final = TERMINOLOGY + "data-absent-reason"
PARTICIPANT: Final = TERMINOLOGY + "provenance-participant-type"
ACUITY: Final = "urn:prescreen:acuity"
RULE: Final = "urn:prescreen:rule"
STAFF: Final = "urn:prescreen:staff"
SEEN: Final = "urn:prescreen:seen-sha256"

TRIAGE_NOTE: Final = "54094-8"
AI_ASSERTED: Final = {"system": OBSERVATION_VALUE, "code": "AIAST", "display": "Artificial Intelligence asserted"}

# Four levels, three codes: medium is rounded up, for a priority that is read as routine could be left to wait.
PRIORITY: Final = {Acuity.EMERGENCY: "EM", Acuity.HIGH: "UR", Acuity.MEDIUM: "UR", Acuity.LOW: "R"}
TASK_PRIORITY: Final = {
    Acuity.EMERGENCY: "stat",
    Acuity.HIGH: "asap",
    Acuity.MEDIUM: "urgent",
    Acuity.LOW: "routine",
}

# field of Vitals -> LOINC codes, our words, UCUM code, unit as people write it
QUANTITIES: Final[dict[str, tuple[tuple[str, ...], str, str, str]]] = {
    "heart_rate": (("8867-4",), "Heart rate", "/min", "beats/minute"),
    "respiratory_rate": (("9279-1",), "Respiratory rate", "/min", "breaths/minute"),
    "systolic": (("8480-6",), "Systolic blood pressure", "mm[Hg]", "mmHg"),
    "diastolic": (("8462-4",), "Diastolic blood pressure", "mm[Hg]", "mmHg"),
    "temperature": (("8310-5",), "Body temperature", "Cel", "°C"),
    "spo2": (("2708-6", "59408-5"), "Oxygen saturation", "%", "%"),
    "pain": (("72514-3",), "Pain severity, 0 to 10, as told", "{score}", "score"),
}
BLOOD_PRESSURE: Final = "85354-9"
RESPONSIVENESS: Final = "67775-7"

_OURS: Final = uuid.UUID("5b0c5a1e-8d5c-4f0e-9a57-2f6f3b1d7c94")
_REFERENCE = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")


class BundleError(PrescreenError):
    """A visit that cannot be written for the record system as it stands."""


def parse_id(signature: str) -> uuid.UUID:
    """The id of a signature; BundleError where it is no UUID."""
    try:
        return uuid.UUID(signature)
    except ValueError:
        raise BundleError("the id of the signature is not a UUID; take one from uuid.uuid4") from None


def derive_id(base: uuid.UUID, *parts: str) -> str:
    """The same UUID for the same parts, another for every other."""
    return str(uuid.uuid5(base, "/".join(parts)))


def visit_key(visit_id: str) -> uuid.UUID:
    """What all signatures of one visit share: the encounter, and the patient where we make one."""
    return uuid.uuid5(_OURS, f"visit/{visit_id}")


def model_id(*parts: str) -> str:
    """What all visits drafted by one model share."""
    return derive_id(_OURS, "model", *parts)


def identifier(value: str) -> dict[str, str]:
    """A UUID as a business identifier."""
    return {"system": URN, "value": f"urn:uuid:{value}"}


def write_token(system: str | None, value: str) -> str:
    """An identifier as a search value, `system|value`; without a system only identifiers without one match."""
    return "|".join(re.sub(r"([\\|,$])", r"\\\1", part) for part in (system or "", value))


def identifier_query(held: dict[str, str]) -> str:
    """The query that finds this identifier and no other."""
    return "identifier=" + quote(write_token(held.get("system"), held["value"]), safe="")


def check_reference(reference: str, *kinds: str) -> str:
    """A reference of one of these types, fit to stand in an address; BundleError otherwise."""
    if not _REFERENCE.fullmatch(reference) or reference.partition("/")[0] not in kinds:
        raise BundleError(f"a reference to {' or '.join(kinds)} must look like {kinds[0]}/123")
    return reference


def coded(system: str, code: str, text: str = "") -> Resource:
    """A CodeableConcept of one code."""
    concept: Resource = {"coding": [{"system": system, "code": code}]}
    return concept | ({"text": text} if text else {})


def instant(moment: datetime.datetime) -> str:
    """A time in UTC, to the millisecond: the same moment, the same text."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
