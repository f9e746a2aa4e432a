"""The embedded record: versions, conditions, transactions, and what it refuses."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.metadata import KINDS
from prescreen.ehr.shelf import MemoryShelf, Shelf
from prescreen.ehr.wire import Reply
from small_shelf import RULES

HELD = {"system": "urn:oid:2.999.1", "value": "7"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_memory_shelf(rule: Callable[[Shelf], None]) -> None:
    rule(MemoryShelf())


@pytest.fixture
def desk() -> FhirDesk:
    return FhirDesk(MemoryShelf())


def send(desk: FhirDesk, method: str, path: str, body: object = None, query: str = "", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return desk.handle(method, path, query, named, b"" if body is None else json.dumps(body).encode())


def patient(**fields: object) -> dict[str, object]:
    return {"resourceType": "Patient", **fields}


def entry(
    method: str, url: str, resource: dict[str, Any], full: str | None = None, **request: str
) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": method, "url": url, **request}} | (
        {"fullUrl": full} if full else {}
    )


def transaction(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def count(desk: FhirDesk, kind: str = "Patient") -> int:
    return int(send(desk, "GET", kind).read()["total"])


def test_a_resource_goes_through_its_versions(desk: FhirDesk) -> None:
    made = send(desk, "POST", "Patient", patient(gender="female", id="mine", meta={"versionId": "9"}))
    held = made.read()
    assert (made.status, made.headers["ETag"], held["meta"]["versionId"]) == (201, 'W/"1"', "1")
    assert held["id"] != "mine"
    where = f"Patient/{held['id']}"
    changed = send(desk, "PUT", where, held | {"gender": "other"}, if_match='W/"1"')
    assert (changed.status, changed.read()["meta"]["versionId"]) == (200, "2")
    assert send(desk, "PUT", where, held, if_match='W/"1"').status == 412
    assert send(desk, "PUT", where, held, if_match="1").status == 400
    assert send(desk, "GET", f"{where}/_history/1").read()["gender"] == "female"
    assert send(desk, "GET", f"{where}/_history/3").status == 404
    versions = send(desk, "GET", f"{where}/_history").read()
    assert [e["resource"]["meta"]["versionId"] for e in versions["entry"]] == ["2", "1"]


def test_the_same_again_is_no_new_version(desk: FhirDesk) -> None:
    for status in (201, 200, 200):
        assert send(desk, "PUT", "Patient/p1", patient(id="p1", gender="male")).status == status
    assert len(send(desk, "GET", "Patient/p1/_history").read()["entry"]) == 1


def test_conditional_create_and_update(desk: FhirDesk) -> None:
    query = "identifier=urn:oid:2.999.1%7C7"
    one = send(desk, "POST", "Patient", patient(identifier=[HELD]), if_none_exist=query)
    two = send(desk, "POST", "Patient", patient(identifier=[HELD], gender="male"), if_none_exist=query)
    assert (one.status, two.status, count(desk)) == (201, 200, 1)
    assert "gender" not in two.read()
    changed = send(desk, "PUT", "Patient", patient(identifier=[HELD], gender="male"), query)
    assert (changed.status, changed.read()["gender"], count(desk)) == (200, "male", 1)
    send(desk, "POST", "Patient", patient(identifier=[HELD]))
    assert send(desk, "POST", "Patient", patient(identifier=[HELD]), if_none_exist=query).status == 412
    assert send(desk, "PUT", "Patient", patient(identifier=[HELD]), query).status == 412
    assert send(desk, "POST", "Patient", patient(), if_none_exist="_count=1").status == 412


def test_a_transaction_stands_or_falls_whole(desk: FhirDesk) -> None:
    send(desk, "PUT", "Task/t1", {"resourceType": "Task", "id": "t1"})
    bundle = transaction(
        entry("POST", "Patient", patient(), "urn:uuid:1"),
        entry("PUT", "Task/t1", {"resourceType": "Task", "id": "t1", "status": "completed"}, ifMatch='W/"9"'),
    )
    assert send(desk, "POST", "", bundle).status == 412
    assert count(desk) == 0
    bundle["entry"][1]["request"]["ifMatch"] = 'W/"1"'
    reply = send(desk, "POST", "", bundle).read()
    assert [e["response"]["status"] for e in reply["entry"]] == ["201 Created", "200 OK"]
    assert send(desk, "POST", "", bundle).status == 412
    assert count(desk) == 1


def test_references_into_the_bundle_are_resolved(desk: FhirDesk) -> None:
    task = {"resourceType": "Task", "for": {"reference": "urn:uuid:1"}, "note": [{"text": "urn:uuid:1"}]}
    bundle = transaction(entry("POST", "Task", task), entry("POST", "Patient", patient(), "urn:uuid:1"))
    assert send(desk, "POST", "", bundle).status == 200
    (held,) = (e["resource"] for e in send(desk, "GET", "Task").read()["entry"])
    assert send(desk, "GET", held["for"]["reference"]).status == 200
    assert held["note"][0]["text"] == "urn:uuid:1"  # what a person wrote stays as it is
    open_end = transaction(entry("POST", "Task", task | {"for": {"reference": "urn:uuid:2"}}))
    assert send(desk, "POST", "", open_end).status == 400


@pytest.mark.parametrize(
    "bundle",
    [
        transaction(),
        transaction(entry("DELETE", "Patient/1", patient())),
        transaction(entry("POST", "Task", patient())),
        transaction(entry("POST", "Questionnaire", {"resourceType": "Questionnaire"})),
        transaction(entry("PUT", "Patient/1", patient(id="2"))),
        transaction(entry("PUT", "Patient/1", patient(id="1")), entry("PUT", "Patient/1", patient(id="1"))),
        transaction(*[entry("POST", "Patient", patient(), "urn:uuid:1")] * 2),
        transaction(*[entry("POST", "Patient", patient(), ifNoneExist="identifier=7")] * 2),
        {"resourceType": "Bundle", "type": "batch", "entry": [entry("POST", "Patient", patient())]},
        {"resourceType": "Bundle", "type": "transaction", "entry": [7, None, {}]},
        {"resourceType": "Bundle", "type": "transaction", "entry": "x"},
        patient(),
    ],
)
def test_what_is_no_transaction_is_refused(desk: FhirDesk, bundle: dict[str, Any]) -> None:
    reply = send(desk, "POST", "", bundle)
    assert (reply.status, reply.read()["resourceType"], count(desk)) == (400, "OperationOutcome", 0)


@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("GET", "Patient", "name=x", 400),
        ("GET", "Patient", "_count=x", 400),
        ("GET", "Patient", "identifier=a,b", 400),
        ("GET", "Patient", "_lastUpdated=2026", 400),
        ("GET", "Patient", "&".join(["_id=1"] * 30), 400),
        ("GET", "Questionnaire", "", 404),
        ("GET", "Patient/none", "", 404),
        ("GET", "Patient/a_b", "", 400),
        ("GET", "Patient/none/_history", "", 404),
        ("GET", "Patient/none/_history/0", "", 404),
        ("DELETE", "Patient/1", "", 405),
        ("GET", "", "", 405),
        ("PUT", "Patient/1/x", "", 405),
    ],
)
def test_what_it_does_not_take(desk: FhirDesk, method: str, path: str, query: str, status: int) -> None:
    reply = send(desk, method, path, None, query)
    assert (reply.status, reply.read()["resourceType"]) == (status, "OperationOutcome")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"resourceType": "Patient", "n": NaN}', b"[" * 100_000, b"\xff\xfe",
     b'{"resourceType": "Patient", "x": "\\ud800"}', b'{"resourceType": "Patient", "meta": 7}',
     b'{"resourceType": "Patient", "a": ' + b'{"a": ' * 5000 + b"1" + b"}" * 5001, b" " * (9 * 1024 * 1024)],
    ids=range(11),
)  # fmt: skip
def test_a_broken_body_is_refused(desk: FhirDesk, body: bytes) -> None:
    reply = desk.handle("POST", "Patient", "", {}, body)
    assert reply.status in (400, 413)
    assert reply.read()["resourceType"] == "OperationOutcome"


def test_an_error_quotes_nothing(desk: FhirDesk) -> None:
    secret = "Lindqvist-1980"
    replies = [
        send(desk, "GET", "Patient", None, f"name={secret}"),
        send(desk, "GET", f"Patient/{secret}"),
        send(desk, "POST", "Task", patient(name=[{"family": secret}])),
        send(desk, "POST", "", transaction(entry("PUT", f"Patient/{secret}", patient(id="2")))),
    ]
    assert all(reply.status >= 400 and secret.encode() not in reply.body for reply in replies)


def test_searches_page_to_the_end(desk: FhirDesk) -> None:
    for _ in range(7):
        send(desk, "POST", "Condition", {"resourceType": "Condition", "subject": {"reference": "Patient/p"}})
    send(desk, "POST", "Condition", {"resourceType": "Condition", "subject": {"reference": "Patient/pp"}})
    query, seen, pages = "patient=p&_count=3", set(), 0
    while query:
        found, pages = send(desk, "GET", "Condition", None, query).read(), pages + 1
        seen |= {e["resource"]["id"] for e in found["entry"]}
        query = next((k["url"].partition("?")[2] for k in found["link"] if k["relation"] == "next"), "")
    assert (len(seen), pages, found["total"]) == (7, 3, 7)


def test_the_capability_statement_is_valid(desk: FhirDesk) -> None:
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    told = send(desk, "GET", "metadata").read()
    CapabilityStatement.model_validate(told)
    assert {resource["type"] for resource in told["rest"][0]["resource"]} == KINDS


PARTS = st.sampled_from(["Patient", "Task", "_history", "metadata", "1", "p1", "..", "", "%", "Patient?x"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["Patient", "Bundle", "POST"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "type", "entry", "resource", "request", "meta", "identifier", "id", "url"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300)
@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH"]),
    st.lists(PARTS, max_size=4).map("/".join),
    st.text(max_size=20) | st.sampled_from(["identifier=%7C1", "_id=1,2", "_lastUpdated=gt2026-03-02T00:00:00Z"]),
    JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20),
)
def test_no_request_breaks_it(method: str, path: str, query: str, body: bytes) -> None:
    desk = FhirDesk(MemoryShelf())
    for condition in ({}, {"If-None-Exist": query, "If-Match": query}):
        assert 200 <= desk.handle(method, path, query, condition, body).status < 500
