"""What became of a patient: asked once of the record, again where it was away, never called nothing unread."""

import datetime
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import FOLLOWED, Later
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.embedded import EmbeddedChannel
from prescreen.ehr.fhir_client import FhirChannel
from prescreen.ehr.shelf import Found, ShelfConflict, Stored
from prescreen.service.house import House
from prescreen.service.record.following import follow_once
from prescreen.service.worker import Worker
from prescreen.store.base import Store
from prescreen.store.holding import claim
from prescreen.store.loop_tables import Outcome
from prescreen.store.outcomes import TRIES, Known, count_outcomes, read_outcomes, take_outcome
from prescreen.store.people import AuditLine
from prescreen.store.retention import shred
from prescreen.store.reviews import Signature, read_signed, reopen, sign, undo
from prescreen.store.shelf import SqlShelf
from prescreen.store.tables import Review
from service.front import make_house
from small_web import Asked, Said, serve_web
from store.desk import NOON, NURSE, SERVICE, StoppedClock, make_drafted
from store.test_visits import UNDO, sign_it

HOUR = datetime.timedelta(hours=1)
CANARY = "Bell"  # the patients of these tests


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = make_house(tmp_path)
    house.desk = FhirDesk(SqlShelf(house.store, Stored, Found, ShelfConflict), clock=house.store.clock)
    house.channels["record"] = EmbeddedChannel(house.desk)
    yield house
    house.store.close()


def pass_by(house: House, **amount: float) -> None:
    clock = house.store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(**amount)


def sign_and_send(house: House) -> Review:
    review = sign_it(house.store)
    pass_by(house, seconds=31)
    assert Worker(house).send_once()
    return review


def come(house: House, start: datetime.datetime, code: str = "EMER", which: int = -1, **changes: Any) -> str:
    """An encounter of the patient of the newest signature in the embedded record; the patient's reference."""
    assert house.desk is not None
    found = house.desk.handle("GET", "Composition").read()["entry"][which]["resource"]
    told = {
        "resourceType": "Encounter", "status": "finished", "class": {"code": code},
        "subject": found["subject"], "period": {"start": start.isoformat()},
    } | changes  # fmt: skip
    assert house.desk.handle("POST", "Encounter", body=json.dumps(told).encode()).status == 201
    return str(found["subject"]["reference"])


def known(house: House, review: Review) -> Known | None:
    with house.store.look(SERVICE) as act:
        return read_outcomes(act, [review.visit_id]).get(review.visit_id)


def counts(house: House) -> dict[str, int]:
    with house.store.look(SERVICE) as act:
        return count_outcomes(act)


def lines(store: Store) -> list[AuditLine]:
    with store.look(SERVICE) as act:
        return list(act.session.scalars(select(AuditLine).where(AuditLine.action == "outcome.read")))


def test_the_embedded_record_is_asked_once_between_72_and_96_hours(house: House) -> None:
    review, quiet = sign_and_send(house), sign_and_send(house)
    come(house, review.at - HOUR, which=0)
    come(house, review.at + 5 * HOUR, which=0)
    come(house, review.at + 80 * HOUR, "IMP", which=0)
    pass_by(house, hours=71, minutes=58)
    assert not follow_once(house) and counts(house) == {}
    pass_by(house, minutes=2)
    assert follow_once(house) and follow_once(house) and not follow_once(house)
    assert known(house, review) == Known(
        True, Later(kind="emergency visit", at=review.at + 5 * HOUR, level=Acuity.HIGH)
    )
    assert known(house, quiet) == Known(True, None)
    come(house, review.at + 6 * HOUR, "IMP", which=0)
    pass_by(house, hours=20)
    assert not follow_once(house), "each is asked once"
    assert counts(house) == {"found": 1, "nothing": 1}
    assert [line.thing for line in lines(house.store)] == [review.visit_id, quiet.visit_id]


@pytest.mark.parametrize(("hours", "asked"), [(71.99, False), (72.01, True), (95.98, True), (96.02, False)])
def test_a_signature_too_young_or_too_old_is_not_asked_for(house: House, hours: float, asked: bool) -> None:
    review = sign_and_send(house)
    pass_by(house, hours=hours)
    assert follow_once(house) is asked
    assert (known(house, review) is not None) is asked


class Away:
    """A record that fails so many times, then answers."""

    def __init__(self, fails: int, *, lasting: bool = False) -> None:
        self.fails, self.lasting, self.asked = fails, lasting, list[tuple[str, str | None, datetime.datetime]]()

    def read_aftermath(self, signature: str, reference: str | None, since: datetime.datetime) -> Later | None:
        self.asked.append((signature, reference, since))
        if len(self.asked) <= self.fails:
            raise DeliveryError("the record system does not answer", lasting=self.lasting)
        return None


