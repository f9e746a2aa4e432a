"""Whatever an engine does, each case gets one report, in time, never below the rules."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.model.engine import ScriptedEngine
from prescreen.service.engine.breaker import BreakerSettings
from prescreen.service.engine.calling import Call, Fault, ThreadCaller
from prescreen.service.engine.faults import QUESTIONS, Behaviour, FaultyEngine, Script
from prescreen.service.engine.guarding import GuardedEngine, GuardSettings
from small_case import CALM, make_case
from small_draft import DRAFT

LIMIT_S, GRACE_S = 0.15, 12.0  # the grace is for a busy machine; a hang lasts 20 s
QUICK = GuardSettings(
    timeout_s=LIMIT_S, question_timeout_s=0.1, waiting=4, breaker=BreakerSettings(failures=2, pause_s=0.05)
)
PATIENT = GuardSettings(timeout_s=5, question_timeout_s=5, waiting=4)
MESSAGES = [{"role": "developer", "content": "Ask."}, {"role": "user", "content": CALM}]
BEHAVIOURS = [b for b in get_args(Behaviour) if b != "die"]


def scripted(*behaviours, settings=PATIENT, at_once=1, most_hanging=4, **values):
    engine = FaultyEngine(Script(behaviours=behaviours, hang_s=20, **values))
    return GuardedEngine(ThreadCaller(engine, at_once=at_once, most_hanging=most_hanging), settings), engine


@settings(max_examples=60)
@given(
    behaviours=st.lists(st.sampled_from(BEHAVIOURS), min_size=1, max_size=5),
    complaints=st.lists(st.sampled_from([CALM, "I cannot breathe", "crushing chest pain"]), min_size=1, max_size=4),
)
def test_each_case_gets_one_report_never_below_the_rules_in_time(behaviours, complaints):
    guarded, engine = scripted(*behaviours, settings=QUICK, slow_s=0.2)
    for number, complaint in enumerate(complaints):
        case = make_case(complaint, f"case-{number}")
        rules = finalise(case, None)
        begun = time.monotonic()
        drafted = guarded.draft(case)
        assert time.monotonic() - begun < LIMIT_S + GRACE_S
        assert drafted.report.case_id == case.id
        assert drafted.report.rule_acuity == rules.rule_acuity
        assert rules.rule_acuity is None or drafted.report.acuity >= rules.rule_acuity
        if drafted.model is None:
            assert drafted.report.acuity == rules.acuity and drafted.report.no_draft_reason == drafted.error != ""
            assert complaint not in drafted.error
        else:
            assert drafted.report.no_draft_reason == ""
    engine.released.set()
    counts = guarded.tally.snapshot()
    assert counts["drafts"] == len(complaints) == counts.get("drafted", 0) + counts.get("by_rules", 0)


@settings(max_examples=60)
@given(behaviours=st.lists(st.sampled_from(BEHAVIOURS), min_size=1, max_size=5))
def test_a_question_is_whole_and_free_of_thought_or_there_is_none(behaviours):
    guarded, engine = scripted(*behaviours, settings=QUICK, slow_s=0.2)
    for _ in behaviours:
        begun = time.monotonic()
        question = guarded.ask(MESSAGES)
        assert time.monotonic() - begun < 0.1 + GRACE_S
        assert question is None or (question and "<|" not in question and "I think about" not in question)
        assert question is None or question in QUESTIONS or question.startswith(("The patient", "¿", "{"))
    engine.released.set()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("crash", "the model failed"),
        ("loud_error", "the model failed"),
        ("no_answer", "the model failed"),
        ("empty", "not whole JSON"),
        ("prose", "not whole JSON"),
        ("wrong_json", "not whole JSON"),
        ("wrong_schema", "acuity: Input should be"),
        ("strange_key", "a key: Extra inputs"),
        ("truncated", "cut off"),
        ("leak", "analysis"),
    ],
)
def test_the_reason_names_the_fault_and_quotes_nobody(behaviour, reason):
    guarded, _ = scripted(behaviour)
    case = make_case("Zebrafinch Quillon has crushing chest pain")
    drafted = guarded.draft(case)
    assert reason in drafted.report.no_draft_reason and "Zebrafinch" not in drafted.report.no_draft_reason
    assert drafted.model is None and drafted.report.acuity is Acuity.EMERGENCY


@pytest.mark.parametrize("behaviour", ["empty", "prose", "wrong_json", "wrong_schema", "truncated", "leak"])
def test_an_unreadable_draft_is_repaired_once(behaviour):
    guarded, engine = scripted(behaviour, "fine")
    drafted = guarded.draft(make_case())
    assert drafted.model is not None and drafted.error == "" and engine.calls == 2
    assert "could not be used" not in engine.seen[0] and "could not be used" in engine.seen[1]
    assert guarded.tally.snapshot()["repaired"] == 1


def test_a_second_unreadable_draft_is_not_repaired():
    guarded, engine = scripted("prose", "wrong_json", "fine")
    assert guarded.draft(make_case()).model is None and engine.calls == 2
    assert guarded.tally.snapshot()["repair_failed"] == 1


@pytest.mark.parametrize("behaviour", ["crash", "hang", "no_answer"])
def test_a_failure_of_the_engine_is_not_asked_again(behaviour):
    guarded, engine = scripted(behaviour, "fine", settings=QUICK)
    assert guarded.draft(make_case()).model is None and engine.calls == 1
    engine.released.set()


def test_answer_and_repair_share_one_deadline():
    def answer(messages):
        time.sleep(0.4)
        return "prose"

    guarded = GuardedEngine(ThreadCaller(ScriptedEngine(answer)), GuardSettings(timeout_s=0.5))
    begun = time.monotonic()
    drafted = guarded.draft(make_case())
    assert time.monotonic() - begun < 15
    assert drafted.model is None and "not whole JSON" in drafted.error
    assert guarded.tally.snapshot()["draft_late"] == 1


def test_a_late_answer_reaches_no_other_case():
    names = {}

    def answer(messages):
        said = messages[1]["content"]
        names[said] = names.get(said, 0) + 1
        time.sleep(0.3 if "first" in said else 0)
        return DRAFT.model_copy(update={"summary": said[-60:]}).model_dump_json()

    guarded = GuardedEngine(ThreadCaller(ScriptedEngine(answer), at_once=2), QUICK)
    first = guarded.draft(make_case("the first toe", "a"))
    time.sleep(0.05)
    seconds = [guarded.draft(make_case(f"the second toe {i}", f"b{i}")) for i in range(5)]
    time.sleep(0.4)
    assert first.model is None and first.report.case_id == "a"
    assert all(d.model and d.model.summary.endswith(f"second toe {i}") for i, d in enumerate(seconds))


def test_more_than_may_wait_are_turned_away_at_once():
    guarded, engine = scripted("hang", settings=GuardSettings(timeout_s=1, waiting=2))
    with ThreadPoolExecutor(8) as pool:
        begun = time.monotonic()
        futures = [pool.submit(guarded.draft, make_case(CALM, f"c{i}")) for i in range(8)]
        while guarded.tally.snapshot().get("draft_full", 0) < 5 and time.monotonic() - begun < 15:
            time.sleep(0.01)
        full = guarded.tally.snapshot().get("draft_full", 0)
        assert full == 5, "one asks, two wait, five go home before anybody's time is up"
        engine.released.set()
        drafted = [future.result() for future in futures]
    assert {d.report.case_id for d in drafted} == {f"c{i}" for i in range(8)}
    assert sum(d.model is not None for d in drafted) == 3
    assert {d.error for d in drafted if d.model is None} == {Fault.FULL.value}


def test_a_question_goes_before_waiting_drafts():
    order, gate = [], threading.Event()

    def answer(messages):
        order.append(messages[0]["content"][:3])
        gate.wait(2)
        return DRAFT.model_dump_json() if messages[0]["content"].startswith("Rev") else "When did it start?"

    guarded = GuardedEngine(ThreadCaller(ScriptedEngine(answer)), PATIENT)
    with ThreadPoolExecutor(4) as pool:
        drafts = [pool.submit(guarded.draft, make_case(CALM, f"d{i}")) for i in range(3)]
        wait_for(lambda: guarded.door.queued == 2)
        question = pool.submit(guarded.ask, MESSAGES)
        wait_for(lambda: guarded.door.queued == 3)
        gate.set()
        assert question.result() == "When did it start?" and all(d.result().model for d in drafts)
    assert order == ["Rev", "Ask", "Rev", "Rev"]


def wait_for(condition):
    until = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_hung_threads_are_counted_and_open_the_breaker_at_once():
    patient = GuardSettings(timeout_s=0.05, breaker=BreakerSettings(failures=100, pause_s=60))
    guarded, engine = scripted("hang", settings=patient, most_hanging=3)
    for _ in range(3):
        assert "did not answer within 0.05 s" in guarded.draft(make_case()).error
    assert guarded.caller.hanging == 3
    assert guarded.draft(make_case()).error == Fault.HANGING.value
    assert guarded.draft(make_case()).error == Fault.PAUSED.value and engine.calls == 3
    engine.released.set()
    wait_for(lambda: guarded.caller.hanging == 0)


def test_the_breaker_pauses_the_model_tries_once_and_closes():
    now = [0.0]
    engine = FaultyEngine(Script(behaviours=("crash", "crash", "crash", "fine")))
    settings = GuardSettings(timeout_s=5, breaker=BreakerSettings(failures=2, pause_s=10))
    guarded = GuardedEngine(ThreadCaller(engine), settings, clock=lambda: now[0])
    errors = [guarded.draft(make_case()).error for _ in range(4)]
    assert errors == [Fault.FAILED.value] * 2 + [Fault.PAUSED.value] * 2 and engine.calls == 2
    now[0] = 10
    assert guarded.breakers["draft"].state == "half-open"
    assert guarded.draft(make_case()).error == Fault.FAILED.value and guarded.breakers["draft"].state == "open"
    now[0] = 29
    assert guarded.draft(make_case()).error == Fault.PAUSED.value, "a failed try doubles the pause"
    now[0] = 30
    assert guarded.draft(make_case()).model and guarded.breakers["draft"].state == "closed"
    assert guarded.ask(MESSAGES) is not None, "drafts that fail do not silence questions"


def test_a_model_that_writes_no_report_does_not_open_the_breaker():
    guarded, engine = scripted(
        "prose", settings=PATIENT.model_copy(update={"breaker": BreakerSettings(failures=1)})
    )
    for _ in range(4):
        guarded.draft(make_case())
    assert engine.calls == 8 and guarded.breakers["draft"].state == "closed", "a patient must not stop the others"


def test_a_caller_that_raises_is_a_failed_model():
    class Broken:
        name, at_once = "broken", 1

        def call(self, call):
            raise OSError("Quillon")

        def close(self):
            pass

    guarded = GuardedEngine(Broken(), PATIENT)
    assert guarded.draft(make_case()).error == Fault.FAILED.value and guarded.ask(MESSAGES) is None
    assert [guarded.draft(make_case()).error for _ in range(3)][-1] == Fault.PAUSED.value


def test_nobody_waits_for_a_model_that_is_paused():
    guarded, engine = scripted("crash", settings=GuardSettings(timeout_s=3, breaker=BreakerSettings(failures=1)))
    guarded.draft(make_case())
    with guarded.door.enter("draft", time.monotonic() + 1):
        begun = time.monotonic()
        assert guarded.draft(make_case()).error == Fault.PAUSED.value and time.monotonic() - begun < 15
    assert engine.calls == 1


def test_without_a_model_or_a_standing_release_the_reason_is_said():
    guarded = GuardedEngine(None, why="nothing was promoted")
    assert guarded.draft(make_case()).report.no_draft_reason == "nothing was promoted"
    assert guarded.ask(MESSAGES) is None
    engine = FaultyEngine(Script())
    lapsed = ["", "the verdict lapsed"]
    guarded = GuardedEngine(ThreadCaller(engine), PATIENT, standing=lambda: lapsed.pop(0))
    assert guarded.draft(make_case()).model
    assert guarded.draft(make_case()).report.no_draft_reason == "the verdict lapsed" and engine.calls == 1


def test_the_analysis_stays_behind_and_the_tally_holds_numbers_only():
    guarded, _ = scripted("fine", "fine", "fine", "prose", "crash", "fine")
    call = Call(MESSAGES, None, 60, time.monotonic() + 5, time.monotonic() + 5)
    assert guarded.caller.call(call).text and guarded.caller.call(call).thinking == ""
    everything = [guarded.draft(make_case("Quillon's toe hurts")) for _ in range(3)]
    assert "I think about" not in str(everything)
    counts = guarded.tally.snapshot()
    assert counts["drafts"] == 3 and counts["draft_failed"] == 1 and counts["schema_failures"] == 1
    histogram, seconds = guarded.tally.latencies("draft")
    assert sum(histogram) == 3 and seconds > 0
    assert "Quillon" not in str(vars(guarded.tally))


def test_many_at_once_each_get_their_own_answer_from_a_failing_engine():
    def answer(messages):
        said = messages[1]["content"]
        number = int(said.split("toe ")[1].split()[0])
        if number % 7 == 0:
            raise RuntimeError(said)
        time.sleep(1.2 if number % 11 == 0 else 0.001)
        return "prose" if number % 5 == 0 else DRAFT.model_copy(update={"summary": said[-40:]}).model_dump_json()

    settings = GuardSettings(timeout_s=1.0, waiting=100, breaker=BreakerSettings(failures=1000))
    guarded = GuardedEngine(ThreadCaller(ScriptedEngine(answer), at_once=8, most_hanging=100), settings)
    cases = [make_case(f"I hurt my toe {n} today", f"c{n}") for n in range(1, 121)]
    with ThreadPoolExecutor(16) as pool:
        drafted = list(pool.map(guarded.draft, cases))
    assert [d.report.case_id for d in drafted] == [case.id for case in cases]
    for number, one in enumerate(drafted, 1):
        if one.model:
            assert f"toe {number} today" in one.model.summary
            assert number % 7 and number % 5
    counts = guarded.tally.snapshot()
    assert counts["drafts"] == 120 == counts["drafted"] + counts["by_rules"] and counts["drafted"] > 60
    assert sum(guarded.tally.latencies("draft")[0]) == 120
