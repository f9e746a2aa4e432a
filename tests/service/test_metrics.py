"""What /metrics tells: right numbers out of the store, the same after a restart, and never a word of anybody."""

import datetime
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Draft as ModelDraft
from prescreen.clinic.report import HistoryReview
from prescreen.clinic.signed import ModelLabel
from prescreen.errors import GuardError
from prescreen.model.engine import Completion
from prescreen.service.engine.calling import Fault, ThreadCaller
from prescreen.service.engine.guarding import GuardedEngine
from prescreen.service.house import House
from prescreen.service.opening import open_app, watch_requests
from prescreen.service.settings import Settings
from prescreen.service.watch.exposing import Collector, Look, make_families, serve_metrics
from prescreen.service.watch.labels import OTHER, SETS, Labels, name_labels, name_status, name_why
from prescreen.service.watch.machine import read_expiry
from prescreen.service.watch.points import METRICS, PREFIX, Point
from prescreen.service.watch.traffic import Traffic
from prescreen.store.accounts import add_user
from prescreen.store.anchors import take_checkpoint
from prescreen.store.audit import Verdict, verify
from prescreen.store.base import Who
from prescreen.store.drafts import attach_draft
from prescreen.store.figures import note_verdict, read_figures, read_past
from prescreen.store.glass import break_glass, look_at
from prescreen.store.holding import claim
from prescreen.store.outbox import mark_failed, take_parcel
from prescreen.store.people import AuditHead
from prescreen.store.reviews import Signature, reopen, sign, undo
from prescreen.store.tables import Visit
from prescreen.store.visits import lock_visit
from service.front import make_house
from store.desk import NURSE, SERVICE, make_case, make_waiting

pytest.importorskip("prometheus_client", reason="NOT TESTED: prometheus-client is not here")
LABEL = ModelLabel(name="twin", version="2026-11", engine="test")
UNDO = datetime.timedelta(seconds=30)
LINE = re.compile(r"(prescreen_[a-z_]+)(?:\{(.*)\})? (\S+)")


class Reading(dict[str, float]):
    """A scrape: `name{label="value"}` to value."""

    def __init__(self, text: str) -> None:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        super().__init__((line.rsplit(" ", 1)[0], float(line.rsplit(" ", 1)[1])) for line in lines)

    def of(self, name: str, **labels: str) -> float:
        told = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
        return self[f"{PREFIX}{name}{{{told}}}" if told else f"{PREFIX}{name}"]

    def labels(self) -> Iterator[tuple[str, str, str]]:
        """Every metric with each of its labels and values."""
        for key in self:
            name, _, rest = key.partition("{")
            for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', rest):
                yield name, label, value


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = make_house(tmp_path)
    house.label = LABEL
    yield house
    house.close()


def scrape(house: House) -> Reading:
    """What a fresh process would tell."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest

    registry = CollectorRegistry()
    registry.register(Collector(house, Traffic(house.spans), house.store.keys.folder))  # type: ignore[arg-type]
    return Reading(generate_latest(registry).decode())


def drafted(house: House, level: Acuity = Acuity.MEDIUM, why: str = "") -> Visit:
    """A waiting visit with the model's draft, or with the rules' where there is a reason why."""
    visit = make_waiting(house.store)
    draft = ModelDraft(
        acuity=level, summary="Sore throat.", history=HistoryReview(conditions=[], medications=[], allergies=[]),
        findings=[], red_flags=[], differential=[], rationale="Since Monday.", next_steps=[], open_questions=[],
        uncertainty="low",
    )  # fmt: skip
    report = finalise(make_case(), None if why else draft, why)
    with house.store.act(SERVICE) as act:
        attach_draft(act, lock_visit(act, visit.id), report, None if why else LABEL)
    return visit


def signed(house: House, *, final: Acuity | None = None, edit: bool = False, **more: Any) -> str:
    """A visit drafted as medium and signed; the signature's id."""
    visit = drafted(house, why=more.pop("why", ""))
    return sign_visit(house, visit.id, final=final, edit=edit, **more)