def test_a_record_that_was_away_is_asked_again_and_only_so_often(house: House) -> None:
    review = sign_and_send(house)
    away = house.channels["record"] = Away(2)  # type: ignore[assignment]
    pass_by(house, hours=73)
    told = []
    for _ in range(12):
        told.append(follow_once(house))
        assert not follow_once(house), "not before its time"
        pass_by(house, hours=1)
    assert told == [True, True, False, True, *[False] * 8]
    assert known(house, review) == Known(True, None) and len(away.asked) == 3
    assert {since for _, _, since in away.asked} == {review.at}

    other = sign_and_send_by(house, Away(99))
    for _ in range(30):
        pass_by(house, hours=1)
        follow_once(house)
    assert len(house.channels["record"].asked) == TRIES  # type: ignore[attr-defined]
    assert known(house, other) == Known(False, None) and counts(house) == {"nothing": 1, "unknown": 1}
    assert [(line.outcome, json.loads(line.detail)["state"]) for line in lines(house.store)] == [
        ("done", "nothing"), ("failed", "unknown")
    ]  # fmt: skip


def sign_and_send_by(house: House, channel: Any) -> Review:
    house.channels["record"] = channel
    review = sign_it(house.store)
    pass_by(house, hours=71.5)
    return review


def test_what_will_stay_so_is_not_asked_again(house: House) -> None:
    refusing = Away(99, lasting=True)
    review = sign_and_send_by(house, refusing)
    pass_by(house, hours=1)
    assert follow_once(house)
    pass_by(house, hours=20)
    assert not follow_once(house) and len(refusing.asked) == 1
    assert known(house, review) == Known(False, None)


