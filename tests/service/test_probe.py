"""What a server is found to do, and that one which does it badly still costs no case."""

import time

import pytest

from bad_server import NAME, misbehave
from prescreen.clinic.acuity import Acuity
from prescreen.model.endpoint import EndpointEngine
from prescreen.service.engine.calling import ThreadCaller
from prescreen.service.engine.engines import Endpoint, guard, open_engine
from prescreen.service.engine.guarding import GuardedEngine, GuardSettings
from prescreen.service.engine.probe import probe_server, tidy
from small_case import CALM, make_case

MESSAGES = [{"role": "developer", "content": "Ask."}, {"role": "user", "content": CALM}]


def probe(server, seconds=3.0, model=NAME):
    return probe_server(EndpointEngine(server.url, model, timeout_s=seconds, pause_s=0), seconds=seconds)


def test_a_good_server_is_found_good():
    with misbehave(listed=({"id": NAME, "root": "/models/dpo"},), version="0.33.0") as server:
        found = probe(server)
    assert found.reachable and found.listed and found.served.root == "/models/dpo" and found.version == "0.33.0"
    assert found.schema_use == "enforced" and found.separated is True and 0 < found.latency_s < 3
    said = " ".join(found.findings)
    for sentence in ("answers (version 0.33.0)", "from /models/dpo", "holds answers", "stays out", "question in"):
        assert sentence in said
    assert "not encrypted" not in said, "this machine is its own closed network"


@pytest.mark.parametrize(
    ("wrong", "finding", "value", "says"),
    [
        ("ignores", "schema_use", "ignored", "does not hold"),
        ("wrong json", "schema_use", "ignored", "does not hold"),
        ("refuses schemas", "schema_use", "refused", "asked without one"),
        ("leaks", "separated", False, "gets into the answer"),
        ("lists nothing", "listed", None, "lists no models"),
        ("fails", "latency_s", None, "no answer to a plain question"),
        ("fails", "schema_use", None, "could not be asked"),
        ("breaks off", "latency_s", None, "no answer to a plain question"),
    ],
)
def test_each_fault_is_found_and_said(wrong, finding, value, says):
    with misbehave(wrong) as server:
        found = probe(server)
    assert found.reachable and found.model_dump()[finding] == value
    assert any(says in sentence for sentence in found.findings)


def test_another_model_in_the_list_is_said():
    with misbehave(listed=({"id": "large"}, {"id": "x\x1b[31m<b>" * 40})) as server:
        found = probe(server)
    assert found.listed is False and any("does not list small; it has large" in s for s in found.findings)
    assert "\x1b" not in str(found.findings) and "<b>" not in str(found.findings)
    assert len(tidy("a" * 500)) == 80


@pytest.mark.parametrize("wrong", ["hangs", "hangs when asked", "drips"])
def test_the_probe_itself_ends_in_time(wrong):
    begun = time.monotonic()
    with misbehave(wrong) as server:
        found = probe(server, seconds=0.4)
    assert time.monotonic() - begun < 15
    assert found.latency_s is None and found.reachable is (wrong != "hangs")


def test_nothing_there_is_one_sentence():
    with misbehave() as server:
        pass
    found = probe(server)
    assert not found.reachable and len(found.findings) == 1 and "nothing answers there" in found.findings[0]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("hangs when asked", "did not answer within 0.5 s"),
        ("drips", "did not answer within 0.5 s"),
        ("fails", "the model failed"),
        ("breaks off", "the model failed"),
        ("wrong json", "not whole JSON"),
        ("ignores", "not whole JSON"),
        ("leaks", "its analysis stands in it"),
        ("cuts", "cut off"),
    ],
)
def test_no_bad_server_costs_a_case(wrong, reason):
    case = make_case("Zebrafinch Quillon has crushing chest pain")
    with misbehave(wrong) as server:
        engine = EndpointEngine(server.url, NAME, timeout_s=5, pause_s=0)
        guarded = GuardedEngine(ThreadCaller(engine), GuardSettings(timeout_s=0.5, question_timeout_s=0.5))
        begun = time.monotonic()
        drafted = guarded.draft(case)
        assert time.monotonic() - begun < 30, "a busy machine, not a hang"
        question = guarded.ask(MESSAGES)
    assert reason in drafted.error and "Quillon" not in drafted.error
    assert drafted.model is None and drafted.report.acuity is Acuity.EMERGENCY
    assert "They said" not in str(drafted)
    assert question is None or question == "I am fine, thank you. And you?"


def test_a_server_that_refuses_schemas_is_asked_without_one():
    with misbehave("refuses schemas") as server:
        opened = open_engine(Endpoint(url=server.url, model=NAME, demo=True, timeout_s=5), {})
        assert opened.probe.schema_use == "refused"
        drafted = guard(opened).draft(make_case())
        assert "response_format" not in server.asked[-1]
    assert "not whole JSON" in drafted.error, "its answers are checked here all the same"


def test_a_good_server_drafts_as_a_demo_with_its_label():
    with misbehave(version="0.33.0") as server:
        opened = open_engine(Endpoint(url=server.url, model=NAME, demo=True, timeout_s=5, at_once=3), {})
        drafted = guard(opened).draft(make_case())
    assert drafted.model is not None and drafted.report.acuity is Acuity.EMERGENCY > drafted.model.acuity
    assert opened.engine.at_once == 3 and opened.why == ""
    label = opened.label
    assert (label.name, label.version, label.engine) == (NAME, "demo, unreleased", "endpoint 0.33.0")
    assert label.weights == "" == label.verdict