def sign_visit(house: House, visit_id: str, *, final: Acuity | None = None, edit: bool = False, **more: Any) -> str:
    from prescreen.store.drafts import read_draft
    from prescreen.store.tables import Draft

    with house.store.act(NURSE) as act:
        version = claim(act, visit_id).version
        visit = act.session.get_one(Visit, visit_id)
        report = read_draft(act, visit, act.session.get_one(Draft, visit.draft_id))
        changes: dict[str, Any] = {} if final is None else {"acuity": final}
        if edit:
            changes["summary"] = "Sore throat, looks pale."
        told = {"reason": "seen in person", "seconds": 42.0, **more}
        signature = Signature(version, "seen", report.model_copy(update=changes), **told)
        return sign(act, visit_id, signature, ["record"], UNDO).id


def test_queue_by_level_and_age(house: House) -> None:
    drafted(house, Acuity.EMERGENCY)
    house.store.clock.pass_by(seconds=90)  # type: ignore[attr-defined]
    make_waiting(house.store)
    told = scrape(house)
    assert told.of("queue_waiting", level="emergency") == 1 and told.of("queue_waiting", level="unknown") == 1
    assert told.of("queue_oldest_seconds", level="emergency") == 90
    assert told.of("emergencies_unreviewed") == 0 and told.of("queue_over_target", level="emergency") == 0
    assert told.of("visits", state="waiting", level="emergency") == 1
    house.store.clock.pass_by(seconds=31)  # type: ignore[attr-defined]
    told = scrape(house)
    assert told.of("emergencies_unreviewed") == 1 and told.of("queue_over_target", level="emergency") == 1
    assert told.of("queue_target_seconds", level="emergency") == 120
    assert told.of("visits_opened", window="hour", channel="phone", language="en") == 2
    assert told.of("jobs_waiting") == 2 and told.of("jobs_late") == 1
    house.store.clock.pass_by(hours=2)  # type: ignore[attr-defined]
    told = scrape(house)
    assert told.of("queue_over_target", level="unknown") == 1
    assert "prescreen_visits_opened" not in str([key for key in told if 'window="hour"' in key])


def test_an_emergency_in_a_nurses_hands_is_reviewed(house: House) -> None:
    visit = drafted(house, Acuity.EMERGENCY)
    house.store.clock.pass_by(minutes=5)  # type: ignore[attr-defined]
    with house.store.act(NURSE) as act:
        claim(act, visit.id)
    assert scrape(house).of("emergencies_unreviewed") == 0
    house.store.clock.pass_by(minutes=11)  # type: ignore[attr-defined]
    assert scrape(house).of("emergencies_unreviewed") == 1, "a hold that ran out is nobody's"


def test_signatures_by_what_the_nurse_did(house: House) -> None:
    signed(house)
    signed(house, edit=True)
    signed(house, final=Acuity.HIGH, reason="vital signs")
    signed(house, final=Acuity.EMERGENCY)
    signed(house, final=Acuity.LOW)
    signed(house, why=Fault.PAUSED.value, reason="agrees after reading")
    told = scrape(house)
    for window in ("hour", "day", "week"):
        assert told.of("signatures", window=window, by="model") == 5
        assert told.of("signatures", window=window, by="rules") == 1
        assert told.of("signed_unchanged", window=window, by="model") == 1
        assert told.of("overrides", window=window, direction="up") == 2
        assert told.of("overrides", window=window, direction="down") == 1
        assert told.of("upgrades_to_emergency", window=window) == 1
        assert told.of("override_reasons", window=window, reason="vital-signs") == 1
        assert told.of("drafts", window=window, by="rules", why="paused") == 1
        assert told.of("drafts", window=window, by="model", why="none") == 5
    assert told.of("sign_seconds_bucket", le="30.0") == 0 and told.of("sign_seconds_bucket", le="60.0") == 6
    assert told.of("sign_seconds_count") == 6 and told.of("sign_seconds_sum") == 6 * 42
    house.store.clock.pass_by(hours=2)  # type: ignore[attr-defined]
    told = scrape(house)
    assert told.of("signatures", window="hour", by="model") == 0
    assert told.of("signatures", window="day", by="model") == 5
    house.store.clock.pass_by(days=8)  # type: ignore[attr-defined]
    told = scrape(house)
    assert told.of("signatures", window="week", by="model") == 0 and told.of("sign_seconds_count") == 6


