"""A model in a process of its own: killed when it hangs, replaced when it dies, gone when the service is."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.model.engine import Completion
from prescreen.model.prompt import TASKS
from prescreen.service.engine.breaker import BreakerSettings
from prescreen.service.engine.calling import Call, Fault
from prescreen.service.engine.faults import QUESTIONS, Behaviour
from prescreen.service.engine.guarding import GuardedEngine, GuardSettings
from prescreen.service.engine.host import Host, Reply
from prescreen.service.engine.pool import Pool
from small_case import CALM, make_case

MESSAGES = [{"role": "developer", "content": "Ask."}, {"role": "user", "content": CALM}]


@pytest.fixture
def start():
    """Hosts of a script, closed at the end."""
    hosts = []

    def open_host(*behaviours, **values):
        host = Host({"kind": "script", "script": {"behaviours": behaviours, **values}}, "a script", start_s=60)
        hosts.append(host)
        return host

    yield open_host
    for host in hosts:
        host.close()
        assert host.pid is None or is_gone(host.pid)


def is_gone(pid):
    """Whether the operating system knows no such process, or only its corpse that nobody has fetched yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def wait_gone(pid, seconds=5.0):
    until = time.monotonic() + seconds
    while not is_gone(pid):
        assert time.monotonic() < until, f"process {pid} still runs"
        time.sleep(0.01)


def make_call(seconds, give_up=None, messages=MESSAGES):
    now = time.monotonic()
    return Call(messages, None, 60, now + seconds, now + (give_up or seconds))


def test_it_answers_without_the_analysis(start):
    host = start("fine")
    assert host.start() == "" and host.took_s > 0
    answer = host.call(make_call(5))
    assert answer == Completion(QUESTIONS[0], "", "stop", 0)


def test_a_hang_is_killed_and_another_process_answers(start):
    host = start("hang")
    assert host.start() == ""
    pid, begun = host.pid, time.monotonic()
    assert not is_gone(pid)
    assert host.call(make_call(0.2)) is Fault.LATE
    assert time.monotonic() - begun < 15
    wait_gone(pid)
    assert host.start() == "" and host.pid != pid and host.starts == 2


def test_a_crash_of_the_engine_is_an_answer_and_a_death_of_the_process_is_mended(start):
    host = start("crash", "die", "fine")
    assert host.start() == ""
    pid = host.pid
    assert host.call(make_call(5)) is Fault.FAILED and host.pid == pid
    assert host.call(make_call(5)) is Fault.FAILED
    wait_gone(pid)
    host.call(make_call(10))
    assert host.starts == 2 and host.pid != pid


def test_kill_9_in_the_middle_is_one_failure_and_nothing_more(start):
    host = start("slow", slow_s=1.0)
    guarded = GuardedEngine(host, GuardSettings(timeout_s=20, breaker=BreakerSettings(failures=5)))
    assert host.start() == ""
    finalise(make_case(), None)  # reading the rules is done once, and not what is timed here
    threading.Timer(0.3, os.kill, (host.pid, signal.SIGKILL)).start()
    begun = time.monotonic()
    drafted = guarded.draft(make_case())
    assert 0.3 <= time.monotonic() - begun < 15, "nobody waits for the dead"
    assert drafted.error == Fault.FAILED.value and drafted.report.acuity is Acuity.EMERGENCY
    assert guarded.draft(make_case()).model is not None and host.starts == 2


def test_a_death_while_nobody_asks_costs_no_draft(start):
    host = start("fine")
    assert host.start() == ""
    pid = host.pid
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    time.sleep(0.2)  # until its threads are gone as well, nobody is told of its end
    assert GuardedEngine(host, GuardSettings(timeout_s=20)).draft(make_case()).model is not None


def test_a_late_question_is_waited_out_and_its_answer_dropped(start):
    host = start("slow", slow_s=0.6)
    assert host.start() == ""
    pid = host.pid
    assert host.call(make_call(0.1, give_up=10)) is Fault.LATE
    assert host.call(make_call(0.1)) is Fault.BUSY, "the process still works on the first"
    assert host.call(make_call(5)).text == QUESTIONS[1], "the first question's answer went to nobody"
    assert host.pid == pid and host.starts == 1, "a slow question is no reason to load the model again"


def test_an_answer_to_another_question_ends_the_process(start):
    host = start("fine")
    assert host.start() == ""
    pid = host.pid
    host._child.said.put(Reply(number=99, text="of another patient"))
    assert host.call(make_call(5)) is Fault.FAILED
    wait_gone(pid)


def test_a_late_question_that_hangs_is_killed_at_its_end(start):
    host = start("hang")
    assert host.start() == ""
    pid = host.pid
    assert host.call(make_call(0.1, give_up=0.4)) is Fault.LATE and not is_gone(pid)
    wait_gone(pid)


