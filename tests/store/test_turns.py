"""Writers of one process take turns: in the order they came, none for ever, and who only looks needs none."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from prescreen.errors import StoreError
from prescreen.service.house import House
from prescreen.service.worker import Worker
from prescreen.store.base import Store
from prescreen.store.glimpse import glimpse
from prescreen.store.queue import read_queue
from prescreen.store.turns import Turns
from service.front import make_settings
from store.desk import NURSE, SERVICE, make_drafted, make_store

WAIT_S = 20.0


@pytest.fixture
def store(tmp_path: Path):
    store = make_store(tmp_path)
    yield store
    store.close()


def _line_up(turns: Turns, number: int, came: list[int]) -> threading.Thread:
    """A thread that stands in the line when this returns."""

    def take() -> None:
        with turns.take():
            came.append(number)

    before = turns.waiting
    thread = threading.Thread(target=take)
    thread.start()
    ends = time.monotonic() + WAIT_S
    while turns.waiting == before and time.monotonic() < ends:
        time.sleep(0.001)
    return thread


def test_turns_come_in_the_order_of_asking() -> None:
    turns, came = Turns(WAIT_S), list[int]()
    with turns.take():
        threads = [_line_up(turns, number, came) for number in range(12)]
        assert turns.waiting == 12 and not came
    for thread in threads:
        thread.join(WAIT_S)
    assert came == list(range(12))


def test_who_waits_in_vain_is_told_and_the_turn_goes_on_to_the_next() -> None:
    turns, came = Turns(0.05), list[int]()
    with turns.take():
        with pytest.raises(StoreError, match="nothing of this act was kept"), turns.take():
            raise AssertionError("two hold the turn")
        assert turns.waiting == 0
    with turns.take():
        came.append(1)
    assert came == [1]


def test_a_fault_hands_the_turn_on() -> None:
    turns = Turns(0.05)
    with pytest.raises(ZeroDivisionError), turns.take():
        raise ZeroDivisionError
    with turns.take():
        assert turns.waiting == 0


def test_never_do_two_hold_the_turn() -> None:
    turns, inside, most = Turns(WAIT_S), [0], [0]

    def take() -> None:
        for _ in range(50):
            with turns.take():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert most == [1] and turns.waiting == 0


def test_an_act_that_fails_hands_the_turn_on(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.act(SERVICE):
        raise ZeroDivisionError
    with store.act(SERVICE) as act:
        act.log("test.after")


def test_a_worker_without_work_waits_for_nobody(store: Store) -> None:
    worker = Worker(House(make_settings(), store))
    done: list[bool] = []
    with store.act(NURSE):
        idle = threading.Thread(target=lambda: done.extend((worker.draft_once(), worker.send_once())))
        idle.start()
        idle.join(5.0)
        assert done == [False, False]


def test_the_queue_asks_the_database_no_oftener_for_more_rows(store: Store) -> None:
    def count() -> int:
        asked: list[str] = []

        def note(_connection, _cursor, statement, *_more) -> None:
            asked.append(statement)

        event.listen(store.engine, "before_cursor_execute", note)
        try:
            with store.look(NURSE) as look:
                rows = read_queue(look, ("clinic",))
                assert len(glimpse(look, rows)) == len(rows)
        finally:
            event.remove(store.engine, "before_cursor_execute", note)
        return len(asked)

    make_drafted(store)
    few = count()
    for _ in range(5):
        make_drafted(store)
    assert count() == few


def test_acts_come_in_the_order_of_asking(store: Store) -> None:
    assert store.turns is not None
    came, threads = list[int](), list[threading.Thread]()

    def write(number: int) -> None:
        with store.act(SERVICE) as act:
            act.log("test.write")
            came.append(number)

    with store.act(NURSE):
        for number in range(8):
            threads.append(threading.Thread(target=write, args=(number,)))
            threads[-1].start()
            ends = time.monotonic() + WAIT_S
            while store.turns.waiting <= number and time.monotonic() < ends:
                time.sleep(0.001)
        assert store.turns.waiting == 8
    for thread in threads:
        thread.join(WAIT_S)
    assert came == list(range(8))
