"""What happened, as R4 resources: patient, encounter, the patient's words, vital signs, fired rules.

Pure functions of a signed visit. Only what is known is written. Knows no Bundle, no wire, no signature's document.
"""

import math
import uuid
from collections.abc import Iterator
from typing import Any

from prescreen.clinic.redflags import load_rules
from prescreen.clinic.signed import SignedVisit
from prescreen.ehr import codes
from prescreen.ehr.codes import Resource
from prescreen.ehr.labels import clean_language, clean_text


class Names:
    """What each resource of a visit is called: its place in the Bundle, its identifier, how others refer to it."""

    def __init__(self, visit: SignedVisit) -> None:
        self.visit = visit
        self.signature = codes.parse_id(visit.id)
        self._visit_key = codes.visit_key(visit.visit_id)

    def url(self, key: str) -> str:
        """The fullUrl of a resource."""
        return f"urn:uuid:{codes.derive_id(self.signature, 'entry', key)}"

    def identifier(self, key: str) -> dict[str, str]:
        """The identifier of what belongs to this signature alone."""
        return codes.identifier(codes.derive_id(self.signature, key))

    def visit_identifier(self, key: str) -> dict[str, str]:
        """The identifier of what a correction shares with the signature it corrects."""
        return codes.identifier(codes.derive_id(self._visit_key, key))

    def ref(self, key: str) -> Resource:
        """A reference into the Bundle."""
        return {"reference": self.url(key)}

    @property
    def patient(self) -> Resource:
        held = self.visit.patient.reference
        return {"reference": codes.check_reference(held, "Patient")} if held else self.ref("patient")

    @property
    def encounter(self) -> Resource:
        held = self.visit.patient.encounter
        return {"reference": codes.check_reference(held, "Encounter")} if held else self.ref("encounter")

    @property
    def signer(self) -> Resource:
        signer, name = self.visit.signer, clean_text(self.visit.signer.name)
        shown = {"display": name} if name else {}
        if signer.reference:
            return {
                "reference": codes.check_reference(signer.reference, "Practitioner", "PractitionerRole")
            } | shown
        known = {"system": codes.STAFF, "value": clean_text(signer.id)}
        return {"type": "Practitioner", "identifier": known} | shown


def write_patient(visit: SignedVisit, names: Names) -> Resource:
    """A Patient from the names, found again by the identifier given; without one it belongs to this visit alone,
    so that two people are never taken for one."""
    link = visit.patient
    held = names.visit_identifier("patient")
    if number := clean_text(link.identifier or ""):
        held = {"value": number} | ({"system": link.identifier_system} if link.identifier_system else {})
    patient: Resource = {"resourceType": "Patient", "identifier": [held]}
    family, given = clean_text(link.family), clean_text(link.given)
    name: dict[str, Any] = ({"family": family} if family else {}) | ({"given": [given]} if given else {})
    if name:
        patient["name"] = [name]
    if link.sex:
        patient["gender"] = link.sex
    if link.birth_date:
        patient["birthDate"] = link.birth_date.isoformat()
    if language := clean_language(visit.language):
        patient["communication"] = [{"language": codes.coded(codes.LANGUAGES, language), "preferred": True}]
    return patient


def write_encounter(visit: SignedVisit, names: Names) -> Resource:
    """The visit; its priority is the signed level and nothing else."""
    opened, signed = codes.instant(visit.opened), codes.instant(visit.signed)
    return {
        "resourceType": "Encounter",
        "identifier": [names.visit_identifier("encounter")],
        "status": "triaged",
        "statusHistory": [{"status": "arrived", "period": {"start": opened, "end": signed}}],
        "class": {"system": codes.ACT_CODE, "code": "AMB", "display": "ambulatory"},
        "priority": write_priority(visit),
        "subject": names.patient,
        "period": {"start": opened},
    }


def write_priority(visit: SignedVisit) -> Resource:
    """The signed level as the record's priority; the text keeps the fourth level apart."""
    return codes.coded(codes.ACT_PRIORITY, codes.PRIORITY[visit.level], visit.level.value)


def write_answers(visit: SignedVisit, names: Names) -> Resource:
    """The patient's own words and the dialogue, in the language they were said in."""
    answers: Resource = {
        "resourceType": "QuestionnaireResponse",
        "identifier": names.identifier("answers"),
        "status": "completed",
        "subject": names.patient,
        "encounter": names.encounter,
        "authored": codes.instant(visit.finished),
        "source": names.patient,
    }
    if language := clean_language(visit.language):
        answers["language"] = language
    if items := list(_dialogue(visit)):
        answers["item"] = items
    return answers


