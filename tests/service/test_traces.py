"""Spans of requests, drafts, questions and deliveries: names and codes, never content; nothing without settings."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from prescreen.clinic.signed import ModelLabel, SignedVisit
from prescreen.ehr.channel import DeliveryError, Receipt
from prescreen.errors import GuardError
from prescreen.model.engine import Completion
from prescreen.service.engine.calling import ThreadCaller
from prescreen.service.engine.guarding import GuardedEngine
from prescreen.service.house import House
from prescreen.service.opening import open_app
from prescreen.service.watch.labels import Labels, name_labels
from prescreen.service.watch.settings import TraceSettings
from prescreen.service.watch.spans import NAMES, Spans, TracedSpans, open_spans
from prescreen.service.worker import Worker
from service.front import make_house
from small_web import Asked, Said, serve_web
from store.desk import make_waiting

pytest.importorskip("opentelemetry.sdk", reason="NOT TESTED: opentelemetry-sdk is not here")
CANARY = "Quillfeather"
LABEL = ModelLabel(name="twin", version="2026-11", engine="test")


def in_memory() -> tuple[TracedSpans, Any]:
    """Spans kept in a list, each as soon as it ends."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    return TracedSpans(kept, "0", at_once=True), kept


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[tuple[House, Any]]:
    house = make_house(tmp_path, traces={"endpoint": "http://127.0.0.1:1/v1/traces"})
    house.spans, kept = in_memory()
    house.spans.labels = lambda: name_labels(house)
    house.label = LABEL
    yield house, kept
    house.close()


def told(kept: Any) -> list[dict[str, Any]]:
    return [{"name": span.name, **dict(span.attributes)} for span in kept.get_finished_spans()]


class Saying:
    """An engine that says one thing, or raises it."""

    name = "saying"

    def __init__(self, text: str = "", *, fails: bool = False) -> None:
        self.text, self.fails = text, fails

    def generate(self, prompts: Sequence[Any], **_: Any) -> list[Completion]:
        if self.fails:
            raise RuntimeError(self.text)
        return [Completion(self.text, finish="stop")]


def test_a_draft_that_fails_is_a_span_without_its_words(traced: tuple[House, Any]) -> None:
    house, kept = traced
    house.engine = GuardedEngine(ThreadCaller(Saying(CANARY, fails=True)))  # type: ignore[arg-type]
    make_waiting(house.store, f"My throat is sore, says {CANARY}")
    Worker(house).draft_once()
    [span] = told(kept)
    assert span == {
        "name": "draft",
        "prescreen.kind": "draft",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "prescreen",
        "gen_ai.output.type": "json",
        "gen_ai.request.model": "twin",
        "prescreen.model.version": "2026-11",
        "prescreen.draft.by": "rules",
        "prescreen.draft.why": "failed",
        "gen_ai.response.finish_reasons": ("error",),
    }


class Refusing:
    """A way to the record that takes nothing."""

    name = "record"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def deliver(self, visit: SignedVisit) -> Receipt:
        raise self.error


@pytest.mark.parametrize(("lasting", "fault"), [(True, DeliveryError), (False, RuntimeError)])
def test_a_delivery_that_fails_tells_its_type_alone(
    traced: tuple[House, Any], lasting: bool, fault: type[Exception]
) -> None:
    house, kept = traced

    told_by_record = f"{CANARY} is unknown"
    error = DeliveryError(told_by_record, lasting=lasting) if fault is DeliveryError else fault(told_by_record)
    house.channels["record"] = Refusing(error)  # type: ignore[assignment]
    send(house)
    [span] = told(kept)
    assert span["name"] == "delivery" and span["prescreen.channel"] == "record"
    assert span["error.type"] == fault.__name__
    [raw] = kept.get_finished_spans()
    assert not raw.events and raw.status.description is None and raw.status.status_code.name == "ERROR"
    assert CANARY not in raw.to_json()


def send(house: House) -> None:
    from service.test_metrics import signed

    signed(house)
    house.store.clock.pass_by(minutes=1)  # type: ignore[attr-defined]
    assert Worker(house).send_once()


def test_requests_by_template_with_the_work_inside_them(traced: tuple[House, Any]) -> None:
    from fastapi.testclient import TestClient

    house, kept = traced
    client = TestClient(open_app(house, works=False), base_url="https://testserver", follow_redirects=False)
    client.get(
        f"/visits/{CANARY}?q={CANARY}",
        headers={"user-agent": CANARY, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
    )
    client.get(f"/{CANARY}")
    client.request(CANARY.upper(), "/live")
    spans = told(kept)
    assert [span["http.route"] for span in spans] == ["/visits/{visit_id}", "other", "/live"]
    assert [span["http.response.status_code"] for span in spans] == [401, 404, 405]
    assert spans[2]["http.request.method"] == "other"
    raw = kept.get_finished_spans()
    assert CANARY.lower() not in "".join(span.to_json() for span in raw).lower()
    assert all(span.parent is None for span in raw), "no stranger's header decides where a span belongs"
    assert set(raw[0].resource.attributes) == {"service.name", "service.version"}, "nothing of the machine"


HOSTILE = st.text(max_size=30) | st.sampled_from([CANARY, "Patient/123", "a\nb", "/visits/0123"])


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(set(NAMES) - {"fault", "status", "kind"})), HOSTILE, min_size=1))
def test_no_text_of_a_span_is_outside_its_set(codes: dict[str, str]) -> None:
    spans, kept = in_memory()
    spans.labels = lambda: Labels(channels=["record"], routes=["/live"], models=["m"], versions=["1"])
    with spans.span("request") as span:
        span.tell(**codes)
    spans.close()
    [found] = told(kept)
    known = {
        "other",
        "request",
        "record",
        "/live",
        "m",
        "1",
        "model",
        "rules",
        "nobody",
        "chat",
        "prescreen",
        "json",
    }
    known |= {"text", "stop", "length", "error", "none", "GET", "POST", "PUT", "HEAD"}
    from prescreen.service.watch.labels import FAULTS

    for key, value in found.items():
        values = value if isinstance(value, tuple) else (value,)
        assert key == "name" or set(values) <= known | set(FAULTS.values()), f"{key}: {value!r}"


