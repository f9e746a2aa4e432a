"""A signed visit as a Bundle: golden files, and what holds for every visit."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.signed import PatientLink, SignedVisit
from prescreen.ehr.bundle import stage_bundle, write_bundle
from prescreen.ehr.checks import check_bundle, is_safe_narrative
from prescreen.ehr.codes import AI_ASSERTED, BundleError, Resource
from prescreen.ehr.labels import clean_text
from small_visits import MODEL, report, reports, told, visit, visits

GOLDEN = Path(__file__).parents[1] / "fixtures" / "fhir"


def dump(bundle: Resource) -> str:
    return json.dumps(bundle, ensure_ascii=False, indent=1) + "\n"


def of(bundle: Resource, kind: str) -> list[Resource]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


@pytest.mark.parametrize("name", list(told()))
def test_golden_bundle(name: str) -> None:
    """PRESCREEN_GOLDEN=write makes the files anew; read the difference before it is committed."""
    file, written = GOLDEN / f"{name}.json", dump(write_bundle(told()[name]))
    if os.environ.get("PRESCREEN_GOLDEN") == "write":
        file.write_text(written, encoding="utf-8")
    assert written == file.read_text(encoding="utf-8")


@settings(max_examples=150)
@given(visits())
def test_every_bundle_is_valid_and_repeats(signed: SignedVisit) -> None:
    from fhir.resources.R4B.bundle import Bundle

    bundle = check_bundle(write_bundle(signed))
    Bundle.model_validate(bundle)
    again = signed.model_copy(deep=True)
    assert dump(bundle).encode() == dump(write_bundle(again)).encode()


@settings(max_examples=150)
@given(visits())
def test_no_script_survives_and_no_word_is_lost(signed: SignedVisit) -> None:
    (composition,) = of(write_bundle(signed), "Composition")
    shown = ""
    for section in composition["section"]:
        assert is_safe_narrative(section["text"]["div"])
        shown += "".join(ElementTree.fromstring(section["text"]["div"]).itertext())
    for text in (signed.final.summary, signed.note, signed.final.rationale, *signed.final.next_steps):
        assert "".join(clean_text(text).splitlines()) in shown


@settings(max_examples=100)
@given(visits(), reports())
def test_the_unsigned_draft_reaches_the_risk_assessment_alone(signed: SignedVisit, other: object) -> None:
    """Another draft changes nothing that is signed, and of the RiskAssessment only the level."""
    signed = signed.model_copy(update={"model": MODEL, "draft": report(model_acuity=Acuity.LOW)})
    changed = signed.model_copy(update={"draft": other})
    one, two = ([json.dumps(e) for e in write_bundle(v)["entry"]] for v in (signed, changed))
    assert {json.loads(e)["resource"]["resourceType"] for e in set(one) ^ set(two)} <= {
        "RiskAssessment",
        "Provenance",
    }
    first, rest = of(write_bundle(signed), "RiskAssessment"), of(write_bundle(changed), "RiskAssessment")
    assert first[0]["prediction"][0]["qualitativeRisk"]["text"] == "low"
    for proposal in (*first, *rest):
        del proposal["prediction"][0]["qualitativeRisk"]
    assert rest in ([], first)


@pytest.mark.parametrize("level", list(Acuity))
def test_priority_is_the_signed_level(level: Acuity) -> None:
    signed = visit(final=report(acuity=level), draft=report(model_acuity=Acuity.LOW, acuity=Acuity.LOW))
    (encounter,) = of(write_bundle(signed), "Encounter")
    code = encounter["priority"]["coding"][0]["code"]
    assert (code, encounter["priority"]["text"]) == ({0: "R", 1: "UR", 2: "UR", 3: "EM"}[level.rank], level.value)


@given(visits())
def test_only_what_ai_made_is_labelled_so(signed: SignedVisit) -> None:
    bundle = write_bundle(signed)
    labelled = [
        r["resourceType"]
        for e in bundle["entry"]
        if AI_ASSERTED in (r := e["resource"]).get("meta", {}).get("security", [])
    ]
    proposed = bool(signed.draft and signed.model and signed.draft.model_acuity)
    assert labelled == ["RiskAssessment"] * proposed
    assert len(of(bundle, "Provenance")) == 1 + bool(signed.model)
    assert not any("performer" in o and "Device" in json.dumps(o["performer"]) for o in of(bundle, "Observation"))


def test_a_correction_replaces_and_shares_the_visit() -> None:
    first, second = write_bundle(told()["agreed"]), write_bundle(told()["correction"])
    (composition,) = of(second, "Composition")
    assert composition["status"] == "amended"
    assert composition["relatesTo"][0]["targetIdentifier"] == of(first, "Composition")[0]["identifier"]
    for kind, shared in (("Patient", True), ("Encounter", True), ("Device", True), ("Task", False)):
        same = of(first, kind)[0]["identifier"] == of(second, kind)[0]["identifier"]
        assert same is shared, kind


def test_a_known_patient_is_not_written_again() -> None:
    bundle = write_bundle(visit(patient=PatientLink(reference="Patient/p1", family="Okafor")))
    assert of(bundle, "Patient") == []
    assert of(bundle, "Composition")[0]["subject"] == {"reference": "Patient/p1"}
    assert "Okafor" not in dump(bundle)


def test_two_visits_without_an_identifier_are_two_patients() -> None:
    one, two = (of(write_bundle(visit(n)), "Patient")[0]["identifier"] for n in (1, 2))
    assert one != two


@pytest.mark.parametrize(
    "reference", ["Patient/../admin", "Observation/1", "https://x/Patient/1", "Patient/1?x", ""]
)
def test_a_reference_is_no_way_into_an_address(reference: str) -> None:
    if reference == "":
        reference = "Patient/"
    with pytest.raises(BundleError, match="must look like"):
        write_bundle(visit(patient=PatientLink(reference=reference)))


def test_a_signature_needs_a_uuid() -> None:
    with pytest.raises(BundleError, match="UUID"):
        write_bundle(visit(id="17"))


@given(visits())
def test_the_steps_hold_what_the_whole_holds(signed: SignedVisit) -> None:
    bundle = write_bundle(signed)
    staged = stage_bundle(bundle)
    assert len(staged.ground["entry"]) <= 8  # what Medplum takes with conditions
    kinds = [e["resource"]["resourceType"] for step in staged[:2] for e in step["entry"]]
    assert sorted(kinds) == sorted(e["resource"]["resourceType"] for e in bundle["entry"])
    assert all(set(e["request"]) == {"method", "url"} for e in staged.words["entry"])
    assert bundle == write_bundle(signed)


def test_measured_by_decides_the_status() -> None:
    for who, status in ((None, "preliminary"), ("patient", "preliminary"), ("staff", "final")):
        found = of(write_bundle(visit(measured_by=who)), "Observation")
        heart = next(o for o in found if o["code"]["text"] == "Heart rate")
        assert (heart["status"], "performer" in heart) == (status, who == "patient")