def test_a_model_that_cannot_be_loaded_says_why(tmp_path):
    host = Host({"kind": "model", "where": str(tmp_path), "threads": 1}, "nothing", start_s=60)
    assert "no model here" in host.start()
    host.close()


def test_loading_that_takes_too_long_is_given_up(start):
    host = start("fine")
    host.start_s = 0.001
    assert host.start() == Fault.FAILED.value
    host.start_s = 60
    assert host.call(make_call(0.001)) is Fault.STARTING, "who asks meanwhile is told so, and nothing is killed"
    assert host.start() == "" and host.starts == 2


def test_the_process_gets_no_secret_of_the_service(start, monkeypatch):
    monkeypatch.setenv("PRESCREEN_KEY", "hunter2")
    host = start("fine")
    assert host.start() == ""
    limits = Path(f"/proc/{host.pid}/limits").read_text()
    (core,) = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"], "a crash leaves no patient's words on a disk"
    environment = Path(f"/proc/{host.pid}/environ").read_bytes()
    assert b"hunter2" not in environment and b"HF_HUB_OFFLINE=1" in environment


@pytest.mark.parametrize("behaviour", ["fine", "hang"])
def test_it_ends_when_the_service_is_killed(behaviour):
    program = (
        "import sys, threading, time\n"
        "from prescreen.service.engine.host import Host\n"
        "from small_host import ask\n"
        f"host = Host({{'kind': 'script', 'script': {{'behaviours': ['{behaviour}']}}}}, 'x')\n"
        "assert host.start() == ''\n"
        "threading.Thread(target=ask, args=(host,), daemon=True).start()\n"
        "time.sleep(0.3); print(host.pid, flush=True); time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    service = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    with service:
        pid = int(service.stdout.readline())
        assert not is_gone(pid)
        service.kill()
    wait_gone(pid)


def test_a_prompt_larger_than_the_pipe_holds_nobody_up(start):
    host = start("hang")
    assert host.start() == ""
    os.kill(host.pid, signal.SIGSTOP)  # it reads nothing any more
    begun = time.monotonic()
    messages = [{"role": "user", "content": "a" * 1_000_000}]
    assert host.call(make_call(0.3, messages=messages)) is Fault.LATE
    assert time.monotonic() - begun < 15
    assert host.start() == ""


def test_a_question_passes_a_draft_that_hangs_where_there_are_two(start):
    pool = Pool([start("hang"), start("fine")])
    guarded = GuardedEngine(pool, GuardSettings(timeout_s=1, question_timeout_s=1))
    assert pool.start() == "" and pool.starts == 2
    with ThreadPoolExecutor(1) as other:
        hung = other.submit(guarded.draft, make_case())
        time.sleep(0.2)
        begun = time.monotonic()
        assert guarded.ask(MESSAGES) == QUESTIONS[0] and time.monotonic() - begun < 15
        assert hung.result().model is None
    assert guarded.draft(make_case()).model is not None, "the next goes to who is idle longest"


def test_a_pool_that_cannot_load_says_why(tmp_path):
    order = {"kind": "model", "where": str(tmp_path), "threads": 1}
    pool = Pool([Host(order, "nothing", start_s=60) for _ in range(2)])
    assert "no model here" in pool.start()
    pool.close()


@settings(max_examples=6)
@given(behaviours=st.lists(st.sampled_from(get_args(Behaviour)), min_size=2, max_size=4))
def test_whatever_the_process_does_each_case_gets_one_report(behaviours):
    host = Host({"kind": "script", "script": {"behaviours": behaviours, "slow_s": 0.3}}, "a script", start_s=60)
    guarded = GuardedEngine(host, GuardSettings(timeout_s=0.6, breaker=BreakerSettings(failures=2, pause_s=0.1)))
    pids = set()
    for number in range(len(behaviours)):
        case, begun = make_case(name=f"c{number}"), time.monotonic()
        drafted = guarded.draft(case)
        assert time.monotonic() - begun < 15
        assert drafted.report.case_id == case.id and drafted.report.acuity is Acuity.EMERGENCY
        pids.add(host.pid)
    guarded.close()
    for pid in pids - {None}:
        wait_gone(pid)


@pytest.mark.slow
def test_the_twin_drafts_and_asks_from_its_process():
    host = Host({"kind": "model", "where": "twin", "threads": 1}, "twin")
    assert host.start() == ""
    guarded = GuardedEngine(host, GuardSettings(timeout_s=120, question_timeout_s=60))
    drafted = guarded.draft(make_case())
    question = guarded.ask([{"role": "developer", "content": TASKS["ask"]}, {"role": "user", "content": CALM}])
    guarded.close()
    assert drafted.finish == "stop" and drafted.model is not None, drafted.error
    assert drafted.report.acuity is Acuity.EMERGENCY
    assert question and "<|" not in question
