"""Acts beside each other, from threads and processes: nothing is lost or done twice, nobody waits for ever."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from prescreen.store.audit import verify
from prescreen.store.base import Store, now_utc
from prescreen.store.people import AuditLine
from prescreen.store.tables import Entry, Job, Outgoing, Patient, Review, Visit
from prescreen.store.visits import read_entries
from store import crowd
from store.desk import NURSE, OTHER, SERVICE, make_drafted, make_waiting


@pytest.fixture
def busy(store: Store) -> Store:
    """A store with the real clock."""
    store.clock = now_utc
    return store


def together(*jobs: Callable[[], list[str]]) -> list[str]:
    """Run all at once; what they returned, or the first fault."""
    done: list[str] = []
    faults: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], list[str]]) -> None:
        try:
            start.wait(20)
            done.extend(job())
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "two acts wait for each other"
    if faults:
        raise faults[0]
    return done


def apart(store: Store, keys: Path, *jobs: tuple[str, str, int]) -> list[str]:
    """The same as processes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "store.crowd", store.url, str(keys)]
    running = [
        subprocess.Popen([*command, *map(str, job)], env=environment, stdout=subprocess.PIPE, text=True)
        for job in jobs
    ]
    outs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(jobs)
    return [line for out in outs for line in out.splitlines()]


def test_two_hundred_acts_from_eight_threads_lose_nothing(busy: Store) -> None:
    visit = make_waiting(busy)
    together(*[partial(crowd.measure, busy, visit.id, 25)] * 8)
    with busy.look(NURSE) as act:
        row = act.session.get_one(Visit, visit.id)
        assert row.version == visit.version + 200
        assert [entry.number for entry, _ in read_entries(act, row)] == list(range(1, 202))
        lines = select(func.count()).select_from(AuditLine).where(AuditLine.action == "visit.facts")
        assert act.session.scalar(lines) == 200
        assert act.session.scalar(select(func.count()).where(Job.state == "waiting")) == 1
    assert verify(busy).whole


def test_work_is_given_to_one_worker_only(busy: Store) -> None:
    for _ in range(24):
        make_waiting(busy)
    taken = together(*[partial(crowd.draft, busy, f"w{number}", 12) for number in range(6)])
    with busy.look(NURSE) as act:
        left = act.session.scalar(select(func.count()).where(Job.state == "waiting")) or 0
    assert len(taken) == len(set(taken)) and len(taken) + left == 24
    rest = crowd.draft(busy, "last", 24)
    assert not set(rest) & set(taken) and len(rest) == left
    assert verify(busy).whole


def test_drafting_and_measuring_do_not_wait_for_each_other_for_ever(busy: Store) -> None:
    visits = [make_waiting(busy).id for _ in range(3)]
    jobs = [partial(crowd.measure, busy, visit, 12) for visit in visits]
    together(*jobs, *[partial(crowd.draft, busy, f"w{number}", 20) for number in range(4)])
    assert verify(busy).whole


def test_one_patient_arriving_from_several_places_is_one(busy: Store) -> None:
    opened = together(*[partial(crowd.arrive, busy, "Patient/7", 4)] * 6)
    with busy.look(NURSE) as act:
        assert act.session.scalar(select(func.count()).select_from(Patient)) == 1
        assert act.session.scalar(select(func.count()).select_from(Visit)) == len(set(opened)) == 24
    assert verify(busy).whole


def test_two_signers_sign_once_and_it_leaves_once(busy: Store) -> None:
    visits = [make_drafted(busy)[0].id for _ in range(8)]
    for visit in visits:
        together(partial(crowd.sign_once, busy, visit, NURSE), partial(crowd.sign_once, busy, visit, OTHER))
    with busy.look(NURSE) as act:
        signed = list(act.session.scalars(select(Review.visit_id)))
    assert len(signed) == len(set(signed)) > 0
    taken = together(*[partial(crowd.send, busy, f"w{number}", 8) for number in range(4)])
    assert len(taken) == len(set(taken)) == len(signed)
    with busy.look(NURSE) as act:
        assert set(act.session.scalars(select(Outgoing.state))) == {"sent"}
    assert verify(busy).whole


def test_processes_share_a_store(busy: Store, tmp_path: Path) -> None:
    visit = make_waiting(busy)
    for _ in range(6):
        make_waiting(busy)
    jobs = [("measure", visit.id, 20), ("measure", visit.id, 20), ("draft", "w1", 20)]
    apart(busy, tmp_path / "keys", *jobs)
    with busy.look(SERVICE) as act:
        count = select(func.count()).where(Entry.visit_id == visit.id, Entry.kind == "vitals")
        assert act.session.scalar(count) == 40
    assert verify(busy).whole


def test_a_reader_does_not_wait_for_a_writer(busy: Store) -> None:
    visit = make_waiting(busy)
    with busy.act(NURSE) as act:
        act.lock(Visit, visit.id)
        seen = together(lambda: [look_at(busy, visit.id)])
    assert seen == ["waiting"]


def look_at(store: Store, visit_id: str) -> str:
    with store.look(SERVICE) as act:
        return act.session.get_one(Visit, visit_id).state
