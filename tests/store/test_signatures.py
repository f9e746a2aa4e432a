"""Signatures that may train: those that stand, of patients who agree and whose key is there."""

import datetime
from pathlib import Path

import pytest

from monitor.signed_store import name_patient, sign_one
from prescreen.clinic.acuity import Acuity
from prescreen.store.base import Store
from prescreen.store.incidents import assess, note_case, report
from prescreen.store.people import AuditLine
from prescreen.store.retention import shred
from prescreen.store.reviewing import open_correction
from prescreen.store.reviews import Signature, sign, undo
from prescreen.store.signatures import mark_signatures, read_first, read_signatures
from prescreen.store.tables import Patient, Review, Visit
from service.ward import make_case, make_draft
from store.desk import NURSE, OTHER, SERVICE, make_store

MINUTES = datetime.timedelta(minutes=5)


@pytest.fixture
def store(tmp_path: Path):
    made = make_store(tmp_path)
    yield made
    made.close()


def signed(store: Store, number: int = 0, **told: object) -> str:
    visit = sign_one(store, make_case(), make_draft(), link=name_patient(number), **told)  # type: ignore[arg-type]
    store.clock.pass_by(hours=1)  # type: ignore[attr-defined]
    return visit


def listed(store: Store, between=(None, None)) -> list[str]:
    with store.act(SERVICE) as act:
        return [one.signed.visit_id for one in read_signatures(act, between)]


def mark(store: Store) -> str:
    with store.look(SERVICE) as act:
        return mark_signatures(act)


def patient_of(store: Store, visit: str) -> str:
    with store.look(SERVICE) as act:
        return act.session.get_one(Visit, visit).patient_id


def test_what_stands_is_read_in_order_with_draft_and_level(store: Store) -> None:
    first, second = signed(store, 0, level=Acuity.HIGH, seconds=31, blind=Acuity.LOW), signed(store, 1)
    with store.act(SERVICE) as act:
        one, other = read_signatures(act)
        log = [line for line in act.session.query(AuditLine) if line.action == "training.read"]
    assert [one.signed.visit_id, other.signed.visit_id] == [first, second] and log == []
    assert one.signed.draft is not None and one.signed.draft.acuity is Acuity.MEDIUM
    assert (one.signed.level, one.seconds, one.blind, one.earlier) == (Acuity.HIGH, 31, Acuity.LOW, ())
    with store.look(SERVICE) as act:
        (line,) = [line for line in act.session.query(AuditLine) if line.action == "training.read"]
    assert line.detail == '{"signatures":2}'


def test_no_consent_no_reading_and_a_consent_withdrawn_counts_at_once(store: Store) -> None:
    kept, refused = signed(store, 0), signed(store, 1, training=False)
    assert listed(store) == [kept]
    before = mark(store)
    with store.act(SERVICE) as act:
        act.session.get_one(Patient, act.session.get_one(Visit, kept).patient_id).training = False
    assert listed(store) == [] and mark(store) != before
    assert refused not in listed(store)


def test_a_visit_that_became_a_test_case_teaches_nobody(store: Store) -> None:
    kept, judging = signed(store, 0), signed(store, 1)
    with store.act(NURSE) as act:
        incident = report(act, judging, "wrong level", "serious", "The draft was too low.").id
        assess(act, incident, severity="serious", hazard="H01", note="A wording nobody knew.")
    assert listed(store) == [kept, judging]
    with store.act(NURSE) as act:
        note_case(act, incident, "clinic-incident-1", "high")
    assert listed(store) == [kept]


def test_a_shredded_patient_is_gone(store: Store) -> None:
    kept, gone = signed(store, 0), signed(store, 1)
    with store.act(SERVICE) as act:
        shred(act, patient_of(store, gone), "patient asked")
    assert listed(store) == [kept]


def test_what_can_still_be_taken_back_or_was_is_not_read(store: Store) -> None:
    visit = sign_one(store, make_case(), make_draft(), link=name_patient(0))
    assert listed(store) == []
    with store.act(NURSE) as act:
        undo(act, act.session.query(Review).filter_by(visit_id=visit).one().id)
    store.clock.pass_by(hours=1)  # type: ignore[attr-defined]
    assert listed(store) == []


def test_a_correction_takes_the_place_of_what_it_corrects(store: Store) -> None:
    visit = signed(store, 0, level=Acuity.LOW, note="seen at the desk just now")
    with store.act(OTHER) as act:
        opened = open_correction(act, visit)
        version = opened.version
    assert listed(store) == []  # while it is open again
    with store.act(OTHER) as act:
        report = _final(act, visit).model_copy(update={"acuity": Acuity.HIGH})
        sign(act, visit, Signature(version, "0" * 64, report, "clinic protocol"), (), MINUTES)
    store.clock.pass_by(hours=1)  # type: ignore[attr-defined]
    with store.act(SERVICE) as act:
        (one,) = read_signatures(act)
    assert one.signed.level is Acuity.HIGH and one.signed.signer.id == OTHER.id
    assert [tuple(opinion) for opinion in one.earlier] == [(NURSE.id, Acuity.LOW)]


def test_two_moments_bound_what_is_read_and_the_first_signature_is_known(store: Store) -> None:
    start = store.clock()
    early, late = signed(store, 0), signed(store, 1)
    middle = start + datetime.timedelta(minutes=30)
    assert (listed(store, (None, middle)), listed(store, (middle, None))) == ([early], [late])
    with store.look(SERVICE) as act:
        assert read_first(act)[patient_of(store, late)] >= middle


def test_the_mark_changes_only_with_what_would_be_read(store: Store) -> None:
    signed(store, 0)
    before = mark(store)
    listed(store)
    signed(store, 1, training=False)
    assert mark(store) == before
    signed(store, 2)
    assert mark(store) != before


def _final(act, visit: str):
    from prescreen.store.reviews import last_review, read_signed

    review = last_review(act, act.session.get_one(Visit, visit))
    assert review is not None
    return read_signed(act, review).final