def test_taken_back_and_corrected_signatures_count_once(house: House) -> None:
    gone = signed(house, final=Acuity.EMERGENCY)
    with house.store.act(NURSE) as act:
        undo(act, gone)
    told = scrape(house)
    assert told.of("upgrades_to_emergency", window="day") == 0 and told.of("undone", window="day") == 1
    assert told.of("sign_seconds_count") == 1, "a count that falls would be read as a restart"
    first = signed(house)
    with house.store.act(NURSE) as act:
        from prescreen.store.tables import Review

        visit = act.session.get_one(Review, first).visit_id
        reopen(act, visit)
    sign_visit(house, visit, final=Acuity.EMERGENCY)
    told = scrape(house)
    assert told.of("signatures", window="day", by="model") == 1 and told.of("corrections", window="day") == 1
    assert told.of("upgrades_to_emergency", window="day") == 1


def test_blind_reads_beside_what_was_shown(house: House) -> None:
    for level in (Acuity.MEDIUM, Acuity.HIGH, Acuity.LOW, Acuity.HIGH):
        signed(house, blind_level=level)
    signed(house)
    told = scrape(house)
    assert [told.of("blind_reads", window="week", result=name) for name in ("same", "higher", "lower")] == [1, 2, 1]


def test_rows_on_their_way(house: House) -> None:
    signed(house)
    assert scrape(house).of("outbox", channel="record", state="dead") == 0
    house.store.clock.pass_by(minutes=20)  # type: ignore[attr-defined]
    told = scrape(house)
    assert told.of("outbox", channel="record", state="waiting") == 1
    assert told.of("outbox_oldest_seconds", channel="record") == 20 * 60 - 30
    with house.store.act(SERVICE) as act:
        parcel = take_parcel(act, "w1")
        assert parcel is not None
        mark_failed(act, parcel, "it says no", lasting=True)
    told = scrape(house)
    assert told.of("outbox", channel="record", state="dead") == 1


def test_the_log_its_marks_and_its_last_verdict(house: House) -> None:
    signed(house)
    told = scrape(house)
    assert told.of("audit_head_whole") == 1 and told.of("audit_lines_unmarked") == told.of("audit_lines") > 3
    assert "prescreen_audit_verified" not in told
    house.store.clock.pass_by(hours=3)  # type: ignore[attr-defined]
    assert scrape(house).of("audit_checkpoint_age_seconds") == 3 * 3600
    take_checkpoint(house.store)
    note_verdict(house.store, verify(house.store))
    house.store.clock.pass_by(hours=1)  # type: ignore[attr-defined]
    told = scrape(house)
    assert told.of("audit_verified") == 1 and told.of("audit_verify_age_seconds") == 3600
    assert told.of("audit_lines_unmarked") == 2 and told.of("audit_checkpoint_age_seconds") == 3600
    assert note_verdict(house.store, Verdict(False, "line 3 was changed", 2, 0, 0, 3))
    assert scrape(house).of("audit_verified") == 0
    assert verify(house.store).whole, "the verdicts are lines like others"
    with house.store.act(SERVICE) as act:
        act.session.get_one(AuditHead, 1).number -= 1
    assert scrape(house).of("audit_head_whole") == 0
    assert not note_verdict(house.store, verify(house.store)), "a line of that number is there already"


def test_a_broken_glass_counts_until_an_auditor_has_looked(house: House) -> None:
    visit, now = drafted(house), house.store.clock()
    assert (scrape(house).of("glass_unseen"), scrape(house).of("glass_oldest_seconds")) == (0, 0)
    with house.store.act(NURSE) as act:
        grant = break_glass(act, visit.id, "covers for a colleague who fell ill", now)
    house.store.clock.pass_by(minutes=90)  # type: ignore[attr-defined]
    told = scrape(house)
    assert (told.of("glass_unseen"), told.of("glass_oldest_seconds")) == (1, 5400)
    with house.store.act(Who("console", "admin")) as act:
        auditor = add_user(act, "audit", name="Auditor", role="auditor", teams=()).user
    with house.store.act(Who(auditor.id, "auditor")) as act:
        look_at(act, grant.id, "fits")
    assert scrape(house).of("glass_unseen") == 0


