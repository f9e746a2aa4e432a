"""The breaker with a clock of the test's, and the door under many threads."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from prescreen.service.engine.breaker import Breaker, BreakerSettings, Door
from prescreen.service.engine.calling import Fault


def make(now, failures=2, pause_s=10.0, longest_pause_s=35.0):
    settings = BreakerSettings(failures=failures, pause_s=pause_s, longest_pause_s=longest_pause_s)
    return Breaker(settings, lambda: now[0])


def fail(breaker):
    breaker.note(breaker.admit(), failed=True)


def test_failures_in_a_row_open_it_and_a_success_between_does_not():
    breaker = make([0.0])
    fail(breaker)
    breaker.note(breaker.admit(), failed=False)
    fail(breaker)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open" and breaker.admit() is None and breaker.refuses()


def test_half_open_lets_one_through_and_its_failures_pause_longer_up_to_a_bound():
    now = [0.0]
    breaker = make(now, failures=1)
    fail(breaker)
    for pause in (10, 20, 35, 35):
        now[0] += pause - 0.1
        assert breaker.state == "open"
        now[0] += 0.2
        assert breaker.state == "half-open" and not breaker.refuses()
        turn = breaker.admit()
        assert turn.is_trial and breaker.admit() is None and breaker.refuses()
        breaker.note(turn, failed=True)
    now[0] += 36
    breaker.note(breaker.admit(), failed=False)
    assert breaker.state == "closed" and not breaker.admit().is_trial


def test_a_straggler_from_before_the_pause_proves_nothing():
    now = [0.0]
    breaker = make(now, failures=1)
    early, late, bad = breaker.admit(), breaker.admit(), breaker.admit()
    breaker.note(bad, failed=True)
    breaker.note(early, failed=False)
    assert breaker.state == "open"
    now[0] = 11
    trial = breaker.admit()
    breaker.note(late, failed=True)
    assert breaker.refuses(), "the trial is still under way"
    breaker.note(trial, failed=False)
    assert breaker.state == "closed"


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=60))
def test_never_two_trials_and_never_shut_for_ever(steps):
    now = [0.0]
    breaker = make(now)
    for failed, seconds in steps:
        now[0] += seconds
        if turn := breaker.admit():
            if turn.is_trial:
                assert breaker.admit() is None
            breaker.note(turn, failed=failed)
    now[0] += 36
    breaker.note(breaker.admit(), failed=False)
    assert breaker.state == "closed"


def test_the_door_holds_its_numbers_under_many_threads():
    door, lock = Door(3, 50), threading.Lock()
    inside, most, answers = Counter(), Counter(), []

    def visit(number):
        lane = "ask" if number % 2 else "draft"
        with door.enter(lane, time.monotonic() + 10) as fault:
            with lock:
                inside.update([lane, "all"])
                most.update({name: max(0, inside[name] - most[name]) for name in inside})
            time.sleep(0.002)
            with lock:
                inside.subtract([lane, "all"])
            answers.append(fault)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(visit, range(200)))
    assert most["all"] == 3 and most["draft"] <= 2, "one place is kept for questions"
    assert answers == [None] * 200 and door.queued == 0


def test_who_waits_too_long_leaves_and_the_next_gets_in():
    door = Door(1, 5)
    with door.enter("draft", time.monotonic() + 1):
        begun = time.monotonic()
        with door.enter("draft", begun + 0.05) as fault:
            assert fault is Fault.BUSY and time.monotonic() - begun < 15
    with door.enter("draft", time.monotonic()) as fault:
        assert fault is None, "a free door takes no time"


def test_a_question_that_came_later_goes_in_before_a_draft():
    door, order = Door(1, 5), []

    def visit(lane):
        with door.enter(lane, time.monotonic() + 10):
            order.append(lane)

    for _ in range(12):
        with ThreadPoolExecutor(2) as pool, door.enter("draft", time.monotonic() + 10):
            for waiting, lane in enumerate(("draft", "ask"), 1):
                pool.submit(visit, lane)
                while door.queued < waiting:
                    time.sleep(0.001)
    assert order == ["ask", "draft"] * 12
