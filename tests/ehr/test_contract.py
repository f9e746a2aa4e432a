"""What every record system must do with a signature, by the same tests: the embedded desk, the desk behind HTTP,
Medplum's engine (slow, needs npm) and, where FHIR_BASE_URL names one, any other R4 server.

Medplum's engine here refuses what its validator or that of npm `fhir` finds wrong, so each delivery is also a check
of every resource.
"""

import datetime
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.signed import PatientLink, SignedVisit
from prescreen.ehr import codes
from prescreen.ehr.bundle import write_bundle
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.embedded import EmbeddedChannel
from prescreen.ehr.fhir_client import FhirChannel, RecordChannel
from prescreen.ehr.shelf import MemoryShelf
from prescreen.ehr.wire import HttpWire, Reply, Wire
from small_peers import run_peer
from small_visits import later, report, told, visit, visits
from small_web import Asked, Said, serve_web


class Record(NamedTuple):
    """A record system under test."""

    name: str
    wire: Wire
    channel: RecordChannel

    def create(self, kind: str, **fields: Any) -> str:
        """A resource that was there before us; its reference."""
        body = json.dumps({"resourceType": kind, **fields}).encode()
        reply = self.wire.send("POST", kind, body=body)
        assert reply.status == 201, reply.body
        return f"{kind}/{reply.read()['id']}"

    def search(self, kind: str, query: str) -> list[dict[str, Any]]:
        reply = self.wire.send("GET", kind, query=query)
        assert reply.status == 200
        return [entry["resource"] for entry in reply.read().get("entry", [])]

    def of_patient(self, reference: str) -> dict[str, int]:
        kinds = (
            "Encounter",
            "QuestionnaireResponse",
            "Observation",
            "RiskAssessment",
            "Composition",
            "DetectedIssue",
        )
        return {kind: len(self.search(kind, f"patient={reference}&_count=100")) for kind in (*kinds, "Task")}


OTHER = os.environ.get("FHIR_BASE_URL")
RECORDS = ["embedded", "http", pytest.param("medplum", marks=pytest.mark.slow), *(["other"] if OTHER else [])]


@pytest.fixture(scope="module")
def medplum() -> Iterator[str]:
    with run_peer("medplum") as address:
        yield address


@pytest.fixture(scope="module", params=RECORDS)
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    desk = FhirDesk(MemoryShelf())
    if request.param == "embedded":
        yield Record("embedded", desk, EmbeddedChannel(desk))
    elif request.param == "http":
        with serve_web(lambda asked: _ask(desk, asked)) as address:
            yield from _over_http("http", f"{address}/fhir")
    elif request.param == "medplum":
        yield from _over_http("medplum", f"{request.getfixturevalue('medplum')}/fhir")
    else:
        yield from _over_http("other", OTHER or "")


def _ask(desk: FhirDesk, asked: Asked) -> Said:
    reply = desk.handle(asked.method, asked.path.removeprefix("/fhir"), asked.query, asked.headers, asked.body)
    return Said(reply.status, reply.body, reply.headers)


def test_any_other_server() -> None:
    if not OTHER:
        pytest.skip("NOT TESTED: FHIR_BASE_URL names no other server")


def _over_http(name: str, address: str) -> Iterator[Record]:
    channel, wire = FhirChannel(address), HttpWire(address)
    yield Record(name, wire, channel)
    channel.close()
    wire.close()


@pytest.fixture
def patient(record: Record) -> str:
    return record.create("Patient", name=[{"family": "Lindqvist"}], birthDate="1980-02-29", gender="female")


def fresh(**changes: Any) -> SignedVisit:
    """A visit nobody has seen."""
    return visit(**({"id": str(uuid.uuid4()), "visit_id": str(uuid.uuid4())} | changes))


def as_fresh(signed: SignedVisit) -> SignedVisit:
    corrects = str(uuid.uuid4()) if signed.corrects else None
    return signed.model_copy(update={"id": str(uuid.uuid4()), "visit_id": str(uuid.uuid4()), "corrects": corrects})


@pytest.mark.parametrize("name", list(told()))
def test_a_signature_is_stored_once(record: Record, name: str) -> None:
    signed = as_fresh(told()[name])
    assert record.channel.find(signed.id) is None
    receipt = record.channel.deliver(signed)
    assert receipt.reference.startswith("Composition/")
    composition = record.wire.send("GET", "/".join(receipt.reference.split("/")[:2])).read()
    before = record.of_patient(composition["subject"]["reference"])
    assert [record.channel.deliver(signed) for _ in range(2)] == [receipt, receipt]
    assert record.channel.find(signed.id) == receipt
    assert record.of_patient(composition["subject"]["reference"]) == before
    assert before["Composition"] >= 1
    assert before["Task"] >= 1


