"""The record and we compared: lost, doubled by a crash, away."""

import datetime
from pathlib import Path

from prescreen.ehr.channel import DeliveryError, Receipt
from prescreen.service.record.reconciling import reconcile
from prescreen.service.worker import Worker
from prescreen.store.outbox import count_states
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


def test_the_verb_compares_and_fails_where_anything_differs(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from prescreen import serving
    from prescreen.service.opening import Places, open_record
    from prescreen.service.settings import read_settings
    from prescreen.store.people import User
    from prescreen.store.tables import Outgoing

    folder, data = tmp_path / "clinic", tmp_path / "data"
    folder.mkdir()
    (folder / "serve.yaml").write_text("demo: true\nclinic: {name: Harbour, emergency_number: '112'}\n")
    data.mkdir(mode=0o700)
    house = open_record(read_settings(folder), Places(f"sqlite:///{data / 'prescreen.db'}", data / "keys"))
    house.store.clock = StoppedClock()
    with house.store.act(SERVICE) as act:
        nurse = User(id="nurse-1", login="n", name="N", role="nurse", teams=["clinic"], created=act.now)
        act.session.add(nurse)
    sign_it(house.store)
    send(house)
    args = ["record", str(folder), "--data", str(data), "--days", "36500"]
    whole = CliRunner().invoke(serving.audit, args)
    assert (whole.exit_code, whole.output.strip()) == (0, "1 held")
    with house.store.act(SERVICE) as act:
        for row in act.session.query(Outgoing):
            row.state = "waiting"
    told = CliRunner().invoke(serving.audit, args)
    assert told.exit_code == 1 and "held it already" in told.output
    house.close()
