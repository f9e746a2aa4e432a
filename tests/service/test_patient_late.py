"""An answer sent when a nurse has ended the questions: it reaches her, once, and can only raise the visit."""

from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.intake.languages import say
from prescreen.service.house import House
from prescreen.service.leaving import read_left
from prescreen.store.holding import add_facts
from prescreen.store.late import merge
from prescreen.store.reviewing import NOT_FINISHED, end_intake
from prescreen.store.tables import Job, Visit
from prescreen.store.visits import lock_visit, read_case, read_entries, read_interview, read_unasked
from service.front import hidden
from service.test_patient_pages import answer_on, go_to, only_visit
from store.desk import NURSE, make_case


def end_questions(house: House) -> Visit:
    """A nurse ends them and measures; returns the visit as she saw it."""
    with house.store.act(NURSE) as act:
        visit = only_visit(house)
        left = read_left(read_interview(act, visit), alone=False)
        end_intake(act, visit.id, house.draft_by, floor=left.floor, unasked=left.unasked)
        case = read_case(act, lock_visit(act, visit.id))
        add_facts(act, visit.id, case.model_copy(update={"vitals": Vitals(heart_rate=88)}), "88", house.draft_by)
    return only_visit(house)


def send(phone: TestClient, page: str, *signs: str):
    form = {name: hidden(page, name) for name in ("csrf", "mark", "step")}
    return phone.post("/p/answer", data={**form, "signs": list(signs)})


def test_a_danger_sign_sent_when_the_questions_were_ended_reaches_the_nurse_once(house, phone) -> None:
    page = go_to(phone, "screen")
    seen = end_questions(house)
    with house.store.look(NURSE) as act:
        before = read_unasked(act, seen)
    told = send(phone, page, "chest")
    assert told.status_code == 200 and say("en", "done.title") in told.text
    assert 'name="step"' not in told.text and say("en", "urgent.title") in told.text
    visit = only_visit(house)
    assert visit.state == "waiting" and visit.level == Acuity.EMERGENCY.rank and visit.urgent is not None
    assert visit.version > seen.version, "who reviews it must look again"
    with house.store.look(NURSE) as act:
        case = read_case(act, visit)
        assert case.vitals.heart_rate == 88 and any("chest" in turn.text.lower() for turn in case.turns)
        assert len(read_entries(act, visit, "alert")) == 1
        unasked = read_unasked(act, visit)
        assert unasked[0] == NOT_FINISHED and set(unasked) < set(before)
        answers = len(read_entries(act, visit, "answer"))
        assert len(list(act.session.scalars(select(Job).where(Job.state == "waiting")))) == 1
    send(phone, page, "chest")
    with house.store.look(NURSE) as act:
        assert len(read_entries(act, visit, "answer")) == answers and read_case(act, only_visit(house)) == case


def test_late_words_no_rule_can_read_hold_the_visit_up(house, phone) -> None:
    page = go_to(phone, "onset")
    assert (end_questions(house).level or 0) < Acuity.HIGH.rank
    form = {name: hidden(page, name) for name in ("csrf", "mark", "step")}
    words = "Me duele mucho desde ayer por la tarde y no puedo tragar"
    phone.post("/p/answer", data={**form, "start": "days", "course": "same", "pain": "3", "words": words})
    assert only_visit(house).level == Acuity.HIGH.rank


def test_nobody_is_shown_a_question_that_takes_no_answer(house, phone) -> None:
    go_to(phone, "screen")
    end_questions(house)
    page = phone.get("/p/step").text
    assert say("en", "done.title") in page and say("en", "screen.title") not in page


def test_an_answer_after_the_signature_is_not_kept_and_says_so(house, phone) -> None:
    page = go_to(phone, "screen")
    end_questions(house)
    with house.store.act(NURSE) as act:
        lock_visit(act, only_visit(house).id).state = "signed"
    before = only_visit(house)
    told = send(phone, page, "chest")
    assert told.status_code == 409 and say("en", "done.late") in told.text
    after = only_visit(house)
    assert (after.version, after.level, after.case) == (before.version, before.level, before.case)


def test_who_is_done_adds_nothing(house, phone) -> None:
    page = go_to(phone, "screen")
    while 'name="step"' in page:
        last, page = page, answer_on(phone, page)
    with house.store.look(NURSE) as act:
        count = len(read_entries(act, only_visit(house), "answer"))
    form = {name: hidden(last, name) for name in ("csrf", "mark", "step")}
    assert phone.post("/p/answer", data={**form, "confirm": "yes"}).status_code == 200
    with house.store.look(NURSE) as act:
        assert len(read_entries(act, only_visit(house), "answer")) == count


@given(st.sampled_from([None, "female", "male"]), st.sampled_from([None, "female", "male"]))
def test_what_the_nurse_changed_stands(nurses: str | None, patients: str | None) -> None:
    was = make_case("My throat is sore").model_copy(update={"sex": None})
    new, hers = Turn(speaker="patient", text="No"), Turn(speaker="nurse", text="Any rash?")
    now = was.model_copy(update={"sex": nurses, "turns": (*was.turns, hers)})
    case = was.model_copy(update={"sex": patients, "turns": (*was.turns, new)})
    merged: Case = merge(now, was, case)
    assert merged.sex == (nurses or patients) and merged.turns == (*was.turns, hers, new)
