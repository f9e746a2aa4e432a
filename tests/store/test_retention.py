"""A destroyed key takes all with it, from the raw bytes too; a hold, an unsent or open visit forbids it."""

import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select, text

from prescreen.clinic.signed import PatientLink
from prescreen.errors import ConflictError, GuardError, RefusedError
from prescreen.store.audit import verify
from prescreen.store.base import Store, database_file
from prescreen.store.extract import export
from prescreen.store.holding import claim
from prescreen.store.outbox import mark_sent, take_parcel
from prescreen.store.passes import give_code, open_code
from prescreen.store.patients import read_link, write_link
from prescreen.store.people import AuditLine
from prescreen.store.retention import Retention, find_overdue, hold, scrub, shred
from prescreen.store.reviews import Signature, read_signed, reopen, sign
from prescreen.store.shelf import SqlShelf
from prescreen.store.tables import Patient, Resource, ResourceKey, Review, Visit
from prescreen.store.visits import open_visit, read_case, read_entries
from store.desk import NOON, NURSE, PATIENT, SERVICE, StoppedClock, make_drafted

CANARY = "ZEBRAFISH canary with a sore throat"


class Stored(NamedTuple):
    kind: str
    id: str
    version: int
    updated: datetime.datetime
    body: dict[str, Any]


class Names(NamedTuple):
    identifiers: tuple[tuple[str, str], ...] = ()
    patient: str | None = None


def make_sent(store: Store, link: PatientLink) -> tuple[str, str]:
    """A signed visit the embedded record has: its id and the patient's."""
    visit, report = make_drafted(store, CANARY)
    with store.act(NURSE) as act:
        row = claim(act, visit.id)
        write_link(act, row, link)
        reason = Signature(row.version, "seen", report, "seen in person")
        sign(act, visit.id, reason, ["record"], datetime.timedelta(0))
    shelf = SqlShelf(store, Stored, lambda total, page: (total, page), ConflictError)
    for kind, id in (("Patient", "7"), ("Composition", "c7"), ("Patient", "8")):
        patient = "Patient/8" if id == "8" else "Patient/7"
        shelf.put(Stored(kind, id, 1, NOON, {"said": CANARY}), Names((("urn:mrn", f"MRN-{id}"),), patient))
    shelf.put(Stored("Composition", "c7", 2, NOON, {"said": CANARY}), Names((), "Patient/7"))
    return visit.id, visit.patient_id


def send(store: Store) -> None:
    with store.act(SERVICE) as act:
        parcel = take_parcel(act, "w")
        assert parcel is not None
        mark_sent(act, parcel, "Composition/c7/_history/1")


@pytest.mark.parametrize(
    "link",
    [
        PatientLink(family="Bell"),
        PatientLink(family="Bell", reference="Patient/7"),
        PatientLink(family="Bell", identifier_system="urn:mrn", identifier="MRN-7"),
    ],
    ids=["by what was delivered", "by reference", "by identifier"],
)
def test_nothing_of_a_shredded_patient_can_be_opened(store: Store, tmp_path: Path, link: PatientLink) -> None:
    visit_id, patient_id = make_sent(store, link)
    other, _ = make_drafted(store)
    send(store)
    with store.act(SERVICE) as act:
        assert shred(act, patient_id, "patient asked") == 3
    with store.look(NURSE) as act:
        visit = act.session.get_one(Visit, visit_id)
        for read in (read_case, read_entries):
            with pytest.raises(GuardError, match="destroyed"):
                read(act, visit)
        with pytest.raises(GuardError):
            read_signed(act, act.session.scalars(select(Review).where(Review.visit_id == visit_id)).one())
        patient = act.session.get_one(Patient, patient_id)
        assert (patient.link, patient.look, patient.sealed_key) == (None, None, None) and patient.shredded == NOON
        assert visit.level is not None, "what is no text stays, for the counts"
        assert [row.id for row in act.session.scalars(select(Resource))] == ["8"]
        assert set(act.session.scalars(select(ResourceKey.id))) == {"8"}
        line = act.session.scalars(select(AuditLine).where(AuditLine.action == "patient.shred")).one()
        assert line.thing == patient_id and "patient asked" in line.detail
        assert read_link(act, act.session.get_one(Visit, other.id)).family == "Bell", "others are untouched"
    with store.act(SERVICE) as act, pytest.raises(ConflictError):
        shred(act, patient_id, "patient asked")
    with pytest.raises(RefusedError, match="destroyed"), store.act(NURSE) as act:
        reopen(act, visit_id)
    assert verify(store).whole
    export(store, tmp_path / "log.jsonl", "jsonl")
    assert "ZEBRAFISH" not in (tmp_path / "log.jsonl").read_text()


