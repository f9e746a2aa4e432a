"""The worker's threads: a way to the record that hangs delays no other, and stopping has one bound for all."""

import threading
import time

from sqlalchemy import select

from prescreen.clinic.signed import SignedVisit
from prescreen.ehr.channel import DeliveryError, History, Receipt
from prescreen.service.house import House
from prescreen.service.worker import Worker
from prescreen.store.tables import Outgoing
from store.desk import NOON, SERVICE, StoppedClock
from store.test_visits import sign_it

LONG = 30.0  # seconds; only a hang is longer


class Quick:
    """A record system that answers at once."""

    def __init__(self, name: str) -> None:
        self.name, self.taken, self.arrived = name, list[str](), threading.Semaphore(0)

    def deliver(self, visit: SignedVisit) -> Receipt:
        self.taken.append(visit.id)
        self.arrived.release()
        return Receipt(f"{self.name}/{len(self.taken)}", NOON)

    def find(self, signature: str) -> Receipt | None:
        return None

    def read_history(self, reference: str) -> History:
        raise DeliveryError("not in this test", lasting=True)


class Hanging(Quick):
    """One that says nothing until its time-out, which the test decides on."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.entered, self.time_out = threading.Event(), threading.Event()

    def deliver(self, visit: SignedVisit) -> Receipt:
        self.entered.set()
        assert self.time_out.wait(2 * LONG)
        raise DeliveryError("the record system does not answer (ReadTimeout)", lasting=False)


def sign_for(house: House, *channels: str) -> str:
    review = sign_it(house.store, channels=channels)
    clock = house.store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(seconds=31)
    return review.id


def states(house: House) -> dict[tuple[str, str], str]:
    with house.store.look(SERVICE) as act:
        return {(row.review_id, row.channel): row.state for row in act.session.scalars(select(Outgoing))}


def test_a_way_that_hangs_delays_no_other(house: House) -> None:
    hanging, quick = Hanging("interface"), Quick("record")
    house.channels.update({"interface": hanging, "record": quick})
    signed = [sign_for(house, "interface", "record") for _ in range(3)]
    worker = Worker(house)
    worker.start()
    try:
        assert hanging.entered.wait(LONG)
        assert all(quick.arrived.acquire(timeout=LONG) for _ in signed)
        assert quick.taken == signed, "in the order of their time"
        assert not hanging.time_out.is_set() and not hanging.taken
        late = sign_for(house, "record")
        assert quick.arrived.acquire(timeout=LONG) and quick.taken[-1] == late
    finally:
        hanging.time_out.set()
        worker.stop(LONG)
    found = states(house)
    assert {found[review, "record"] for review in (*signed, late)} == {"sent"}
    assert {found[review, "interface"] for review in signed} == {"waiting"}


def test_a_signature_for_a_way_that_is_gone_is_given_up_while_another_hangs(house: House) -> None:
    hanging = Hanging("interface")
    house.channels["interface"] = hanging
    review = sign_for(house, "interface", "folder")
    worker = Worker(house)
    worker.start()
    try:
        assert hanging.entered.wait(LONG)
        until = time.monotonic() + LONG
        while states(house)[review, "folder"] == "waiting" and time.monotonic() < until:
            threading.Event().wait(0.01)
        with house.store.look(SERVICE) as act:
            row = act.session.scalars(select(Outgoing).where(Outgoing.channel == "folder")).one()
        assert (row.state, row.error) == ("dead", "there is no way called folder in the settings any more")
        assert states(house)[review, "interface"] == "waiting"
    finally:
        hanging.time_out.set()
        worker.stop(LONG)


def test_the_settings_rows_are_no_strays(house: House) -> None:
    house.channels["record"] = Quick("record")
    sign_for(house, "record")
    worker = Worker(house)
    assert not worker.send_strays_once()
    assert worker.send_once() and not worker.send_once()


def test_stopping_has_one_bound_however_many_hang(house: House) -> None:
    ways = [Hanging(f"way-{number}") for number in range(6)]
    house.channels.update({way.name: way for way in ways})
    sign_for(house, *house.channels)
    worker = Worker(house)
    worker.start()
    try:
        assert all(way.entered.wait(LONG) for way in ways)
        begun = time.monotonic()
        worker.stop(1.0)
        assert time.monotonic() - begun < 4.0, "the ways were waited for one after the other"
    finally:
        for way in ways:
            way.time_out.set()
        worker.stop(LONG)