def test_the_model_and_its_faults(house: House) -> None:
    class Broken:
        name = "broken"

        def generate(self, prompts: Any, **_: Any) -> list[Completion]:
            raise RuntimeError("Quillfeather said so")

    house.engine = GuardedEngine(ThreadCaller(Broken()))  # type: ignore[arg-type]
    for _ in range(4):
        house.engine.draft(make_case())
    told = scrape(house)
    assert told.of("engine_acts_total", act="by_rules") == 4 and told.of("engine_acts_total", act="drafted") == 0
    assert told.of("engine_faults_total", lane="draft", fault="failed") == 3
    assert told.of("engine_faults_total", lane="draft", fault="paused") == 1
    assert told.of("engine_breaker", lane="draft", state="open") == 1
    assert told.of("engine_breaker", lane="draft", state="closed") == 0
    assert told.of("engine_breaker", lane="ask", state="closed") == 1
    assert told.of("engine_seconds_count", lane="draft") == 4
    assert told.of("engine_seconds_bucket", lane="draft", le="+Inf") == 4
    assert "Quillfeather" not in str(told)


def test_what_runs_and_whether_it_should(house: House) -> None:
    told = scrape(house)
    assert told.of("model_wanted") == 0 and told.of("model_serves") == 1 and told.of("store_up") == 1
    assert [key for key in told if key.startswith("prescreen_build_info{") and 'model_version="2026-11"' in key]
    assert 0 < told.of("disk_free_bytes") < told.of("disk_size_bytes") and told.of("key_age_seconds") >= 0


def test_until_when_the_release_stands(tmp_path: Path) -> None:
    from prescreen.service.engine.engines import Demo, Endpoint, Released

    now = datetime.datetime.now(datetime.UTC)
    told = {
        "candidate": "c", "model": "m", "weights": "w", "gate": "g", "verdict": "v", "serves": "s",
        "expires": str(now.date()), "promoted": now.isoformat(),
    }  # fmt: skip
    import json

    (tmp_path / "current.json").write_text(json.dumps(told))
    for engine in (
        Released(releases=tmp_path),
        Endpoint(url="http://127.0.0.1:1/v1", model="m", releases=tmp_path),
    ):
        ends = read_expiry(engine)
        assert ends is not None and datetime.timedelta() < ends - now <= datetime.timedelta(days=1)
    assert read_expiry(Demo()) is None and read_expiry(Released(releases=tmp_path / "none")) is None
    (tmp_path / "current.json").write_text("{}")
    assert read_expiry(Released(releases=tmp_path)) is None


def test_a_certificate_is_counted_down(tmp_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "triage.clinic.example")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=10))
    path = tmp_path / "certificate.pem"
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    house = make_house(tmp_path, metrics={"certificate": str(path)})
    assert 9.9 * 86400 < scrape(house).of("certificate_expires_seconds") < 10.1 * 86400
    path.write_text("nothing")
    assert "prescreen_certificate_expires_seconds" not in scrape(house)
    house.close()


def test_a_restart_loses_nothing_that_was_signed(tmp_path: Path, house: House) -> None:
    signed(house, final=Acuity.EMERGENCY)
    drafted(house)
    before = scrape(house)
    house.store.close()
    from prescreen.store.migrate import open_store

    again = House(house.settings, open_store(house.store.url, house.store.keys.folder, house.store.clock))
    again.label = LABEL
    after = scrape(again)
    again.close()
    own = (
        "visits",
        "signatures",
        "overrides",
        "upgrades",
        "drafts",
        "sign_seconds",
        "outbox",
        "audit",
        "jobs",
        "queue",
    )
    stored = [key for key in before if key.removeprefix(PREFIX).startswith(own)]
    assert len(stored) > 50 and {key: before[key] for key in stored} == {key: after[key] for key in stored}


def test_one_look_serves_many(house: House) -> None:
    look = Look(house, kept_s=60)
    first = look.read()
    drafted(house)
    assert look.read() is first
    assert Look(house, kept_s=60).read() != first
    look = Look(house, kept_s=0, past_kept_s=60)
    first = look.read()
    drafted(house)
    second = look.read()
    assert first and second and second.past is first.past, "the walk over whole tables is kept longer"
    assert len(second.tasks) == len(first.tasks) + 1, "the queue is not"


def test_a_store_that_is_away_is_told_and_nothing_old_with_it(house: House, tmp_path: Path) -> None:
    drafted(house)
    database = tmp_path / "clinic" / "prescreen.db"
    house.store.engine.dispose()
    for path in database.parent.glob("prescreen.db*"):
        path.rename(path.with_name(f"away-{path.name}"))
    database.mkdir()
    told = scrape(house)
    assert told.of("store_up") == 0 and "prescreen_emergencies_unreviewed" not in told
    assert "prescreen_disk_free_bytes" in told


HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["Quillfeather", 'x"} 1\nprescreen_store_up 0', "\\", "😀", "a\nb", "", "other", "emergency", "../../etc"]
)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_label_is_outside_its_set(data: st.DataObject) -> None:
    """Whatever stands in a column or comes with a request: what is told is of the set, or `other`."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest

    labels = Labels(languages=["en"], channels=["record"], routes=["/visits/{id}"], models=["m"], versions=["1"])
    points = []
    for name in data.draw(st.lists(st.sampled_from(sorted(METRICS)), min_size=1, max_size=5)):
        values = tuple(data.draw(HOSTILE) for _ in METRICS[name].labels)
        points.append(Point(name, data.draw(st.integers(0, 9)), values))

    class Fixed:
        def collect(self) -> Any:
            return make_families(points, labels)

    registry = CollectorRegistry()
    registry.register(Fixed())  # type: ignore[arg-type]
    told = Reading(generate_latest(registry).decode())
    total = sum(point.value for point in points if not point.name.endswith("oldest_seconds"))
    assert sum(value for key, value in told.items() if "oldest_seconds" not in key) == total, "nothing is lost"
    for name, label, value in told.labels():
        sets = dict(METRICS[name.removeprefix(PREFIX)].labels)
        assert value in labels.sets[sets[label]] | {OTHER}, f"{name} {label}={value!r}"


def test_every_label_that_is_told_is_of_its_set(house: House) -> None:
    """The same over a clinic at work, hostile columns included."""
    signed(house, final=Acuity.HIGH)
    visit = drafted(house)
    with house.store.act(SERVICE) as act:
        row = act.session.get_one(Visit, visit.id)
        row.language, row.channel, row.state = "Quillfeather", "Quillfeather", "Quillfeather"
    told = scrape(house)
    labels = name_labels(house)
    for name, label, value in told.labels():
        if label == "le":
            continue
        base = re.sub("_(bucket|count|sum)$", "", name.removeprefix(PREFIX))
        sets = dict(METRICS[base if base in METRICS else name.removeprefix(PREFIX)].labels)
        assert value in labels.sets[sets[label]] | {OTHER}
    assert "Quillfeather" not in str(told) and told.of("visits", state="other", level="medium") == 1


@given(st.text(max_size=60) | st.sampled_from([fault.value for fault in Fault]))
def test_a_reason_is_a_code(why: str) -> None:
    assert name_why(why) in SETS["why"] | {OTHER}


def test_reasons_and_statuses_by_name() -> None:
    assert {name_why(fault.value) for fault in Fault} == {fault.name.lower() for fault in Fault}
    assert name_why("the model did not answer within 60 s") == "late" and name_why("") == "none"
    assert name_why("the verdict on c lapsed on 2026-11-01; run the gate again") == "lapsed"
    assert name_why("the settings name no model; drafted by rules only") == "off"
    assert [name_status(code) for code in (0, 200, 303, 422, 503, 999)] == [
        "gone",
        "2xx",
        "3xx",
        "4xx",
        "5xx",
        "gone",
    ]


def test_every_metric_says_what_it_is(house: House) -> None:
    labels = name_labels(house)
    for name, metric in METRICS.items():
        assert metric.meaning.endswith(".") and {known for _, known in metric.labels} <= set(labels.sets)
        assert (metric.kind == "counter") == name.endswith("_total"), name


def test_requests_are_counted_by_template_never_by_path(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    house = make_house(tmp_path, metrics={"port": 9464})
    app = open_app(house, works=False)
    client = TestClient(app, base_url="https://testserver", raise_server_exceptions=False)
    client.get("/live")
    client.get("/visits/Quillfeather", headers={"accept": "text/html"}, follow_redirects=False)
    client.get("/Quillfeather")
    client.request("QUILLFEATHER", "/live")
    client.get("/live", headers={"host": "elsewhere.example"})
    client.get("/sign-in", headers={"host": "elsewhere.example"})
    points = list(app.state.traffic.tell())
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest

    registry = CollectorRegistry()
    registry.register(Collector(house, app.state.traffic, tmp_path))  # type: ignore[arg-type]
    text = generate_latest(registry).decode()
    told = Reading(text)
    assert points and "uillfeather" not in text and "QUILL" not in text
    assert told.of("requests_total", route="/live", method="GET", status="2xx") == 2
    assert told.of("requests_total", route="/live", method="other", status="4xx") == 1
    assert told.of("requests_total", route="/visits/{visit_id}", method="GET", status="3xx") == 1
    assert told.of("requests_total", route="other", method="GET", status="4xx") == 2, "a 404, and a strange host"
    assert told.of("request_seconds_count", route="/live") == 3 and told.of("requests_in_flight") == 0
    house.close()


def test_a_page_that_fails_is_a_five_hundred(tmp_path: Path) -> None:
    from fastapi import APIRouter
    from fastapi.testclient import TestClient

    from prescreen.service.app import make_app
    from prescreen.service.door.identity import Doors
    from prescreen.service.door.identity_settings import IdentitySettings

    router = APIRouter()

    @router.get("/start/{name}", name="start")
    def fail(name: str) -> None:
        raise RuntimeError(f"no {name}")

    house = make_house(tmp_path, metrics={"port": 9464})
    app = make_app(house, Doors(IdentitySettings(totp_for=())), [router], works=False)
    watch_requests(house, app)
    with TestClient(app, base_url="https://testserver", raise_server_exceptions=False) as client:
        assert client.get("/start/Quillfeather").status_code == 500
    [point] = [point for point in app.state.traffic.tell() if point.name == "requests_total"]
    assert point.labels == ("/start/{name}", "GET", "5xx")
    house.close()


def test_nothing_is_counted_where_nobody_reads_it(tmp_path: Path) -> None:
    house = make_house(tmp_path)
    app = open_app(house, works=False)
    assert "Counted" not in [layer.cls.__name__ for layer in app.user_middleware]  # type: ignore[attr-defined]
    house.close()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_port_answers_metrics_alone(house: House, port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        serve_metrics(Collector(house, Traffic(house.spans), house.store.keys.folder), "127.0.0.1", port),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        answer = client.get("/metrics")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert Reading(answer.text).of("store_up") == 1
        assert [client.get(path).status_code for path in ("/", "/metrics/x", "/queue")] == [404] * 3
        assert client.post("/metrics", content=b"x").status_code == 501
        with (
            pytest.raises(GuardError, match="cannot be opened; free it or set"),
            serve_metrics(Collector(house, Traffic(house.spans), house.store.keys.folder), "127.0.0.1", port),
        ):
            pass
    with pytest.raises(httpx2.ConnectError), httpx2.Client(trust_env=False) as client:
        client.get(f"http://127.0.0.1:{port}/metrics")


def test_a_fault_while_collecting_quotes_nothing(house: House, port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    class Failing(Collector):
        def points(self) -> Iterator[Point]:
            raise RuntimeError("Quillfeather")

    collector = Failing(house, Traffic(house.spans), house.store.keys.folder)
    with serve_metrics(collector, "127.0.0.1", port):
        answer = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert answer.status_code == 500 and not answer.content
    assert "metrics failed: RuntimeError" in caplog.text and "Quillfeather" not in caplog.text


def test_without_the_library_one_sentence(house: House, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with (
        pytest.raises(GuardError, match="prometheus-client is not installed here; install"),
        serve_metrics(Collector(house, Traffic(house.spans), Path()), "127.0.0.1", port),
    ):
        pass


def test_off_unless_set() -> None:
    clinic = {"name": "Harbour Clinic", "emergency_number": "112"}
    read = Settings.model_validate({"clinic": clinic, "web": {"base_url": "https://triage.clinic.example"}})
    assert read.metrics is None and read.traces is None


def test_a_look_reads_no_sealed_byte(house: House) -> None:
    """Destroying every patient's key changes no number."""
    signed(house)
    drafted(house)
    with house.store.look(SERVICE) as act:
        before = read_figures(act, read_past(act, (60.0,)))
    from prescreen.store.tables import Patient

    with house.store.act(SERVICE) as act:
        for patient in act.session.query(Patient):
            patient.sealed_key = None
    with house.store.look(SERVICE) as act:
        assert read_figures(act, read_past(act, (60.0,)))._replace(log=before.log) == before