def _dialogue(visit: SignedVisit) -> Iterator[Resource]:
    """The complaint, then a question with the answers to it; a linkId ends in who spoke."""
    if complaint := clean_text(visit.case.complaint):
        yield _item("complaint.patient", "Reason for contact", [complaint])
    asked, speaker, said, number = "", "", list[str](), 0
    for turn in (*visit.case.turns, None):
        asks = turn is not None and turn.speaker in ("assistant", "nurse")
        if turn is None or asks or (said and turn.speaker != speaker):
            if asked or said:
                number += 1
                yield _item(f"turn-{number:03}.{speaker or 'asked'}", asked, said)
            asked, speaker, said = "", "", []
        if turn is None:
            break
        if asks:
            asked = clean_text(turn.text)
        elif text := clean_text(turn.text):
            speaker, said = turn.speaker, [*said, text]


def _item(link: str, asked: str, said: list[str]) -> Resource:
    item: Resource = {"linkId": link} | ({"text": asked} if asked else {})
    return item | ({"answer": [{"valueString": text} for text in said]} if said else {})


def write_observations(visit: SignedVisit, names: Names) -> dict[str, Resource]:
    """One Observation for each vital sign, blood pressure as one; by the name of the measurement."""
    vitals = {
        name: value
        for name, value in visit.case.vitals.measured.items()
        if not isinstance(value, float) or math.isfinite(value)
    }
    found: dict[str, Resource] = {}
    pressure = [_component(name, vitals.pop(name, None)) for name in ("systolic", "diastolic")]
    if any("valueQuantity" in part for part in pressure):
        code = codes.coded(codes.LOINC, codes.BLOOD_PRESSURE, "Blood pressure")
        found["blood_pressure"] = _observation(
            visit, names, "blood_pressure", {"code": code, "component": pressure}
        )
    for name, value in vitals.items():
        if name == "consciousness":
            code = codes.coded(codes.LOINC, codes.RESPONSIVENESS, "Level of responsiveness")
            content: Resource = {"code": code, "valueCodeableConcept": {"text": str(value)}}
        else:
            content = _component(name, value)
        found[name] = _observation(visit, names, name, content)
    return found


def _component(name: str, value: object) -> Resource:
    loinc, text, unit, written = codes.QUANTITIES[name]
    code = {"coding": [{"system": codes.LOINC, "code": c} for c in loinc], "text": text}
    if not isinstance(value, float | int):
        return {"code": code, "dataAbsentReason": codes.coded(codes.ABSENT, "unknown")}
    number = int(value) if float(value).is_integer() else value
    quantity = {"value": number, "unit": written, "system": codes.UCUM, "code": unit}
    return {"code": code, "valueQuantity": quantity}


def _observation(visit: SignedVisit, names: Names, name: str, content: Resource) -> Resource:
    """Final only where staff measured it; what a patient told or nobody vouches for stays preliminary."""
    observation: Resource = {
        "resourceType": "Observation",
        "identifier": [names.identifier(f"observation/{name}")],
        "status": "final" if visit.measured_by == "staff" and name != "pain" else "preliminary",
        "category": [codes.coded(codes.OBSERVATION_CATEGORY, "survey" if name == "pain" else "vital-signs")],
        "subject": names.patient,
        "encounter": names.encounter,
        "effectiveDateTime": codes.instant(visit.finished),
    }
    told = visit.measured_by == "patient" or name == "pain"
    return observation | content | ({"performer": [names.patient]} if told else {})


def write_issues(visit: SignedVisit, names: Names) -> dict[str, Resource]:
    """One DetectedIssue for each rule that fired, by the rule's id.

    Not a Flag: a flag stays on the chart until somebody takes it down, and a rule speaks of one visit.
    """
    if not visit.final.rules:
        return {}
    known = {rule.id: rule.name for rule in load_rules().rules}
    return {
        rule: {
            "resourceType": "DetectedIssue",
            "identifier": [names.identifier(f"issue/{rule}")],
            "status": "final",
            "code": codes.coded(codes.RULE, clean_text(rule), known.get(rule, clean_text(rule))),
            "severity": "high",
            "patient": names.patient,
            "identifiedDateTime": codes.instant(visit.finished),
            "evidence": [{"detail": [names.ref("answers")]}],
        }
        for rule in dict.fromkeys(visit.final.rules)
    }


def own_id(names: Names, key: str) -> str:
    """An id of ours for a type no server can search by identifier."""
    return str(uuid.uuid5(names.signature, f"id/{key}"))
