"""A patient's history out of a FHIR R4 record: only what is active, and "known none" kept apart from "unknown".

A list with nothing in it means the record does not know; only an explicit statement ("no known allergies") gives an
empty tuple. A list that cannot be read to its end is an error, for half a list of allergies is worse than none.
"""

import datetime
import re
from collections.abc import Iterator

from prescreen.clinic.signed import PatientLink
from prescreen.ehr.channel import DeliveryError, History
from prescreen.ehr.codes import Resource
from prescreen.ehr.labels import clean_text
from prescreen.ehr.paging import read_pages
from prescreen.ehr.wire import PASSING, Wire

LONGEST = 240
NAMELESS = "an entry without words"  # it is there, and a nurse should know that it is
YEAR_DAYS = 365.2425
# "none known" as a code: SNOMED CT and the International Patient Summary's absent-unknown codes
NONE_KNOWN = frozenset(
    {"716186003", "160245001", "787481004", "no-known-allergies", "no-known-problems", "no-known-medications"}
)
# nothing known, or none known of one sort only (drugs, food, surroundings), which is not "none"
UNKNOWN = frozenset(
    {"no-allergy-info", "no-problem-info", "no-medication-info", "409137002", "428607008", "429625007"}
)
GONE = frozenset({"inactive", "resolved", "remission"})
WRONG = frozenset({"entered-in-error", "refuted"})
_BIRTH = re.compile(r"\d{4}-\d\d-\d\d")


def read_history(wire: Wire, reference: str) -> History:
    """All that is known before the visit; DeliveryError where the patient or a whole list cannot be read."""
    reply = wire.send("GET", reference)
    if reply.status in (404, 410):
        raise DeliveryError("the record system does not know this patient; check the reference", lasting=True)
    if reply.status != 200:
        lasting = reply.status not in PASSING
        raise DeliveryError(f"the record system does not show the patient (status {reply.status})", lasting=lasting)
    patient = reply.read()
    if patient.get("resourceType") != "Patient":
        raise DeliveryError("the record system answered with something that is no patient", lasting=True)
    link = _read_link(patient, reference)
    ordered = [m for m in _read_all(wire, "MedicationRequest", reference) if not m.get("doNotPerform")]
    taken = _read_all(wire, "MedicationStatement", reference)
    medications = [m for m in (*ordered, *taken) if m.get("status") == "active"]
    return History(
        patient=link,
        age_years=_age(link.birth_date),
        conditions=_tell(_current(_read_all(wire, "Condition", reference)), "code"),
        medications=_tell([_with_medication(wire, m) for m in medications], "medicationCodeableConcept"),
        allergies=_tell(_current(_read_all(wire, "AllergyIntolerance", reference)), "code"),
    )


def _read_all(wire: Wire, kind: str, reference: str) -> list[Resource]:
    """Every resource of a kind. A type this record or our rights do not hold counts as unknown."""
    return read_pages(wire, kind, f"patient={reference}") or []


def _current(resources: list[Resource]) -> list[Resource]:
    """Without what is over, refuted or entered in error; an unknown state counts as current."""
    return [
        resource
        for resource in resources
        if not GONE & _codes(resource.get("clinicalStatus"))
        and not WRONG & _codes(resource.get("verificationStatus"))
    ]


def _codes(concept: object) -> set[str]:
    if not isinstance(concept, dict):
        return set()
    return {str(coding.get("code")) for coding in concept.get("coding", []) if isinstance(coding, dict)}


def _tell(resources: list[Resource], field: str) -> tuple[str, ...] | None:
    """The texts; () where the record says there are none; None where it says nothing."""
    none_known = any(NONE_KNOWN & _codes(resource.get(field)) for resource in resources)
    told = [
        _text(resource.get(field)) or NAMELESS
        for resource in resources
        if not (NONE_KNOWN | UNKNOWN) & _codes(resource.get(field))
    ]
    if told:
        return tuple(dict.fromkeys(told))
    return () if none_known else None


def _text(concept: object) -> str:
    """What a person reads of a concept."""
    return next((text for text in _wordings(concept) if text), "")[:LONGEST]


def _wordings(concept: object) -> Iterator[str]:
    if isinstance(concept, dict):
        yield clean_text(str(concept.get("text") or ""))
        for coding in concept.get("coding", []):
            yield clean_text(str(coding.get("display") or ""))
        for coding in concept.get("coding", []):
            yield clean_text(str(coding.get("code") or ""))


def _with_medication(wire: Wire, resource: Resource) -> Resource:
    """A medication that is a reference, as words: contained, named beside it, or read."""
    held = resource.get("medicationReference")
    if not isinstance(held, dict) or resource.get("medicationCodeableConcept"):
        return resource
    reference = str(held.get("reference") or "")
    if reference.startswith("#"):
        for inner in resource.get("contained", []):
            if inner.get("id") == reference[1:]:
                return resource | {"medicationCodeableConcept": inner.get("code")}
    if held.get("display"):
        return resource | {"medicationCodeableConcept": {"text": held["display"]}}
    if not re.fullmatch(r"Medication/[A-Za-z0-9\-.]{1,64}", reference):
        return resource
    reply = wire.send("GET", reference)
    if reply.status in PASSING:
        raise DeliveryError(f"the record system does not show a medicine (status {reply.status})", lasting=False)
    return resource | ({"medicationCodeableConcept": reply.read().get("code")} if reply.status == 200 else {})


def _read_link(patient: Resource, reference: str) -> PatientLink:
    names = sorted(patient.get("name", []), key=lambda name: name.get("use") not in ("official", "usual"))
    name = names[0] if names else {}
    held: Resource = next((i for i in patient.get("identifier", []) if i.get("value")), {})
    gender = patient.get("gender")
    birth = str(patient.get("birthDate") or "")
    return PatientLink(
        reference=reference,
        identifier_system=held.get("system"),
        identifier=held.get("value"),
        family=clean_text(name.get("family") or ""),
        given=clean_text(" ".join(name.get("given", []))),
        birth_date=_read_date(birth) if _BIRTH.fullmatch(birth) else None,
        sex=gender if gender in ("female", "male", "other") else None,
    )


def _read_date(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def _age(birth: datetime.date | None) -> float | None:
    days = (datetime.datetime.now(datetime.UTC).date() - birth).days if birth else -1
    return round(days / YEAR_DAYS, 2) if days >= 0 else None