def test_what_a_block_raises_goes_on_and_leaves_its_type() -> None:
    spans, kept = in_memory()
    with pytest.raises(ValueError, match=CANARY), spans.span("question"):
        raise ValueError(CANARY)
    [span] = kept.get_finished_spans()
    assert span.attributes["error.type"] == "ValueError" and CANARY not in span.to_json()


def test_a_key_nobody_knows_is_a_fault_of_ours() -> None:
    spans, _ = in_memory()
    with pytest.raises(KeyError), spans.span("request") as span:
        span.tell(body="x")


def test_a_collector_gets_protobuf_and_the_headers_of_the_file(tmp_path: Path, traced: tuple[House, Any]) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    house, _ = traced
    secret = tmp_path / "headers"
    secret.write_text("authorization: Bearer abc\nx-tenant: clinic\n")
    secret.chmod(0o600)
    asked: list[Asked] = []

    def answer(one: Asked) -> Said:
        asked.append(one)
        return Said(200, b"", {"Content-Type": "application/x-protobuf"})

    with serve_web(answer) as url:
        house.spans = open_spans(TraceSettings(endpoint=f"{url}/v1/traces", headers_file=secret), "0.1.0")
        house.spans.labels = lambda: name_labels(house)
        house.engine = GuardedEngine(ThreadCaller(Saying(CANARY)))  # type: ignore[arg-type]
        make_waiting(house.store, f"My throat is sore, says {CANARY}")
        Worker(house).draft_once()
        house.channels["record"] = Refusing(RuntimeError(CANARY))  # type: ignore[assignment]
        send(house)
        house.spans.close()
    assert {one.path for one in asked} == {"/v1/traces"} and asked[0].headers["authorization"] == "Bearer abc"
    assert asked[0].headers["content-type"] == "application/x-protobuf" and asked[0].headers["x-tenant"] == "clinic"
    spans = [
        span
        for one in asked
        for resource in ExportTraceServiceRequest.FromString(one.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted(span.name for span in spans) == ["delivery", "draft"]
    assert not any(span.events for span in spans)
    assert CANARY.encode() not in b"".join(one.body for one in asked)


def test_a_collector_that_is_away_holds_nobody_up(traced: tuple[House, Any]) -> None:
    house, _ = traced
    house.spans = open_spans(TraceSettings(endpoint="http://127.0.0.1:1/v1/traces"), "0.1.0")
    with house.spans.span("request") as span:
        span.tell(route="/live")
    assert isinstance(house.spans, TracedSpans)


def test_the_frameworks_own_telemetry_stays_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would send paths, messages and what was typed in, to wherever the environment says."""
    from fastapi import APIRouter
    from fastapi.testclient import TestClient

    from prescreen.service.app import make_app
    from prescreen.service.door.identity import Doors
    from prescreen.service.door.identity_settings import IdentitySettings

    router = APIRouter()

    @router.get("/start/{name}", name="start")
    def fail(name: str) -> None:
        raise RuntimeError(name)

    asked: list[Asked] = []

    def answer(one: Asked) -> Said:
        asked.append(one)
        return Said()

    house = make_house(tmp_path)
    with serve_web(answer) as url:
        monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        app = make_app(house, Doors(IdentitySettings(totp_for=())), [router], works=False)
        with TestClient(app, base_url="https://testserver", raise_server_exceptions=False) as client:
            assert client.get(f"/start/{CANARY}").status_code == 500
    house.close()
    assert asked == []


def test_without_settings_nothing_is_loaded() -> None:
    import subprocess

    program = (
        "import sys, prescreen.service.opening\n"
        "from prescreen.service.watch.spans import open_spans\n"
        "with open_spans(None, '0').span('draft') as span: span.tell(by='model')\n"
        "heavy = ('opentelemetry.sdk', 'opentelemetry.exporter', 'prometheus_client')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert type(open_spans(None, "0")) is Spans


def test_without_the_library_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(GuardError, match=r"OpenTelemetry is not installed here; install prescreen\[watch\]"):
        open_spans(TraceSettings(endpoint="http://127.0.0.1:1/v1/traces"), "0")


def test_headers_are_a_secret(tmp_path: Path) -> None:
    secret = tmp_path / "headers"
    secret.write_text("no colon")
    secret.chmod(0o644)
    with pytest.raises(ValidationError, match="headers hold a secret"):
        TraceSettings(endpoint="http://collector.clinic.example/v1/traces", headers_file=secret)
    with pytest.raises(ValidationError):
        TraceSettings(endpoint="file:///etc/passwd")
    own = TraceSettings(endpoint="https://collector.clinic.example/v1/traces", headers_file=secret)
    with pytest.raises(GuardError, match="chmod 600"):
        open_spans(own, "0")
    secret.chmod(0o600)
    with pytest.raises(GuardError, match="one `name: value` a line"):
        open_spans(own, "0")


def test_one_module_knows_opentelemetry_and_one_the_library_of_numbers() -> None:
    import ast

    import prescreen

    root = Path(prescreen.__file__).parent
    homes: dict[str, set[str]] = {"opentelemetry": set(), "prometheus_client": set()}
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if name.partition(".")[0] in homes:
                    homes[name.partition(".")[0]].add(path.name)
    assert homes == {"opentelemetry": {"spans.py"}, "prometheus_client": {"exposing.py"}}
