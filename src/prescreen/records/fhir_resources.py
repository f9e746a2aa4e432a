"""FHIR R4 resources as small facts about a patient: what the reader keeps of each, and nothing else.

Pure functions of one resource. Dates become spans, codes become texts; nothing is joined or judged here: which
facts belong to a contact is decided in `fhir_contacts`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from prescreen.clinic.acuity import load_scales
from prescreen.records import fhir_codes as codes
from prescreen.records.fhir_people import name_parts, read_numbers, read_person
from prescreen.records.fhir_talk import read_communication, read_composition, read_document, read_questionnaire
from prescreen.records.fhir_values import (
    LOINC,
    SNOMED,
    Span,
    Unreadable,
    any_code,
    as_number,
    as_object,
    as_objects,
    as_text,
    find_contained,
    read_codes,
    read_label,
    read_reference,
    read_span,
    reference_type,
)

PEOPLE = ("Practitioner", "PractitionerRole", "Organization", "CareTeam", "Device", "HealthcareService")
WRONG = ("entered-in-error", "refuted")
NO_CONTACT = ("cancelled", "planned", "entered-in-error")
_SCALE = re.compile(r"(?<![a-z])(esi|mts|manchester|ktas|ctas)(?![a-z])")


class Fact(NamedTuple):
    """What one resource says: of whom, in which encounter, when."""

    kind: str
    subject: str  # reference to the patient
    encounter: str = ""
    span: Span | None = None
    data: dict[str, Any] = {}


def read_facts(resource: dict[str, Any]) -> Iterator[Fact]:
    """The facts of one resource; Unreadable where it cannot be used. Other resource types have none."""
    kind = as_text(resource.get("resourceType"))
    reader = READERS.get(kind)
    if reader is None:
        return
    encounter = read_reference(resource.get("encounter") or resource.get("context"))
    subject = _read_subject(resource)
    if not subject:
        raise Unreadable("this resource does not say whose it is; it needs a reference to its patient")
    if subject.startswith("#"):
        raise Unreadable("its patient is contained in it; export patients as resources of their own")
    found = reader(resource)
    if found is not None:
        span, data = found
        yield Fact(kind, subject, data.pop("encounter", encounter), span, data)


def _read_subject(resource: dict[str, Any]) -> str:
    """The patient a resource is about; of talk without a subject, the patient who sent or answered it."""
    if subject := read_reference(resource.get("subject") or resource.get("patient")):
        return subject
    speakers = (resource.get("source"), resource.get("sender"))
    return next((read_reference(who) for who in speakers if reference_type(who) == "Patient"), "")


Read = tuple[Span | None, dict[str, Any]] | None


def _first_span(*values: Any) -> Span | None:
    return read_span(next((value for value in values if value is not None), None))


def _read_relative(resource: dict[str, Any]) -> Read:
    return None, read_person(resource)


def _read_encounter(resource: dict[str, Any]) -> Read:
    period = as_object(resource.get("period") or resource.get("actualPeriod"))
    stay = as_object(resource.get("hospitalization") or resource.get("admission"))
    priority = as_object(next(iter(as_objects(resource.get("priority"))), {}))
    reasons = [label for reason in as_objects(resource.get("reasonCode")) if (label := read_label(reason))]
    diagnoses = [
        (as_number(use.get("rank")) or 99, reference)
        for use in as_objects(resource.get("diagnosis"))
        if (reference := read_reference(use.get("condition")))
    ]
    acuity, scale = _read_priority(priority)
    end = read_span(period.get("end"))
    disposition = as_object(stay.get("dischargeDisposition"))
    return read_span(period.get("start")), {
        "start": as_text(period.get("start")),
        "end": end.hi if end else None,
        "status": as_text(resource.get("status")),
        "reason": "; ".join(reasons),
        "acuity": acuity,
        "scale": scale,
        "disposition": read_label(disposition) or any_code(disposition) or None,
        "diagnoses": [reference for _, reference in sorted(diagnoses)],
        "numbers": read_numbers(resource),
        "names": list(name_parts({"text": as_object(resource.get("subject")).get("display")})),
    }


def _read_priority(priority: dict[str, Any]) -> tuple[str | None, str | None]:
    """The level as the clinic wrote it, and its scale where the coding system or the text names one."""
    systems = [as_text(coding.get("system")) for coding in as_objects(priority.get("coding"))]
    label, code = read_label(priority), any_code(priority)
    match = _SCALE.search(" ".join((*systems, label)).lower())
    if not match:
        return label or code or None, None
    scale = "mts" if match[1] == "manchester" else match[1]
    words = re.findall(r"[a-z0-9]+", f"{code} {label}".lower())
    for name in (scale, "mts_category") if scale == "mts" else (scale,):
        if level := next((word for word in words if word in load_scales()[name]), None):
            return level, name
    return label or code or None, scale


def _read_condition(resource: dict[str, Any]) -> Read:
    code = resource.get("code")
    status = any_code(resource.get("verificationStatus"))
    label = read_label(code)
    if status in WRONG or codes.states_nothing(code) or not label:
        return None
    end = _first_span(resource.get("abatementDateTime"), as_object(resource.get("abatementPeriod")).get("start"))
    onset = (resource.get("onsetDateTime"), as_object(resource.get("onsetPeriod")).get("start"))
    pregnant = {"pregnant": True} if read_codes(code, SNOMED) & codes.PREGNANT else {}
    return _first_span(resource.get("recordedDate"), *onset), {
        **pregnant,
        "text": label,
        "none": codes.states_none(code, "conditions"),
        "end": end.hi if end else None,
        "undated": any(any_code(c) == "problem-list-item" for c in as_objects(resource.get("category"))),
    }


def _read_medication(resource: dict[str, Any]) -> Read:
    status = as_text(resource.get("status"))
    if status in ("entered-in-error", "not-taken", "intended", "draft", "cancelled"):
        return None
    if as_text(resource.get("intent")) in ("proposal", "plan", "option") or resource.get("doNotPerform") is True:
        return None
    concept, link = _read_drug(resource)
    period = as_object(resource.get("effectivePeriod"))
    supply = as_object(as_object(resource.get("dispenseRequest")).get("validityPeriod"))
    end = _first_span(period.get("end"), supply.get("end"))
    if (end is None and status in ("completed", "stopped")) or codes.states_nothing(concept):
        return None
    asserted = (resource.get("dateAsserted"), resource.get("authoredOn"))
    span = _first_span(*asserted, resource.get("effectiveDateTime"), period.get("start"))
    return span, {
        "text": read_label(concept),
        "link": link,
        "none": codes.states_none(concept, "medications"),
        "end": end.hi if end else None,
        "undated": resource.get("resourceType") == "MedicationStatement",
    }


def _read_drug(resource: dict[str, Any]) -> tuple[Any, str]:
    """The medicine's own concept, or a reference to where it stands."""
    concept = resource.get("medicationCodeableConcept") or as_object(resource.get("medication")).get("concept")
    reference = as_object(resource.get("medicationReference"))
    link = read_reference(reference)
    if link.startswith("#"):
        concept, link = concept or find_contained(resource, link).get("code"), ""
    return concept or {"text": reference.get("display")}, link