def test_a_clinic_without_a_way_that_reads_knows_that_it_does_not_know(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    house = make_house(tmp_path, record=[{"kind": "drop", "name": "folder", "folder": str(folder)}])
    review = sign_it(house.store, channels=())
    pass_by(house, hours=73)
    assert follow_once(house) and not follow_once(house)
    assert known(house, review) == Known(False, None) and counts(house) == {"unknown": 1}
    house.store.close()


def test_a_shredded_patient_is_not_asked_for_and_what_was_kept_goes(house: House) -> None:
    first, second = sign_and_send(house), sign_and_send(house)
    come(house, first.at + HOUR, which=0)
    for review in (first, second):
        if review is first:
            pass_by(house, hours=72.5)
            assert follow_once(house) and known(house, first) != Known(False, None)
        with house.store.act(SERVICE) as act:
            shred(act, find_patient(house, review), "patient asked")
    assert known(house, first) is None
    away = house.channels["record"] = Away(0)  # type: ignore[assignment]
    assert follow_once(house) and follow_once(house) and not follow_once(house)
    assert away.asked == [] and counts(house) == {"unknown": 2}


def find_patient(house: House, review: Review) -> str:
    from prescreen.store.tables import Visit

    with house.store.look(SERVICE) as act:
        return act.session.get_one(Visit, review.visit_id).patient_id


def test_a_patient_shredded_while_the_record_answered_leaves_no_trace(house: House) -> None:
    review = sign_and_send(house)
    pass_by(house, hours=73)

    class Slow(Away):
        def read_aftermath(self, signature: str, reference: str | None, since: datetime.datetime) -> Later | None:
            with house.store.act(SERVICE) as act:
                shred(act, find_patient(house, review), "patient asked")
            return Later(kind="died", at=since, level=Acuity.EMERGENCY)

    house.channels["record"] = Slow(0)  # type: ignore[assignment]
    assert follow_once(house)
    assert known(house, review) is None


def test_two_workers_at_once_ask_once(house: House) -> None:
    reviews = [sign_and_send(house) for _ in range(4)]
    away = house.channels["record"] = Away(0)  # type: ignore[assignment]
    pass_by(house, hours=73)
    start = threading.Barrier(2)

    def work() -> None:
        start.wait(30)
        while follow_once(house):
            pass

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(signature for signature, _, _ in away.asked) == sorted(review.id for review in reviews)
    assert counts(house) == {"nothing": 4}


def test_a_worker_that_died_while_it_asked_is_followed_by_another(house: House) -> None:
    review = sign_and_send(house)
    pass_by(house, hours=73)
    with house.store.act(SERVICE) as act:
        assert take_outcome(act)
    assert not follow_once(house)
    pass_by(house, minutes=31)
    assert follow_once(house) and known(house, review) == Known(True, None)


def test_a_correction_begins_no_new_time_and_a_signature_taken_back_none(house: House) -> None:
    visit, report = make_drafted(house.store)
    with house.store.act(NURSE) as act:
        version = claim(act, visit.id).version
        undone = sign(act, visit.id, Signature(version, "s", report, "seen in person"), [], UNDO)
    with house.store.act(NURSE) as act:
        again = undo(act, undone.id)
    pass_by(house, hours=1)
    with house.store.act(NURSE) as act:
        version = claim(act, again.id).version
        first = sign(act, visit.id, Signature(version, "s", report, "seen in person"), [], UNDO)
    pass_by(house, hours=40)
    with house.store.act(NURSE) as act:
        changed = reopen(act, visit.id)
        sign(act, visit.id, Signature(changed.version, "s", report, "seen in person"), [], UNDO)
    away = house.channels["record"] = Away(0)  # type: ignore[assignment]
    pass_by(house, hours=31.5)
    assert not follow_once(house)
    pass_by(house, hours=1)
    assert follow_once(house) and not follow_once(house)
    pass_by(house, hours=40)
    assert not follow_once(house)
    assert [(signature, since) for signature, _, since in away.asked] == [(first.id, first.at)]


def test_a_correction_of_a_signature_too_old_is_not_asked_for(house: House) -> None:
    first = sign_and_send(house)
    pass_by(house, hours=40)
    with house.store.act(NURSE) as act:
        changed = reopen(act, first.visit_id)
        final = read_signed(act, first).final
        sign(act, changed.id, Signature(changed.version, "s", final, "seen in person"), [], UNDO)
    pass_by(house, hours=73)
    assert not follow_once(house) and known(house, first) is None


def test_a_fhir_server_is_asked_over_http_and_nobody_is_named(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    desk = house.desk
    assert desk is not None
    broken = ["nothing"]

    def answer(asked: Asked) -> Said:
        if broken[0] in asked.path:
            return Said(500, f"{CANARY} {asked.path}".encode())
        reply = desk.handle(asked.method, asked.path.removeprefix("/fhir"), asked.query, asked.headers, asked.body)
        return Said(reply.status, reply.body, reply.headers)

    review = sign_and_send(house)
    reference = come(house, review.at + 3 * HOUR, "IMP")
    with serve_web(answer) as address:
        channel = house.channels["record"] = FhirChannel(f"{address}/fhir", timeout_s=5)
        pass_by(house, hours=73)
        broken[0] = "/Encounter"
        assert follow_once(house) and counts(house) == {"asked": 1}
        broken[0] = "nothing"
        pass_by(house, hours=1)
        assert follow_once(house)
        channel.close()
    assert known(house, review) == Known(True, Later(kind="admission", at=review.at + 3 * HOUR, level=Acuity.HIGH))
    with house.store.look(SERVICE) as act:
        row = act.session.scalars(select(Outcome)).one()
        kept = " ".join(str(value) for value in vars(row).values())
    told = caplog.text + "".join(capfd.readouterr()) + kept
    told += "".join(line.detail + line.thing for line in lines(house.store))
    assert CANARY not in told and reference not in told and reference.removeprefix("Patient/") not in told
    assert "kind" not in lines(house.store)[0].detail and "admission" not in lines(house.store)[0].detail


def test_a_record_that_hangs_delays_neither_sweep_nor_sending(house: House) -> None:
    entered, time_out = threading.Event(), threading.Event()

    class Hanging(Away):
        def read_aftermath(self, signature: str, reference: str | None, since: datetime.datetime) -> Later | None:
            entered.set()
            assert time_out.wait(60)
            raise DeliveryError("the record system does not answer (ReadTimeout)", lasting=False)

        def deliver(self, visit: Any) -> Any:
            return embedded.deliver(visit)

    sign_and_send(house)
    pass_by(house, hours=73)
    embedded = house.channels["record"]
    house.channels["record"] = Hanging(0)  # type: ignore[assignment]
    late = sign_it(house.store)
    pass_by(house, seconds=31)
    worker = Worker(house)
    follower = threading.Thread(target=worker.follow_once)
    follower.start()
    try:
        assert entered.wait(30)
        assert worker.send_once(), "no turn is held while the record is silent"
    finally:
        time_out.set()
        follower.join(30)
    assert late.at > NOON + FOLLOWED and counts(house) == {"asked": 1}