def test_all_references_lead_somewhere(record: Record, patient: str) -> None:
    record.channel.deliver(fresh(patient=PatientLink(reference=patient)))
    (task,) = record.search("Task", f"patient={patient}")
    assert task["status"] == "completed"
    for reference in (task["focus"], task["for"], task["encounter"], task["requester"]):
        assert record.wire.send("GET", reference["reference"]).status == 200
    (risk,) = record.search("RiskAssessment", f"patient={patient}")
    for basis in (*risk["basis"], risk["performer"]):
        assert record.wire.send("GET", basis["reference"]).status == 200


class Lossy:
    """A wire on which one request is lost: before it arrives, or its answer after."""

    def __init__(self, wire: Wire, lost: int, *, answer: bool) -> None:
        self.wire, self.lost, self.answer, self.sent = wire, lost, answer, 0

    def send(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        self.sent += 1
        if self.sent == self.lost and not self.answer:
            raise DeliveryError("lost", lasting=False)
        reply = self.wire.send(method, path, query, headers, body)
        if self.sent == self.lost:
            raise DeliveryError("lost", lasting=False)
        return reply


@pytest.mark.parametrize("answer", [False, True])
def test_whatever_is_lost_on_the_way_it_is_stored_once(record: Record, answer: bool) -> None:
    lost, finished = 0, False
    while not finished:
        lost += 1
        reference = record.create("Patient", name=[{"family": "Lindqvist"}])
        signed = fresh(patient=PatientLink(reference=reference))
        wire = Lossy(record.wire, lost, answer=answer)
        try:
            RecordChannel(wire).deliver(signed)
        except DeliveryError as error:
            assert not error.lasting
        finished = wire.sent < lost
        record.channel.deliver(signed)
        counts = record.of_patient(reference)
        assert {k: counts[k] for k in ("Composition", "Task", "Encounter", "DetectedIssue", "RiskAssessment")} == {
            "Composition": 1, "Task": 1, "Encounter": 1, "DetectedIssue": 1, "RiskAssessment": 1
        }  # fmt: skip
        assert record.search("Task", f"patient={reference}")[0]["status"] == "completed"
    assert lost == 7  # all six requests of a delivery were lost once


class Between:
    """A wire on which something happens just before the request with the words."""

    def __init__(self, wire: Wire, event: Callable[[], object]) -> None:
        self.wire, self.event, self.posts = wire, event, 0

    def send(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        self.posts += method == "POST"
        if method == "POST" and self.posts == 2:
            self.event()
        return self.wire.send(method, path, query, headers, body)


def test_two_deliveries_at_once_store_one(record: Record, patient: str) -> None:
    signed = fresh(patient=PatientLink(reference=patient))
    first = RecordChannel(Between(record.wire, lambda: record.channel.deliver(signed))).deliver(signed)
    assert first == record.channel.find(signed.id)
    counts = record.of_patient(patient)
    assert (counts["Composition"], counts["Observation"], counts["Task"]) == (1, 5, 1)


class Blind:
    """A wire whose first search finds nothing yet, as where an index lags behind."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.searched = wire, False

    def send(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        if path == "Composition" and not self.searched:
            self.searched = True
            return Reply(200, {}, b'{"resourceType": "Bundle", "type": "searchset"}')
        return self.wire.send(method, path, query, headers, body)


def test_a_search_that_lags_stores_nothing_twice(record: Record, patient: str) -> None:
    signed = fresh(patient=PatientLink(reference=patient))
    first = record.channel.deliver(signed)
    before = record.of_patient(patient)
    assert RecordChannel(Blind(record.wire)).deliver(signed) == first
    assert record.of_patient(patient) == before


def test_a_correction_joins_the_visit_and_raises_its_priority(record: Record, patient: str) -> None:
    link = PatientLink(reference=patient)
    first = fresh(patient=link)
    second = first.model_copy(
        update={
            "id": str(uuid.uuid4()), "corrects": first.id, "signed": later(60),
            "final": report(acuity=Acuity.EMERGENCY),
        }
    )  # fmt: skip
    one = record.channel.deliver(first)
    record.channel.deliver(second)
    (encounter,) = record.search("Encounter", f"patient={patient}")
    assert encounter["priority"]["coding"][0]["code"] == "EM"
    found = record.search("Composition", f"patient={patient}")
    assert sorted(c["status"] for c in found) == ["amended", "final"]
    assert record.channel.find(first.id) == one
    assert len(record.search("Task", f"patient={patient}")) == 2


def test_an_encounter_begun_in_the_record_goes_on(record: Record, patient: str) -> None:
    encounter = record.create(
        "Encounter", status="arrived", subject={"reference": patient}, period={"start": "2026-03-02T09:00:00Z"},
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
    )  # fmt: skip
    record.channel.deliver(fresh(patient=PatientLink(reference=patient, encounter=encounter)))
    (stored,) = record.search("Encounter", f"patient={patient}")
    assert (stored["status"], stored["priority"]["text"]) == ("triaged", "high")
    assert stored["statusHistory"][0]["status"] == "arrived"
    (composition,) = record.search("Composition", f"patient={patient}")
    assert composition["encounter"]["reference"] == encounter


def test_a_finished_encounter_is_not_opened_again(record: Record, patient: str) -> None:
    encounter = record.create(
        "Encounter", status="finished", subject={"reference": patient},
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
    )  # fmt: skip
    record.channel.deliver(fresh(patient=PatientLink(reference=patient, encounter=encounter)))
    assert record.search("Encounter", f"patient={patient}")[0]["status"] == "finished"


def test_an_encounter_of_somebody_else_takes_no_report(record: Record, patient: str) -> None:
    other = record.create("Patient", name=[{"family": "Brandt"}])
    encounter = record.create(
        "Encounter", status="arrived", subject={"reference": other},
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
    )  # fmt: skip
    signed = fresh(patient=PatientLink(reference=patient, encounter=encounter))
    with pytest.raises(DeliveryError, match="another patient") as refused:
        record.channel.deliver(signed)
    assert refused.value.lasting
    assert record.channel.find(signed.id) is None


def test_an_encounter_changed_meanwhile_is_not_overwritten(record: Record, patient: str) -> None:
    encounter = record.create(
        "Encounter", status="arrived", subject={"reference": patient},
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
    )  # fmt: skip

    def finish() -> None:
        held = record.wire.send("GET", encounter).read() | {"status": "finished"}
        assert record.wire.send("PUT", encounter, body=json.dumps(held).encode()).status == 200

    signed = fresh(patient=PatientLink(reference=patient, encounter=encounter))
    with pytest.raises(DeliveryError, match="changed the visit meanwhile") as refused:
        RecordChannel(Between(record.wire, finish)).deliver(signed)
    assert not refused.value.lasting
    assert record.channel.find(signed.id) is None
    record.channel.deliver(signed)
    assert record.search("Encounter", f"patient={patient}")[0]["status"] == "finished"


@pytest.mark.parametrize("sign", ["", " ", ",", "$", "\\", "&b=c#+%", "|"])
def test_a_patient_is_found_by_the_identifier(record: Record, sign: str) -> None:
    number = f"A{sign}{uuid.uuid4()}"
    known = record.create(
        "Patient", identifier=[{"system": "urn:oid:2.999.7", "value": number}], name=[{"family": "Lindqvist"}]
    )
    link = PatientLink(identifier_system="urn:oid:2.999.7", identifier=number, family="Lind")
    signed = fresh(patient=link)
    receipt = record.channel.deliver(signed)
    composition = record.wire.send("GET", "/".join(receipt.reference.split("/")[:2])).read()
    if (record.name, sign) != ("medplum", "|"):  # its in-memory search reads no escaped bar
        assert composition["subject"]["reference"] == known
    assert record.wire.send("GET", known).read()["name"][0]["family"] == "Lindqvist"


def test_two_patients_of_one_identifier_stop_the_delivery(record: Record) -> None:
    held = {"system": "urn:oid:2.999.7", "value": str(uuid.uuid4())}
    for family in ("Lindqvist", "Brandt"):
        record.create("Patient", identifier=[held], name=[{"family": family}])
    link = PatientLink(identifier_system=held["system"], identifier=held["value"])
    with pytest.raises(DeliveryError, match="more than one") as refused:
        record.channel.deliver(fresh(patient=link))
    assert refused.value.lasting
    assert held["value"] not in str(refused.value)


def test_a_stale_update_is_refused(record: Record, patient: str) -> None:
    held = record.wire.send("GET", patient).read()
    stale = {"If-Match": f'W/"{held["meta"]["versionId"]}"'}
    body = json.dumps(held | {"gender": "other"}).encode()
    assert record.wire.send("PUT", patient, headers=stale, body=body).status == 200
    assert record.wire.send("PUT", patient, headers=stale, body=body).status in (409, 412)


def coded(code: str, system: str = "http://snomed.info/sct") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def state(code: str, of: str = "condition") -> dict[str, Any]:
    kind = f"{of}-{'ver-status' if of == 'condition-ver' else 'clinical'}"
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{kind}", "code": code}]}


def test_history_tells_what_is_active(record: Record, patient: str) -> None:
    subject = {"subject": {"reference": patient}}
    record.create("Condition", **subject, code={"text": "asthma"}, clinicalStatus=state("active"))
    record.create("Condition", **subject, code={"text": "measles"}, clinicalStatus=state("resolved"))
    for status, name in (("active", "salbutamol"), ("stopped", "prednisolone")):
        record.create(
            "MedicationRequest", **subject, status=status, intent="order", medicationCodeableConcept={"text": name}
        )
    taken = {"medicationReference": {"display": "ibuprofen"}}
    record.create("MedicationStatement", **subject, status="active", **taken)
    ordered = record.create("Medication", code={"text": "loratadine"})
    record.create("MedicationStatement", **subject, status="active", medicationReference={"reference": ordered})
    record.create(
        "AllergyIntolerance", patient={"reference": patient}, code=coded("716186003"),
        clinicalStatus=state("active", "allergyintolerance"),
    )  # fmt: skip
    history = record.channel.read_history(patient)
    assert history.conditions == ("asthma",)
    assert set(history.medications or ()) == {"salbutamol", "ibuprofen", "loratadine"}
    assert history.allergies == ()
    assert (history.patient.reference, history.patient.family, history.patient.sex) == (
        patient,
        "Lindqvist",
        "female",
    )
    assert history.age_years is not None
    assert history.age_years > 45


def test_an_empty_record_knows_nothing(record: Record, patient: str) -> None:
    history = record.channel.read_history(patient)
    assert (history.conditions, history.medications, history.allergies) == (None, None, None)


def test_an_unknown_patient_is_no_empty_one(record: Record) -> None:
    with pytest.raises(DeliveryError, match="does not know") as refused:
        record.channel.read_history(f"Patient/{uuid.uuid4()}")
    assert refused.value.lasting


def test_many_rows_are_read_to_the_end_or_not_at_all(record: Record, patient: str) -> None:
    for number in range(230):
        record.create(
            "AllergyIntolerance", patient={"reference": patient}, code={"text": f"pollen {number}"},
            clinicalStatus=state("active", "allergyintolerance"),
        )  # fmt: skip
    if record.name == "medplum":  # its in-memory repository offers no next page
        with pytest.raises(DeliveryError, match="only a part"):
            record.channel.read_history(patient)
    else:
        assert len(record.channel.read_history(patient).allergies or ()) == 230


def test_what_came_within_three_days_is_read(record: Record, patient: str) -> None:
    signed = fresh(patient=PatientLink(reference=patient))
    record.channel.deliver(signed)
    since = signed.signed
    assert record.channel.read_aftermath(signed.id, None, since) is None
    other = record.create("Patient", gender="female")
    for who, hours, code, status in (
        (patient, -30, "IMP", "finished"),
        (patient, 73, "IMP", "finished"),
        (patient, 10, "IMP", "cancelled"),
        (other, 10, "IMP", "finished"),
        (patient, 20, "EMER", "in-progress"),
    ):
        start = (since + datetime.timedelta(hours=hours)).isoformat()
        record.create(
            "Encounter", status=status, subject={"reference": who}, period={"start": start},
            **{"class": {"system": codes.ACT_CODE, "code": code}},
        )  # fmt: skip
    found = record.channel.read_aftermath(signed.id, None, since)
    at = since + datetime.timedelta(hours=20)
    assert found is not None and (found.kind, found.at) == ("emergency visit", at)


def test_the_whole_bundle_twice(record: Record) -> None:
    """Medplum refuses it for its size: the reason why a delivery has two steps."""
    signed = fresh()
    body = json.dumps(write_bundle(signed)).encode()
    first = record.wire.send("POST", "", body=body)
    if record.name == "medplum":
        assert first.status == 400
        assert b"too many entries" in first.body
        return
    second = record.wire.send("POST", "", body=body)
    places = [[e["response"]["location"] for e in reply.read()["entry"]] for reply in (first, second)]
    assert places[0] == places[1]
    assert record.channel.deliver(signed).reference in places[0]


def find_faults(medplum: str, bundle: dict[str, Any]) -> list[str]:
    checker = HttpWire(medplum)
    reply = checker.send("POST", "check", body=json.dumps(bundle).encode())
    checker.close()
    assert reply.status == 200
    found: list[str] = json.loads(reply.body)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", list(told()))
def test_both_validators_find_nothing_in_the_whole_bundle(medplum: str, name: str) -> None:
    assert find_faults(medplum, write_bundle(told()[name])) == []


@pytest.mark.slow
@settings(max_examples=30)
@given(visits())
def test_both_validators_find_nothing_in_any_bundle(medplum: str, signed: SignedVisit) -> None:
    assert find_faults(medplum, write_bundle(signed)) == []


@pytest.mark.slow
def test_the_validators_do_find_faults(medplum: str) -> None:
    bundle = write_bundle(told()["agreed"])
    bundle["entry"][1]["resource"]["status"] = "nonsense"
    bundle["entry"][0]["resource"]["contact"] = [{"gender": "male"}]
    faults = find_faults(medplum, bundle)
    assert any(fault.startswith("Encounter: fhir:") for fault in faults), faults
    assert any(fault.startswith("Patient: medplum:") and "pat-1" in fault for fault in faults), faults
