"""The record's history beside what is told: rules see both, nothing is taken back, both are kept apart."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import finalise
from prescreen.clinic.signed import PatientLink
from prescreen.ehr.channel import DeliveryError, History
from prescreen.service.record.histories import fetch_history
from prescreen.store.drafts import attach_draft, take_job
from prescreen.store.record import _join, add_record, set_record
from prescreen.store.tables import Visit
from prescreen.store.visits import finish, lock_visit, open_visit, raise_by_rules, read_case, tell
from service.ward import LABEL, Desk, make_draft, make_reviewable, make_room
from service.ward import make_case as ward_case
from store.desk import MINUTE, NURSE, PATIENT, SERVICE, make_case

ITEMS = st.none() | st.lists(st.sampled_from(["asthma", "Asthma", "gout", "warfarin"]), max_size=3).map(tuple)


class OneHistory:
    """A record system that knows one patient, or is away."""

    name = "record"

    def __init__(self, history: History | None) -> None:
        self.history = history

    def read_history(self, reference: str) -> History:
        if self.history is None:
            raise DeliveryError("no answer", lasting=False)
        return self.history


def open_known(house, complaint: str = "") -> Visit:
    with house.store.act(PATIENT) as act:
        link = PatientLink(reference="Patient/7", family="Bell")
        visit = open_visit(act, team="clinic", language="en", channel="invite", link=link)
    if complaint:
        with house.store.act(PATIENT) as act:
            tell(act, visit.id, before=None, interview="{}", said=complaint, case=make_case(complaint))
    return visit


def test_rules_fire_on_what_is_told_and_what_the_record_knows_together(house) -> None:
    known = History(patient=PatientLink(), medications=("warfarin",), conditions=("atrial fibrillation",))
    house.channels["record"] = OneHistory(known)
    visit = open_known(house, "I fell in the bath and hit my head this morning")
    assert fetch_history(house, visit.id) == ""
    with house.store.act(PATIENT) as act:
        row = lock_visit(act, visit.id)
        before = row.level
        raise_by_rules(act, row, read_case(act, row))
        assert before is None and row.level is not None and row.level >= Acuity.HIGH.rank
        assert read_case(act, row).medications is None, "what was told stays what was told"
    with house.store.act(PATIENT) as act:
        finish(act, visit.id, floor=None, unasked=(), draft_by=MINUTE)
    with house.store.act(SERVICE) as act:
        work = take_job(act, "w")
        assert work is not None and work.case.medications == ("warfarin",)


def test_a_record_that_is_away_stops_nobody(house) -> None:
    house.channels["record"] = OneHistory(None)
    visit = open_known(house)
    assert "could not be read" in fetch_history(house, visit.id)
    with house.store.look(NURSE) as act:
        assert act.session.get_one(Visit, visit.id).record is None


@given(told=ITEMS, known=ITEMS)
def test_joining_loses_nothing_and_invents_nothing(told, known) -> None:
    joined = _join(told, known)
    if told is None and known is None:
        assert joined is None
        return
    assert joined is not None
    both = {item.casefold() for item in (*(told or ()), *(known or ()))}
    assert {item.casefold() for item in joined} == both


def test_a_pregnancy_known_to_either_is_known(house) -> None:
    visit = open_known(house, "my belly hurts")
    with house.store.act(SERVICE) as act:
        row = lock_visit(act, visit.id)
        set_record(act, row, History(patient=PatientLink(sex="female"), pregnant=True).model_dump_json())
        case = add_record(act, row, read_case(act, row))
        assert case.pregnant and case.sex == "female"
        denied = add_record(act, row, read_case(act, row).model_copy(update={"pregnant": False}))
        assert denied.pregnant


@pytest.mark.parametrize("attach", [True, False])
def test_a_rule_that_fires_by_the_record_stands_on_the_chart(tmp_path: Path, attach: bool) -> None:
    house, client = make_room(tmp_path)
    record = History(patient=PatientLink(), medications=("warfarin",), conditions=("atrial fibrillation",))
    case = ward_case(complaint="I fell in the bath and hit my head this morning", turns=(), medications=None)
    visit = make_reviewable(house.store, case, record=record, attach=False)
    with house.store.act(SERVICE) as act:
        row = lock_visit(act, visit.id)
        raise_by_rules(act, row, case)
        if attach:
            attach_draft(act, row, finalise(add_record(act, row, case), make_draft()), LABEL)
    with client:
        page = Desk(client).claim(visit.id)
    flags = page.split("Red flags</h2>")[1].split("<h2>")[0]
    assert "No rule fired" not in flags and "named by the draft" not in flags
    assert "anticoag" in flags.lower() and 'class="level emergency"' in flags
    assert "<dt>Rules</dt><dd>Emergency</dd>" in page
    house.store.close()
