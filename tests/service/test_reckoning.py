"""The judge of the fault tests is not blind: what is lost, doubled, stuck, lowered or changed is named."""

from pathlib import Path

import pytest
from sqlalchemy import text

from prescreen.clinic.acuity import Acuity
from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.embedded import EmbeddedChannel
from prescreen.ehr.shelf import Found, ShelfConflict, Stored
from prescreen.store.base import Store
from prescreen.store.holding import claim
from prescreen.store.outbox import mark_sent, take_parcel
from prescreen.store.reviews import Signature, sign
from prescreen.store.shelf import SqlShelf
from service.ledger import Ledger, Signed, Told
from service.reckoning import Reckoned, find_broken, reckon
from store.crowd import AT_ONCE
from store.desk import NURSE, SERVICE, make_drafted, make_store, signed_as

NOTE = "agreed, entry nurse1-1"
SAID = '{"step": "complaint", "values": {"complaint": ["a cough"]}}'


class Day:
    """One visit of a patient called Bell, signed and sent to the embedded record and a folder."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = make_store(folder)
        self.drop = folder / "drop"
        self.drop.mkdir()
        self.desk = FhirDesk(SqlShelf(self.store, Stored, Found, ShelfConflict), clock=self.store.clock)
        visit, report = make_drafted(self.store, SAID)
        with self.store.act(NURSE) as act:
            version = claim(act, visit.id).version
            final = Signature(version, "seen", signed_as(report, Acuity.HIGH), "seen in person", NOTE)
            self.review = sign(act, visit.id, final, ["record"], AT_ONCE).id
        self.visit = visit.id
        self.ledger = Ledger()
        self.ledger.patients["Bell"] = Told("Bell", is_urgent=False, named=True)
        self.ledger.signed[NOTE] = Signed(visit.id, told=True)

    def send(self) -> None:
        with self.store.act(SERVICE) as act:
            parcel = take_parcel(act, "w")
            act.session.execute(text("UPDATE jobs SET state = 'done'"))
        assert parcel is not None
        receipt = EmbeddedChannel(self.desk).deliver(parcel.visit)
        with self.store.act(SERVICE) as act:
            mark_sent(act, parcel, receipt.reference)
        (self.drop / f"{self.review}.json").write_text("{}")

    def judge(self) -> Reckoned:
        return reckon(self.store, self.ledger, (self.store, self.desk), self.drop, None)

    def write(self, statement: str) -> None:
        with self.store.engine.begin() as connection:
            connection.execute(text(statement))


@pytest.fixture
def day(tmp_path: Path):
    day = Day(tmp_path)
    yield day
    day.store.close()


def test_a_good_day_has_no_fault(day: Day) -> None:
    day.send()
    assert day.judge().faults == []


def test_what_has_not_left_is_stuck_and_lost_from_the_record(day: Day) -> None:
    found = day.judge()
    assert len(found.stuck) == 2 and f"signature {day.review}: 0 in the record" in found.lost


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE reviews SET state = 'undone'", "lost"),
        ("UPDATE visits SET level = 0, level_rules = 3", "lowered"),
        ("UPDATE visits SET state = 'waiting'", "stuck"),
        ("UPDATE outgoing SET state = 'dead', error = ''", "stuck"),
        ("DELETE FROM resource_keys WHERE kind = 'Composition'", "lost"),
        ("INSERT INTO resource_keys SELECT kind, look, 'x' FROM resource_keys WHERE kind = 'Encounter'", "doubled"),
    ],
)
def test_what_is_wrong_in_the_database_is_named(day: Day, statement: str, where: str) -> None:
    day.send()
    day.write(statement)
    assert getattr(day.judge(), where)


def test_what_people_were_told_and_is_not_there_is_lost(day: Day) -> None:
    day.send()
    day.ledger.patients["Vale"] = Told("Vale", is_urgent=False, named=True)
    day.ledger.patients["Bell"].answers["onset"] = {"start": "days"}
    day.ledger.signed["agreed, entry nurse1-2"] = Signed(day.visit, told=True)
    assert day.judge().lost == [
        "Bell: the answer to onset",
        "Vale: the whole visit",
        "agreed, entry nurse1-2: the signature",
    ]


def test_files_too_many_and_a_changed_log_are_named(day: Day) -> None:
    day.send()
    (day.drop / "other.json").write_text("{}")
    day.write("UPDATE audit SET outcome = 'refused' WHERE number = 3")
    found = day.judge()
    assert len(found.doubled) == 1 and not found.whole and "line 3" in found.audit


def test_a_fault_of_ours_that_the_worker_lived_through_is_named(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text(
        "INFO:prescreen.worker:sweep failed: TypeError\n"
        "INFO:prescreen.worker:send failed: StoreError\n"
        "INFO:prescreen.worker:sweep failed: TypeError\n"
        'INFO:prescreen.service:{"route": "start"}\n'
    )
    assert find_broken(log) == ["sweep failed: TypeError (2 times)"]
