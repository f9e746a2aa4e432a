"""By the clock: a phone put down loses nobody, and a model that was away comes back."""

from pathlib import Path

import pytest
from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.errors import RunError
from prescreen.service.engine.guarding import Drafted
from prescreen.service.nurse.review_pages import review_pages
from prescreen.service.settings import Audit
from prescreen.service.sweeping import sweep
from prescreen.service.worker import Worker
from prescreen.store.drafts import attach_draft
from prescreen.store.queue import read_queue
from prescreen.store.tables import Draft, Visit
from prescreen.store.visits import lock_visit, read_case, read_unasked, request_draft
from service.front import make_client, make_phone
from service.test_patient_pages import answer_on, begin, go_to, only_visit
from service.ward import LABEL, Desk, make_draft, make_reviewable
from store.desk import NURSE, SERVICE, StoppedClock


def test_an_interview_left_half_way_becomes_a_nurses_task(house) -> None:
    with make_phone(house) as phone:
        go_to(phone, "screen")
    clock = house.store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(minutes=40)
    assert sweep(house) == 0
    clock.pass_by(minutes=10)
    assert sweep(house) == 1
    visit = only_visit(house)
    assert visit.state == "waiting" and visit.level is not None and visit.level >= Acuity.HIGH.rank
    with house.store.look(NURSE) as act:
        assert [line.id for line in read_queue(act, ["clinic"])] == [visit.id]
        assert read_unasked(act, visit)[0] == "The patient left before the end."
    assert sweep(house) == 0


def test_a_clock_that_was_ahead_while_somebody_spoke_hides_no_visit_that_was_left(house) -> None:
    clock = house.store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(days=400)
    with make_phone(house) as phone:
        go_to(phone, "screen")
    clock.pass_by(minutes=-40)
    assert sweep(house) == 0, "a clock that is set by a little is no reason to take the phone out of a hand"
    clock.pass_by(days=-400)
    assert sweep(house) == 1 and only_visit(house).state == "waiting"


@pytest.mark.parametrize("interview", ['{"version": "0"}', "not sealed"])
def test_an_interview_that_cannot_be_read_keeps_no_other_from_a_nurse(house, interview: str) -> None:
    for _ in range(2):
        with make_phone(house) as phone:
            go_to(phone, "screen")
        house.store.clock.pass_by(minutes=1)
    with house.store.act(SERVICE) as act:
        first, other = act.session.scalars(select(Visit).order_by(Visit.opened))
        sealed = act.seal(first.patient_id, f"visits|interview|{first.id}", interview)
        first.interview = b"torn" if interview == "not sealed" else sealed
    house.store.clock.pass_by(minutes=50)
    sweep(house)
    with house.store.look(SERVICE) as act:
        assert act.session.get_one(Visit, other.id).state == "waiting"
        read = act.session.get_one(Visit, first.id)
        if interview != "not sealed":
            assert read.state == "waiting" and read.level == Acuity.HIGH.rank
            assert "cannot be read by this version" in read_unasked(act, read)[1]


def test_questions_a_nurse_ends_keep_the_level_of_words_no_rule_can_read(house) -> None:
    with make_phone(house) as phone:
        go_to(phone, "screen", "es", "Me duele mucho el oído desde ayer por la tarde")
    visit = only_visit(house)
    with make_client(house, review_pages) as client:
        assert Desk(client).post(f"/visits/{visit.id}/claim", end_intake="1").status_code == 303
    with house.store.act(SERVICE) as act:
        row = lock_visit(act, visit.id)
        assert row.level == Acuity.HIGH.rank, "nobody has read the words yet"
        attach_draft(act, row, finalise(read_case(act, row), make_draft(acuity=Acuity.LOW)), LABEL)
        assert row.level == Acuity.HIGH.rank
        told = read_unasked(act, row)
    assert "had not finished" in told[0] and any("Danger signs" in item for item in told)


def test_an_anchor_that_is_away_keeps_no_patient_from_a_nurse(house, tmp_path: Path) -> None:
    with make_phone(house) as phone:
        go_to(phone, "screen")
    house.store.clock.pass_by(minutes=50)
    (tmp_path / "unmounted").write_text("")
    audit = Audit(anchor=tmp_path / "unmounted" / "anchor", every=1)
    house.settings = house.settings.model_copy(update={"audit": audit})
    with pytest.raises(OSError):
        sweep(house)
    assert only_visit(house).state == "waiting"


def test_by_rules_alone_a_draft_is_there_at_once(house) -> None:
    with make_phone(house) as phone:
        begin(phone)
        page = phone.get("/p/step").text
        while 'name="step"' in page:
            page = answer_on(phone, page)
    assert Worker(house).draft_once()
    assert only_visit(house).draft_id is not None


@pytest.mark.parametrize(("minutes", "asked"), [(1, True), (3, False)])
def test_a_draft_that_is_late_already_waits_for_no_model(house, monkeypatch, minutes: int, asked: bool) -> None:
    calls = []

    class Engine:
        def draft(self, case: Case) -> Drafted:
            calls.append(case)
            return Drafted(finalise(case, None, "the model said nothing"), None, "", "stop", 0.0)

    monkeypatch.setattr(house, "serving", lambda: (Engine(), LABEL))
    house.why = ""
    visit = make_reviewable(house.store, attach=False)
    with house.store.act(SERVICE) as act:
        request_draft(act, lock_visit(act, visit.id), house.draft_by)
    house.store.clock.pass_by(minutes=minutes)
    while Worker(house).draft_once():
        pass
    with house.store.look(NURSE) as act:
        draft = act.session.scalars(select(Draft).where(Draft.visit_id == visit.id)).one()
    assert bool(calls) is asked and draft.label is None
    assert ("not free in time" in draft.why) is not asked


def test_a_model_that_was_away_is_tried_again(house) -> None:
    tried = []
    house.try_model = lambda: tried.append(1)
    sweep(house)
    assert tried == [1]


def test_a_model_or_rules_that_fail_keep_the_log_from_no_mark(house, tmp_path: Path) -> None:
    done = []

    def fail(name: str):
        done.append(name)
        raise RunError(name)

    house.try_model, house.keep_rules = lambda: fail("model"), lambda: fail("rules")
    anchor = tmp_path / "anchor"
    house.settings = house.settings.model_copy(update={"audit": Audit(anchor=anchor, every=1)})
    with house.store.act(SERVICE) as act:
        act.log("test")
    with pytest.raises(RunError):
        sweep(house)
    assert done == ["model", "rules"] and anchor.read_text().count("\n") == 1