def _read_allergy(resource: dict[str, Any]) -> Read:
    code = resource.get("code")
    status = any_code(resource.get("verificationStatus"))
    if status in WRONG or any_code(resource.get("clinicalStatus")) == "resolved" or codes.states_nothing(code):
        return None
    substances = [read_label(reaction.get("substance")) for reaction in as_objects(resource.get("reaction"))]
    label = read_label(code) or next(filter(None, substances), "")
    span = _first_span(resource.get("recordedDate"), resource.get("assertedDate"), resource.get("onsetDateTime"))
    none = codes.states_none(code, "allergies")
    return (span, {"text": label, "none": none, "end": None, "undated": True}) if label else None


def _read_observation(resource: dict[str, Any]) -> Read:
    if as_text(resource.get("status")) in ("entered-in-error", "cancelled"):
        return None
    own = read_codes(resource.get("code"), LOINC)
    parts = [resource, *as_objects(resource.get("component"))]
    data: dict[str, Any] = {}
    if vitals := dict(found for part in parts if (found := codes.read_vital(part))):
        data["vitals"] = vitals
    value = resource.get("valueCodeableConcept")
    answer = read_codes(value, (*LOINC, *SNOMED)) & (codes.PREGNANT | codes.NOT_PREGNANT)
    if codes.PREGNANCY in own and answer:
        data["pregnant"] = bool(answer & codes.PREGNANT)
    if own & codes.COMPLAINTS and (complaint := as_text(resource.get("valueString")) or read_label(value)):
        data["complaint"] = complaint
    if codes.ESI in own:
        number = as_number(resource.get("valueInteger"))
        digits = re.search(r"(?<![0-9])[1-5](?![0-9])", read_label(value) or as_text(resource.get("valueString")))
        data["acuity"] = str(int(number)) if number is not None else digits[0] if digits else None
    period = as_object(resource.get("effectivePeriod"))
    moment = _first_span(resource.get("effectiveDateTime"), resource.get("effectiveInstant"), period.get("start"))
    return (moment or read_span(resource.get("issued")), data) if data else None


READERS: dict[str, Callable[[dict[str, Any]], Read]] = {
    "RelatedPerson": _read_relative,
    "Encounter": _read_encounter,
    "Condition": _read_condition,
    "MedicationStatement": _read_medication,
    "MedicationRequest": _read_medication,
    "AllergyIntolerance": _read_allergy,
    "Observation": _read_observation,
    "QuestionnaireResponse": read_questionnaire,
    "Communication": read_communication,
    "DocumentReference": read_document,
    "Composition": read_composition,
}