def raw_bytes(store: Store) -> bytes:
    """Every byte of the database on the disk: file, journal, free pages."""
    path = database_file(store.url)
    if path is not None:
        return b"".join(file.read_bytes() for file in path.parent.iterdir())
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        folder = Path(str(connection.scalar(text("SHOW data_directory"))))
        tables = ("patients", "resources", "resource_keys", "entries", "visits", "reviews", "drafts")
        connection.execute(text("CHECKPOINT"))
        files = [connection.scalar(text(f"SELECT pg_relation_filepath('{table}')")) for table in tables]
    return b"".join((folder / str(file)).read_bytes() for file in files if (folder / str(file)).exists())


def test_the_raw_bytes_hold_neither_text_nor_the_destroyed_key(store: Store) -> None:
    _, patient_id = make_sent(store, PatientLink(family="Bell", reference="Patient/7"))
    send(store)
    with store.look(NURSE) as act:
        patient = act.session.get_one(Patient, patient_id)
        assert patient.sealed_key and patient.link
        secrets = [patient.sealed_key, patient.link]
        bodies = select(Resource.body).where(Resource.id.in_(("7", "c7")))
        secrets += list(act.session.scalars(bodies))
    before = raw_bytes(store)
    assert b"ZEBRAFISH" not in before and all(secret in before for secret in secrets)
    with store.act(SERVICE) as act:
        shred(act, patient_id, "retention ended")
    scrub(store)
    after = raw_bytes(store)
    assert b"ZEBRAFISH" not in after and not any(secret in after for secret in secrets)


def test_a_hold_an_unsent_signature_or_an_open_visit_forbids_it(store: Store) -> None:
    _, patient_id = make_sent(store, PatientLink(family="Bell"))
    with pytest.raises(RefusedError, match="not reached"), store.act(SERVICE) as act:
        shred(act, patient_id, "patient asked")
    send(store)
    with store.act(SERVICE) as act:
        hold(act, patient_id, True)
    with pytest.raises(RefusedError, match="legal hold"), store.act(SERVICE) as act:
        shred(act, patient_id, "patient asked")
    with store.act(SERVICE) as act:
        hold(act, patient_id, False)
    with pytest.raises(RefusedError, match="choose why"), store.act(SERVICE) as act:
        shred(act, patient_id, "because Bell said so")
    waiting, _ = make_drafted(store)
    with pytest.raises(RefusedError, match="still open"), store.act(SERVICE) as act:
        shred(act, waiting.patient_id, "patient asked")
    with store.act(SERVICE) as act:
        assert act.session.get_one(Patient, patient_id).sealed_key is not None
        shred(act, patient_id, "patient asked")


def test_a_shredded_patient_who_comes_again_is_new(store: Store) -> None:
    with store.act(PATIENT) as act:
        link = PatientLink(reference="Patient/7", family="Bell")
        visit = open_visit(act, team="clinic", language="en", channel="phone", link=link)
        code = give_code(act, visit.id, "invite", datetime.timedelta(days=3))
        assert open_code(act, code, "invite") is not None
    with store.act(SERVICE) as act:
        shred(act, visit.patient_id, "patient asked")
        assert act.session.get_one(Visit, visit.id).state == "left", "nothing was ever said on it"
        assert open_code(act, code, "invite") is None
    with store.act(PATIENT) as act:
        again = open_visit(act, team="clinic", language="en", channel="phone", link=link)
    assert again.patient_id != visit.patient_id


def test_overdue_by_class_and_never_under_hold(store: Store) -> None:
    with store.act(PATIENT) as act:
        left = open_visit(act, team="clinic", language="en", channel="phone")
    unsigned, _ = make_drafted(store)
    _, signed = make_sent(store, PatientLink(family="Bell"))
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    retention = Retention(signed=120, unsigned=24, left=1)
    found = {}
    for days in (0, 40, 740, 4000):
        clock.now = NOON + datetime.timedelta(days=days)
        with store.look(SERVICE) as act:
            found[days] = {(row.patient_id, row.kept_as) for row in find_overdue(act, retention)}
    one, two, three = (left.patient_id, "left"), (unsigned.patient_id, "unsigned"), (signed, "signed")
    assert found == {0: set(), 40: {one}, 740: {one, two}, 4000: {one, two, three}}
    with store.act(SERVICE) as act:
        hold(act, signed, True)
        shred(act, left.patient_id, "retention ended")
    with store.look(SERVICE) as act:
        assert {row.patient_id for row in find_overdue(act, retention)} == {unsigned.patient_id}
        assert find_overdue(act, Retention(signed=None, unsigned=None, left=None)) == []
        assert act.session.scalar(select(func.count()).select_from(Patient)) == 3
