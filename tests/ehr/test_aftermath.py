"""The 72 hours after a signature, out of a record: what counts, what does not, and what is said to be unknown."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import FOLLOWED, USUAL, Later, choose_worst
from prescreen.ehr.aftermath import KINDS, NOT_MET, local_reference, read_aftermath
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.embedded import EmbeddedChannel
from prescreen.ehr.fhir_client import FhirChannel
from prescreen.ehr.moments import overlaps, read_span
from prescreen.ehr.paging import PAGES
from prescreen.ehr.shelf import Bound, MemoryShelf
from prescreen.ehr.wire import HttpWire, Wire
from small_visits import later as after_opening
from small_visits import report, visit
from small_web import Asked, Said, serve_web

SINCE = datetime.datetime(2026, 11, 20, 9, 0, 0, 500_000, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
EDGE = datetime.timedelta(microseconds=1)
SECRET = "Lindqvist"


def put(wire: Wire, kind: str, **fields: Any) -> str:
    reply = wire.send("POST", kind, body=json.dumps({"resourceType": kind, **fields}).encode())
    assert reply.status == 201, reply.body
    return f"{kind}/{reply.read()['id']}"


def encounter(patient: str, start: datetime.datetime | str, code: str = "EMER", **changes: Any) -> dict[str, Any]:
    told = start if isinstance(start, str) else start.isoformat()
    made = {"status": "finished", "class": {"code": code}, "subject": {"reference": patient}}
    return made | {"period": {"start": told}} | changes


@pytest.fixture
def desk() -> FhirDesk:
    return FhirDesk(MemoryShelf())


@pytest.fixture(params=["embedded", "http"])
def wire(request: pytest.FixtureRequest, desk: FhirDesk) -> Iterator[Wire]:
    if request.param == "embedded":
        yield desk
        return

    def answer(asked: Asked) -> Said:
        reply = desk.handle(asked.method, asked.path.removeprefix("/fhir"), asked.query, asked.headers, asked.body)
        return Said(reply.status, reply.body, reply.headers)

    with serve_web(answer) as address:
        made = HttpWire(f"{address}/fhir")
        yield made
        made.close()


@pytest.fixture
def patient(wire: Wire) -> str:
    return put(wire, "Patient", name=[{"family": SECRET}])


def test_only_what_happened_to_this_patient_within_the_time_counts(wire: Wire, patient: str) -> None:
    other = put(wire, "Patient")
    for start in (SINCE - 30 * 24 * HOUR, SINCE, SINCE + FOLLOWED + EDGE):
        put(wire, "Encounter", **encounter(patient, start))
    put(wire, "Encounter", **encounter(other, SINCE + HOUR))
    for status in sorted(NOT_MET):
        put(wire, "Encounter", **encounter(patient, SINCE + HOUR, status=status))
    put(wire, "Encounter", **encounter(patient, SINCE + HOUR, "PRENC"))
    assert read_aftermath(wire, patient, SINCE) is None
    put(wire, "Encounter", **encounter(patient, SINCE + 50 * HOUR, "VR"))
    assert read_aftermath(wire, patient, SINCE) == Later(kind="came again", at=SINCE + 50 * HOUR, level=Acuity.LOW)
    put(wire, "Encounter", **encounter(patient, SINCE + 60 * HOUR))
    put(wire, "Encounter", **encounter(patient, SINCE + 40 * HOUR))
    assert read_aftermath(wire, patient, SINCE) == Later(
        kind="emergency visit", at=SINCE + 40 * HOUR, level=Acuity.HIGH
    )
    put(wire, "Encounter", **encounter(patient, SINCE + FOLLOWED, "IMP"))
    assert read_aftermath(wire, patient, SINCE) == Later(kind="admission", at=SINCE + FOLLOWED, level=Acuity.HIGH)


@given(st.timedeltas(-FOLLOWED, 2 * FOLLOWED) | st.sampled_from([-EDGE, 0 * EDGE, EDGE, FOLLOWED, FOLLOWED + EDGE]))
def test_the_time_begins_after_the_signature_and_ends_with_the_72nd_hour(after: datetime.timedelta) -> None:
    desk = FhirDesk(MemoryShelf())
    patient = put(desk, "Patient")
    put(desk, "Encounter", **encounter(patient, SINCE + after))
    found = read_aftermath(desk, patient, SINCE)
    within = datetime.timedelta() < after <= FOLLOWED
    assert found == (Later(kind="emergency visit", at=SINCE + after, level=Acuity.HIGH) if within else None)


@given(st.integers(-14, 14), st.timedeltas(-FOLLOWED, 2 * FOLLOWED))
def test_a_time_zone_changes_nothing(zone: int, after: datetime.timedelta) -> None:
    desk = FhirDesk(MemoryShelf())
    patient = put(desk, "Patient")
    start = (SINCE + after).astimezone(datetime.timezone(datetime.timedelta(hours=zone)))
    put(desk, "Encounter", **encounter(patient, start))
    own = SINCE.astimezone(datetime.timezone(datetime.timedelta(hours=-zone)))
    assert read_aftermath(desk, patient, own) == read_aftermath(desk, patient, SINCE)
    assert (read_aftermath(desk, patient, own) is not None) == (datetime.timedelta() < after <= FOLLOWED)


def test_the_urgency_is_the_records_where_it_says_one(desk: FhirDesk) -> None:
    told = {}
    for code, text in (("EM", ""), ("UR", ""), ("UR", "medium"), ("R", ""), ("EL", ""), ("CSR", "")):
        patient = put(desk, "Patient")
        priority = {"coding": [{"code": code}], **({"text": text} if text else {})}
        put(desk, "Encounter", **encounter(patient, SINCE + HOUR, "IMP", priority=priority))
        found = read_aftermath(desk, patient, SINCE)
        assert found is not None
        told[code, text] = found.level.value
    assert told == {
        ("EM", ""): "emergency", ("UR", ""): "high", ("UR", "medium"): "medium", ("R", ""): "low",
        ("EL", ""): "low", ("CSR", ""): "high",
    }  # fmt: skip


def test_who_was_there_already_and_is_admitted_later_counts_as_admitted(desk: FhirDesk) -> None:
    patient = put(desk, "Patient")
    period = {"start": (SINCE - HOUR).isoformat()}
    moved = {"start": (SINCE + 5 * HOUR).isoformat()}
    history = [{"class": {"code": "EMER"}, "period": period}, {"class": {"code": "IMP"}, "period": moved}]
    held = put(desk, "Encounter", **encounter(patient, SINCE - HOUR, "IMP", classHistory=history))
    admitted = Later(kind="admission", at=SINCE + 5 * HOUR, level=Acuity.HIGH)
    assert read_aftermath(desk, patient, SINCE) == admitted
    assert read_aftermath(desk, patient, SINCE, own=held) == admitted


def test_the_visits_own_encounter_is_not_a_return(desk: FhirDesk) -> None:
    patient = put(desk, "Patient")
    own = put(desk, "Encounter", **encounter(patient, SINCE + HOUR, "AMB"))
    assert read_aftermath(desk, patient, SINCE, own=own) is None
    assert read_aftermath(desk, patient, SINCE) is not None


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"deceasedBoolean": True}, SINCE + FOLLOWED),
        ({"deceasedBoolean": False}, None),
        ({"deceasedDateTime": "2026-11-22T10:00:00+01:00"}, SINCE.replace(day=22, microsecond=0)),
        ({"deceasedDateTime": "2026-11-20"}, SINCE),
        ({"deceasedDateTime": "2026-11"}, SINCE),
        ({"deceasedDateTime": "2026-11-19"}, None),
        ({"deceasedDateTime": "2026-11-24"}, None),
        ({}, None),
    ],
)
def test_a_death_counts_with_whatever_is_known_of_its_time(
    desk: FhirDesk, fields: dict[str, Any], at: datetime.datetime | None
) -> None:
    patient = put(desk, "Patient", **fields)
    put(desk, "Encounter", **encounter(patient, SINCE + HOUR, priority={"coding": [{"code": "EM"}]}))
    found = read_aftermath(desk, patient, SINCE)
    assert found is not None
    assert (found.kind, found.at) == (("died", at) if at else ("emergency visit", SINCE + HOUR))


def test_a_day_without_a_time_counts_unless_it_may_be_the_contact_itself(desk: FhirDesk) -> None:
    told = {}
    for code in ("EMER", "AMB"):
        for day in ("2026-11-19", "2026-11-20", "2026-11-21", "2026-11-23", "2026-11-24"):
            patient = put(desk, "Patient")
            put(desk, "Encounter", **encounter(patient, day, code))
            found = read_aftermath(desk, patient, SINCE)
            told[code, day[-2:]] = found.at if found else None
    midnight = SINCE.replace(hour=0, microsecond=0)
    assert told == {
        ("EMER", "19"): None, ("EMER", "20"): SINCE, ("EMER", "21"): midnight.replace(day=21),
        ("EMER", "23"): midnight.replace(day=23), ("EMER", "24"): None,
        ("AMB", "19"): None, ("AMB", "20"): None, ("AMB", "21"): midnight.replace(day=21),
        ("AMB", "23"): midnight.replace(day=23), ("AMB", "24"): None,
    }  # fmt: skip


def test_a_merged_patient_is_followed_and_both_names_count(desk: FhirDesk) -> None:
    kept = put(desk, "Patient")
    gone = put(desk, "Patient", link=[{"other": {"reference": f"https://r.example/{kept}"}, "type": "replaced-by"}])
    for name in (gone, kept):
        assert read_aftermath(desk, gone, SINCE) is None or name is kept
        put(desk, "Encounter", **encounter(name, SINCE + (2 if name is gone else 1) * HOUR))
    found = read_aftermath(desk, gone, SINCE)
    assert found is not None and found.at == SINCE + HOUR
    turning = put(desk, "Patient", id="a")
    link = {"other": {"reference": "Patient/b"}, "type": "replaced-by"}
    ring = json.dumps({"resourceType": "Patient", "id": "b", "link": [link]})
    desk.send("PUT", "Patient/b", body=ring.encode())
    with pytest.raises(DeliveryError, match="over and over"):
        read_aftermath(desk, "Patient/b", SINCE)
    assert read_aftermath(desk, turning, SINCE) is None


def test_pages_are_read_to_the_end(wire: Wire, patient: str) -> None:
    for _ in range(130):
        put(wire, "Encounter", **encounter(patient, SINCE + HOUR, "AMB", status="planned"))
    put(wire, "Encounter", **encounter(patient, SINCE + 2 * HOUR, "IMP"))
    found = read_aftermath(wire, patient, SINCE)
    assert found is not None and found.kind == "admission"


def ask(answer: Any) -> Later | None:
    """What is read from a server that answers so; the patient is there."""
    person = json.dumps({"resourceType": "Patient", "id": "1", "name": [{"family": SECRET}]}).encode()

    def answer_all(asked: Asked) -> Said:
        return Said(body=person) if asked.path == "/Patient/1" else answer(asked)

    with serve_web(answer_all) as address:
        wire = HttpWire(address, timeout_s=2)
        try:
            return read_aftermath(wire, "Patient/1", SINCE)
        finally:
            wire.close()


def bundle(*rows: dict[str, Any], **more: Any) -> bytes:
    entries = [{"resource": {"resourceType": "Encounter", "id": f"e{n}", **row}} for n, row in enumerate(rows)]
    return json.dumps({"resourceType": "Bundle", "entry": entries, **more}).encode()


@pytest.mark.parametrize(("status", "lasting"), [(400, True), (403, True), (404, True), (500, False), (429, False)])
def test_a_record_that_does_not_answer_never_means_nothing(status: int, lasting: bool) -> None:
    with pytest.raises(DeliveryError) as error:
        ask(lambda asked: Said(status, SECRET.encode()))
    assert error.value.lasting is lasting and SECRET not in str(error.value)


def test_a_page_that_fails_or_is_missing_never_means_nothing() -> None:
    link = [{"relation": "next", "url": "https://elsewhere.example/x?page=2"}]
    seen: list[str] = []

    def second_fails(asked: Asked) -> Said:
        seen.append(asked.query)
        return Said(503) if "page=2" in asked.query else Said(body=bundle(link=link))

    with pytest.raises(DeliveryError) as error:
        ask(second_fails)
    assert not error.value.lasting and seen[1:] == ["page=2"]
    assert "date=ge2026-11-20T09:00:00Z" in seen[0] and "patient=Patient/1" in seen[0]
    with pytest.raises(DeliveryError, match="only a part"):
        ask(lambda asked: Said(body=bundle(total=3)))
    with pytest.raises(DeliveryError, match=f"more Encounter than {PAGES} pages"):
        ask(lambda asked: Said(body=bundle(link=link)))


def test_a_server_that_overlooks_the_question_is_not_believed() -> None:
    rows = [
        encounter("Patient/2", SINCE + HOUR),
        encounter("Group/1", SINCE + HOUR),
        encounter("Patient/1", SINCE - HOUR),
        {**encounter("Patient/1", SINCE + HOUR), "subject": None},
    ]
    assert ask(lambda asked: Said(body=bundle(*rows))) is None
    rows.append(encounter("https://r.example/fhir/Patient/1/_history/3", SINCE + HOUR))
    assert ask(lambda asked: Said(body=bundle(*rows))) is not None


@pytest.mark.parametrize(
    "broken",
    [
        {"period": {}},
        {"period": {"start": "yesterday"}},
        {"period": None},
        {"classHistory": [{"class": {"code": "EMER"}}]},
    ],
)
def test_an_encounter_without_its_time_leaves_it_unknown(broken: dict[str, Any]) -> None:
    row = encounter("Patient/1", SINCE + HOUR) | broken
    with pytest.raises(DeliveryError, match="when an encounter began") as error:
        ask(lambda asked: Said(body=bundle(row)))
    assert error.value.lasting and SECRET not in str(error.value)


def test_a_signature_says_who_the_patient_is(desk: FhirDesk) -> None:
    channel = EmbeddedChannel(desk)
    signed = visit()
    channel.deliver(signed)
    since = signed.signed
    assert channel.read_aftermath(signed.id, None, since) is None, "its own encounter is no return"
    found = desk.handle("GET", "Encounter").read()["entry"][0]["resource"]
    patient = found["subject"]["reference"]
    put(desk, "Encounter", **encounter(patient, since + HOUR))
    first = channel.read_aftermath(signed.id, None, since)
    assert first is not None and first.kind == "emergency visit"
    final, at = report(acuity=Acuity.EMERGENCY), after_opening(50)
    changed = visit(5, visit_id=signed.visit_id, corrects=signed.id, signed=at, final=final)
    channel.deliver(changed)
    assert channel.read_aftermath(signed.id, None, since) == first, "a correction hides nothing"
    with pytest.raises(DeliveryError, match="does not hold this signature") as error:
        channel.read_aftermath(visit(9).id, None, since)
    assert not error.value.lasting
    assert channel.read_aftermath(visit(9).id, patient, since) == first


def test_what_cannot_be_read_is_an_error_without_a_name() -> None:
    def answer(asked: Asked) -> Said:
        if asked.path.endswith("Composition"):
            return Said(body=b'{"resourceType": "Bundle"}')
        return Said(body=json.dumps({"resourceType": "Patient", "link": SECRET}).encode())

    with serve_web(answer) as address:
        channel = FhirChannel(address)
        with pytest.raises(DeliveryError, match="in no form we can read") as error:
            channel.read_aftermath(visit().id, "Patient/1", SINCE)
        assert error.value.lasting and SECRET not in str(error.value) and "Patient/1" not in str(error.value)
        channel.close()


def test_a_reference_may_name_the_server_and_nothing_else() -> None:
    told = {"Patient/1": "Patient/1", "https://h/f/Patient/1/_history/2": "Patient/1", "Group/1": None, "": None}
    assert {text: local_reference({"reference": text}, "Patient") for text in told} == told
    assert local_reference(None, "Patient") is None


LATERS = st.builds(
    Later,
    kind=st.sampled_from(sorted(set(KINDS.values()) | {"came again", "died"})),
    at=st.datetimes(timezones=st.just(datetime.UTC)),
    level=st.sampled_from(list(Acuity)),
)


@given(st.lists(LATERS, max_size=6), st.randoms())
def test_the_worst_is_the_most_urgent_whatever_the_order(events: list[Later], chance: Any) -> None:
    worst = choose_worst(events)
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert choose_worst(shuffled) == worst and (worst is None) == (not events)
    if worst is not None:
        rank = list(USUAL).index
        assert all((e.level.rank, rank(e.kind)) <= (worst.level.rank, rank(worst.kind)) for e in events)


@pytest.mark.parametrize(
    ("told", "low", "high"),
    [
        ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00", "2026-11-20T09:00:00"),
        ("2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00", "2026-11-20T09:00:00"),
        ("2026-11-20", "2026-11-20T00:00:00", "2026-11-21T00:00:00"),
        ("2026-12", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("2026", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_a_text_means_all_of_its_span(told: str, low: str, high: str) -> None:
    span = read_span(told)
    assert span is not None
    assert [m.replace(tzinfo=None).isoformat() for m in span] == [low, high]


@given(st.text(max_size=30) | st.none() | st.sampled_from(["9999", "0000-01", "2026-13", "9999-12-31"]))
def test_no_text_is_a_fault(told: object) -> None:
    span = read_span(told)
    assert span is None or span.low <= span.high


def test_a_period_meets_a_bound_as_a_search_by_date_asks() -> None:
    noon = SINCE.replace(microsecond=0)
    closed = {"start": (noon - HOUR).isoformat(), "end": (noon + HOUR).isoformat()}
    sides = {
        side: [overlaps(closed, (Bound(side, noon + n * HOUR),)) for n in (-2, -1, 0, 1, 2)]  # type: ignore[arg-type]
        for side in ("ge", "gt", "le", "lt")
    }
    assert sides == {
        "ge": [True, True, True, True, False],
        "gt": [True, True, True, False, False],
        "le": [False, True, True, True, True],
        "lt": [False, False, True, True, True],
    }
    assert overlaps({"start": closed["start"]}, (Bound("ge", noon + 9999 * HOUR),))
    assert not overlaps({}, (Bound("ge", noon),)) and not overlaps(None, (Bound("lt", noon),))


def test_the_embedded_record_searches_encounters_of_one_patient_by_date(desk: FhirDesk) -> None:
    patient = put(desk, "Patient")
    for hours in range(7):
        end = {"end": (SINCE + (hours + 1) * HOUR).isoformat()}
        start = encounter(patient, SINCE + hours * HOUR)
        put(desk, "Encounter", **start | {"period": start["period"] | end})
    first = desk.handle("GET", "Encounter", f"patient={patient}&date=ge2026-11-20T12:00:00Z&_count=2").read()
    assert first["total"] == 5 and len(first["entry"]) == 2
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    rest = desk.handle("GET", "Encounter", following.partition("?")[2]).read()
    assert {e["resource"]["id"] for e in rest["entry"]}.isdisjoint(e["resource"]["id"] for e in first["entry"])
    for kind, query in (
        ("Encounter", "date=ge2026"),
        ("Encounter", f"patient={patient}&date=2026"),
        ("Observation", f"patient={patient}&date=ge2026-11-20"),
    ):
        assert desk.handle("GET", kind, query).status == 400
    conditional = json.dumps({"resourceType": "Encounter"}).encode()
    headers = {"If-None-Exist": f"identifier=x&patient={patient}&date=ge2026-11-20"}
    assert desk.handle("POST", "Encounter", "", headers, conditional).status == 412
