"""The record and we compared: lost, doubled by a crash, away."""

import datetime
from pathlib import Path

import pytest

from prescreen.ehr.channel import DeliveryError, Receipt
from prescreen.service.record.reconciling import reconcile
from prescreen.service.worker import Worker
from prescreen.store.outbox import count_states
from service.front import make_house
from store.desk import NOON, SERVICE, StoppedClock
from store.test_visits import sign_it


class Shelf:
    """A record system that keeps ids, loses them, or is away."""

    name = "record"

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.away = False

    def deliver(self, visit) -> Receipt:
        self.held[visit.id] = f"Composition/{len(self.held)}"
        if self.away:
            raise DeliveryError("the answer was lost", lasting=True)
        return Receipt(self.held[visit.id], NOON)

    def find(self, signature: str) -> Receipt | None:
        return Receipt(self.held[signature], NOON) if signature in self.held else None


@pytest.fixture
def house(tmp_path: Path):
    house = make_house(tmp_path)
    yield house
    house.store.close()


def send(house) -> None:
    clock = house.store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(seconds=31)
    assert Worker(house).send_once()


def test_what_was_lost_and_what_arrived_unseen_is_said(house) -> None:
    shelf = Shelf()
    house.channels["record"] = shelf
    first = sign_it(house.store)
    send(house)
    shelf.away = True
    sign_it(house.store)
    send(house)
    with house.store.look(SERVICE) as act:
        assert count_states(act) == {"sent": 1, "dead": 1}
    del shelf.held[first.id]
    told = reconcile(house, NOON - datetime.timedelta(days=1))
    assert told.counts == {"missing": 1, "settled": 1}
    assert [d.signature for d in told.differences if "does not hold it" in d.sentence] == [first.id]
    assert {d.state for d in told.differences} == {"sent", "dead"}
    with house.store.look(SERVICE) as act:
        assert count_states(act) == {"sent": 1, "dead": 1}
    assert reconcile(house, NOON + datetime.timedelta(days=1)).counts == {}


def test_a_record_that_cannot_be_asked_settles_nothing(house) -> None:
    class Mute(Shelf):
        def find(self, signature: str) -> Receipt | None:
            raise DeliveryError("HL7 v2 cannot be asked", lasting=True)

    house.channels["record"] = Mute()
    sign_it(house.store)
    send(house)
    told = reconcile(house, NOON - datetime.timedelta(days=1))
    assert told.counts == {"not asked": 1} and "cannot be asked" in told.differences[0].sentence
    house.channels.clear()
    assert reconcile(house, NOON - datetime.timedelta(days=1)).counts == {"way gone": 1}
