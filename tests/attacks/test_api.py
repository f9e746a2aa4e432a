"""The JSON doors under generated and hand-made nonsense: no fault, no trace, no secret, no content told back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attacks.citadel import TOKEN, Citadel, fill, hidden, routes
from prescreen.ehr.metadata import KINDS

SECRETS = ("Traceback", 'File "/', "site-packages", "sqlite", "SELECT", TOKEN, "GuardError", "pydantic")
CANARY = "Quillfeather"
pytestmark = pytest.mark.filterwarnings("ignore:Duplicate Operation ID")
FAST = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from([CANARY, "Patient/1", "2026-13-45", "urn:uuid:1", "\0", "' OR 1=1 --", "../..", "9" * 400])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceType",
                    "id",
                    "entry",
                    "resource",
                    "request",
                    "method",
                    "url",
                    "type",
                    "meta",
                    "name",
                    "identifier",
                    "system",
                    "value",
                    "subject",
                    "reference",
                    "context",
                    "hook",
                    "patientId",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@pytest.fixture(scope="module")
def citadel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Citadel]:
    citadel = Citadel(tmp_path_factory.mktemp("api"))
    yield citadel
    citadel.close()


def check(answer: Any, where: object) -> Any:
    assert answer.status_code < 500, (where, answer.status_code, answer.text[:300])
    for secret in SECRETS:
        assert secret not in answer.text, (where, secret)
    if answer.status_code >= 400:
        assert CANARY not in answer.text, where
    return answer


def send(citadel: Citadel, method: str, path: str, body: bytes, **headers: str) -> Any:
    token = citadel.hook(path) if path.startswith("/cds-services/") else TOKEN
    told = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json", **headers}
    return check(
        citadel.browser().client.request(method, path, content=body, headers=told), (method, path, body[:200])
    )


def schema_of(citadel: Citadel) -> dict[str, Any]:
    """What the application says of itself, with bodies for the routes that read any JSON."""
    schema: dict[str, Any] = json.loads(json.dumps(citadel.app.openapi()))
    keep = {}
    for path, methods in schema["paths"].items():
        if path.startswith(("/fhir", "/cds-services", "/p/news", "/live", "/ready", "/queue/rows")):
            for method, told in methods.items():
                told["responses"] = {"default": {"description": "anything that is no fault"}}
                if method in ("post", "put"):
                    told["requestBody"] = {"content": {"application/json": {"schema": {}}}}
            keep[path] = methods
    schema["paths"] = keep
    return schema


def test_every_json_route_is_in_the_schema_that_is_attacked(citadel: Citadel) -> None:
    paths = set(schema_of(citadel)["paths"])
    known = {route.path.replace("{path:path}", "{path}") for route in routes(citadel.app)}
    assert {path for path in known if path.startswith(("/fhir", "/cds-services"))} <= paths


def test_schemathesis_finds_no_fault(citadel: Citadel) -> None:
    schema = schemathesis.openapi.from_dict(schema_of(citadel))
    count = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(parent=FAST, max_examples=40)
        @given(case=operation.as_strategy())
        def attack(case: Any) -> None:
            nonlocal count
            count += 1
            path = case.formatted_path
            body = (
                b""
                if not isinstance(case.body, dict | list | str | int | float | bool)
                else json.dumps(case.body).encode()
            )
            headers = {
                k: str(v).encode("latin-1", "replace").decode("latin-1").replace("\r", "").replace("\n", "")
                for k, v in (case.headers or {}).items()
            }
            token = citadel.hook(path) if path.startswith("/cds-services/") else TOKEN
            told = {**headers, "authorization": f"Bearer {token}", "content-type": "application/json"}
            answer = citadel.browser().client.request(
                case.method, path, params=case.query or None, content=body, headers=told
            )
            check(answer, (case.method, path))

        attack()
    assert count > 200


@FAST
@given(
    body=JSON,
    kind=st.sampled_from(sorted(KINDS)),
    path=st.sampled_from(["", "/1", "?identifier=a|b", "/1/_history/2"]),
)
def test_any_json_is_no_fault_at_the_record(citadel: Citadel, body: Any, kind: str, path: str) -> None:
    told = {**body, "resourceType": kind} if isinstance(body, dict) else body
    for method in ("POST", "PUT"):
        send(citadel, method, f"/fhir/{kind}{path}", json.dumps(told).encode())
    entry = {"resource": told, "request": {"method": "PUT", "url": f"{kind}{path}"}, "fullUrl": "urn:uuid:1"}
    send(
        citadel,
        "POST",
        "/fhir",
        json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).encode(),
    )


@FAST
@given(body=JSON)
def test_any_json_is_no_fault_at_a_hook(citadel: Citadel, body: Any) -> None:
    context = {"userId": "Practitioner/1", "patientId": "7"}
    for told in (body, {"hook": "patient-view", "context": body}, {"hook": body, "context": context}):
        send(citadel, "POST", "/cds-services/prescreen-patient-view", json.dumps(told).encode())


DEEP = [
    b"[" * 100_000,
    b'{"a":' * 40_000,
    b"[" * 1_000 + b"]" * 1_000,
    b'{"resourceType":"Patient","a":' + b"[" * 900 + b"]" * 900 + b"}",
]
ODD = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b'{"a":NaN}',
    b'{"a":1e999}',
    b"{}{}",
    b"\0" * 100,
    b'{"resourceType":"Patient","resourceType":"Bundle"}',
    b"9" * 5_000,
    b'{"a":' + b"9" * 5_000 + b"}",
    b'{"resourceType":"Patient","name":[{"family":"\\ud800"}]}',
    b"<xml/>",
    b"a=b&c=d",
]


@pytest.mark.parametrize("number", range(len(DEEP) + len(ODD)))
def test_malformed_bodies_are_refused_in_a_sentence(citadel: Citadel, number: int) -> None:
    body = [*DEEP, *ODD][number]
    for method, path in (
        ("POST", "/fhir"),
        ("POST", "/fhir/Patient"),
        ("PUT", "/fhir/Patient/1"),
        ("POST", "/cds-services/prescreen-patient-view"),
    ):
        for kind in (
            "application/json",
            "text/plain",
            "application/xml",
            "multipart/form-data",
            "x" * 500,
            "",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
        ):
            send(citadel, method, path, body, **{"content-type": kind})


def test_strange_questions_at_the_record(citadel: Citadel) -> None:
    queries = (
        "_count=-1",
        "_count=99999999999",
        "_offset=999999999",
        "_offset=99999999999999999999",
        "_id=" + "1," * 5_000,
        "identifier=%00",
        "identifier=a|b|c",
        "identifier=%ff%fe",
        "_lastUpdated=ge%00",
        "_lastUpdated=ge9999-12-31",
        "_lastUpdated=lt0001-01-01T00:00:00%2B14:00",
        "_lastUpdated=ge9999-12-31T23:59:59-14:00",
        "patient=%27%20OR%201=1",
        "name=" + CANARY,
        "_has:Observation:patient:code=1",
        "&".join(["_id=1"] * 50),
        "=",
        "&",
        "%",
        "_id",
        "_count=٣",
        "_include=*",
        "_revinclude=*",
        "_format=xml",
        "_sort=-_lastUpdated",
        "patient=" + "x" * 5_000,
    )
    for kind in (
        "Patient",
        "Composition",
        "metadata",
        CANARY,
        "",
        "_history",
        "$everything",
        "%00",
        "..%2f..",
        "Patient/1/_history/0",
    ):
        for query in queries:
            send(citadel, "GET", f"/fhir/{kind}?{query}", b"")
    for header in ("if-match", "if-none-exist"):
        for value in (
            "",
            "*",
            'W/"0"',
            'W/"99999999999"',
            "'",
            "identifier=",
            "identifier=a|b&x=y",
            "\x7f",
            "%00",
            "x" * 5_000,
        ):
            send(citadel, "PUT", "/fhir/Patient/1", b'{"resourceType":"Patient","id":"1"}', **{header: value})
            send(citadel, "POST", "/fhir/Patient", b'{"resourceType":"Patient"}', **{header: value})


def test_wrong_methods_are_refused_everywhere(citadel: Citadel) -> None:
    nurse, count = citadel.staff("nurse"), 0
    known = {(route.path, route.method) for route in routes(citadel.app)}
    for route in routes(citadel.app):
        for method in (
            "PUT",
            "PATCH",
            "DELETE",
            "OPTIONS",
            "TRACE",
            "HEAD",
            "CONNECT",
            "PROPFIND",
            "POST",
            "GET",
            "X",
        ):
            if (route.path, method) in known:
                continue
            answer = check(nurse.client.request(method, fill(route, "0" * 32)), (method, route.path))
            assert answer.status_code in (403, 404, 405), (method, route.path, answer.status_code)
            count += 1
    assert count > 400


def test_the_description_of_the_api_is_not_served(citadel: Citadel) -> None:
    for path in (
        "/openapi.json",
        "/docs",
        "/redoc",
        "/.env",
        "/metrics",
        "/debug",
        "/.git/config",
        "/static/",
        "/admin",
    ):
        assert citadel.staff("admin").get(path).status_code == 404, path


def test_methods_cannot_be_smuggled_in(citadel: Citadel) -> None:
    nurse = citadel.staff("nurse")
    for header in ("x-http-method-override", "x-method-override", "x-http-method"):
        assert nurse.get("/sign-out", headers={header: "POST"}).status_code == 405
    assert nurse.get("/sign-out?_method=POST").status_code == 405
    assert nurse.get("/account").status_code == 200
    assert hidden(nurse.get("/account").text, "csrf") == nurse.csrf
