"""From the door to the record: acts stand or fall whole, levels only rise, a signature leaves once."""

import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.signed import PatientLink
from prescreen.errors import ConflictError, RefusedError
from prescreen.store.base import Store
from prescreen.store.contacts import read_contacts
from prescreen.store.drafts import attach_draft, finish_job, take_job
from prescreen.store.holding import assign, claim, raise_now
from prescreen.store.outbox import mark_failed, mark_sent, send_again, take_parcel
from prescreen.store.people import AuditLine
from prescreen.store.queue import find_newest, find_signed_level, read_queue
from prescreen.store.reviewing import decide_first
from prescreen.store.reviews import Signature, last_review, read_signed, reopen, sign, undo
from prescreen.store.tables import Outgoing, Visit
from prescreen.store.trials import read_trial_contacts
from prescreen.store.visits import alert, lock_visit, open_visit, read_case, read_entries, tell
from store.desk import (
    MINUTE,
    NURSE,
    OTHER,
    PATIENT,
    PHYSICIAN,
    SERVICE,
    StoppedClock,
    make_case,
    make_drafted,
    make_waiting,
    signed_as,
)

UNDO = datetime.timedelta(seconds=30)


def sign_it(
    store: Store,
    reason: str = "seen in person",
    level: Acuity | None = None,
    note: str = "",
    channels: tuple[str, ...] = ("record",),
):
    visit, report = make_drafted(store)
    with store.act(NURSE) as act:
        version = claim(act, visit.id).version
    with store.act(NURSE) as act:
        final = signed_as(report, level or report.acuity)
        return sign(act, visit.id, Signature(version, "seen", final, reason, note), channels, UNDO)


def test_signature_leaves_once_the_time_to_undo_has_passed(store: Store) -> None:
    review = sign_it(store)
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w1") is None
    clock.pass_by(seconds=31)
    with store.act(SERVICE) as act:
        parcel = take_parcel(act, "w1")
    assert parcel is not None and parcel.visit.id == review.id and parcel.visit.signer.name == "Nurse 1"
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w2") is None, "held by another worker"
        mark_failed(act, parcel, "no answer", lasting=False)
    clock.pass_by(seconds=5)
    with store.act(SERVICE) as act:
        again = take_parcel(act, "w2")
        assert again is not None and again.attempts == 2
        mark_sent(act, again, "Composition/1")
    with store.look(SERVICE) as act:
        row = act.session.scalars(select(Outgoing)).one()
        assert (row.state, row.receipt) == ("sent", "Composition/1")


def test_a_dead_workers_parcel_comes_back(store: Store) -> None:
    sign_it(store)
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(seconds=31)
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w1")
    clock.pass_by(seconds=121)
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w2")


def test_a_clock_that_jumped_holds_nothing(store: Store) -> None:
    visit = make_waiting(store)
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(days=400)
    with store.act(SERVICE) as act:
        assert take_job(act, "w1")
    with store.act(NURSE) as act:
        claim(act, visit.id)
    clock.pass_by(days=-400)
    with store.act(SERVICE) as act:
        assert take_job(act, "w2")
    with store.act(OTHER) as act:
        assert claim(act, visit.id).locked_by == OTHER.id


def test_a_clock_a_little_behind_takes_nothing_from_others(store: Store) -> None:
    """Two acts begun at once may have their times in the other order than their turns."""
    visit = make_waiting(store)
    review = sign_it(store)
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(seconds=60)
    with store.act(NURSE) as act:
        claim(act, visit.id)
    with store.act(SERVICE) as act:
        taken = take_job(act, "w1"), take_job(act, "w1"), take_parcel(act, "w1")
    assert all(taken) and taken[2] is not None and taken[2].visit.id == review.id
    clock.pass_by(seconds=-1)
    with store.act(SERVICE) as act:
        assert take_job(act, "w2") is None and take_parcel(act, "w2") is None
    with store.act(OTHER) as act, pytest.raises(ConflictError):
        claim(act, visit.id)


def test_what_nobody_has_assessed_is_drafted_with_the_high_ones(store: Store) -> None:
    taken = []
    for level in (Acuity.LOW, None, Acuity.EMERGENCY, Acuity.MEDIUM):
        visit = make_waiting(store)
        with store.act(SERVICE) as act:
            act.session.get_one(Visit, visit.id).level = None if level is None else level.rank
    with store.act(SERVICE) as act:
        while work := take_job(act, "w"):
            taken.append(act.session.get_one(Visit, work.visit_id).level)
    assert taken == [Acuity.EMERGENCY.rank, None, Acuity.MEDIUM.rank, Acuity.LOW.rank]


def test_the_record_is_shown_the_visit_that_waits_before_an_invitation(store: Store) -> None:
    link = PatientLink(reference="Patient/7", family="Bell")
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    shown = []
    with store.act(PATIENT) as act:
        first = open_visit(act, team="clinic", language="en", channel="phone", link=link)
    clock.pass_by(minutes=1)
    with store.act(PATIENT) as act:
        invited = open_visit(act, team="clinic", language="en", channel="phone", link=link)
    for state, level in (("intake", None), ("intake", Acuity.EMERGENCY.rank), ("waiting", None), ("signed", 1)):
        with store.act(SERVICE) as act:
            row = act.session.get_one(Visit, first.id)
            row.state, row.level = state, level
            if level is not None:
                row.case = b"sealed"
            found = find_newest(act, "Patient/7")
            assert found is not None
            shown.append("first" if found.id == first.id else "invitation")
    assert shown == ["invitation", "first", "first", "first"] and invited.id != first.id


def test_a_correction_leaves_after_what_it_corrects(store: Store) -> None:
    first = sign_it(store)
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(seconds=31)
    with store.act(SERVICE) as act:
        parcel = take_parcel(act, "w")
        assert parcel is not None
        mark_failed(act, parcel, "away", lasting=False)
    with store.act(NURSE) as act:
        visit = reopen(act, first.visit_id)
        final = signed_as(parcel.visit.final, Acuity.EMERGENCY)
        told = Signature(visit.version, "s", final, "seen in person")
        second = sign(act, visit.id, told, ["record"], datetime.timedelta())
    assert second.corrects == first.id
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w") is None, "the first is not due yet, the second waits for it"
    clock.pass_by(seconds=5)
    with store.act(SERVICE) as act:
        again = take_parcel(act, "w")
        assert again is not None and again.visit.id == first.id
        mark_failed(act, again, "refused", lasting=True)
        newest = take_parcel(act, "w")
        assert newest is not None and newest.visit.id == second.id
        mark_sent(act, newest, "Composition/2")
        with pytest.raises(RefusedError, match="correction"):
            send_again(act, again.row_id)


def test_a_signature_that_was_corrected_twice_is_not_sent_again(store: Store) -> None:
    """Two were given up; the third is on its way and then there: the first must not come after it."""
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    sign_it(store)
    given_up = []
    for level in (Acuity.EMERGENCY, Acuity.MEDIUM):
        clock.pass_by(seconds=31)
        with store.act(SERVICE) as act:
            parcel = take_parcel(act, "w")
            assert parcel is not None
            mark_failed(act, parcel, "refused", lasting=True)
            given_up.append(parcel.row_id)
        with store.act(NURSE) as act:
            visit = reopen(act, parcel.visit.visit_id)
            told = Signature(visit.version, "s", signed_as(parcel.visit.final, level), "seen in person")
            sign(act, visit.id, told, ["record"], datetime.timedelta())
    with store.act(SERVICE) as act:
        for row in given_up:
            with pytest.raises(RefusedError, match="correction"):
                send_again(act, row)
        newest = take_parcel(act, "w")
        assert newest is not None
        mark_sent(act, newest, "Composition/3")
        for row in given_up:
            with pytest.raises(RefusedError, match="correction"):
                send_again(act, row)
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w") is None


def test_a_correction_stands_also_where_the_clock_went_back(store: Store) -> None:
    first = sign_it(store)
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(minutes=-10)
    last = first
    for level in (Acuity.EMERGENCY, Acuity.MEDIUM):
        with store.act(NURSE) as act:
            visit = reopen(act, first.visit_id)
            final = signed_as(read_signed(act, first).final, level)
            told = Signature(visit.version, "s", final, "seen in person", "her lips are blue by now")
            review = sign(act, visit.id, told, ["record"], datetime.timedelta())
            assert review.corrects == last.id
        last = review
        clock.pass_by(minutes=-1)
        with store.look(NURSE) as look:
            row = look.session.get_one(Visit, first.visit_id)
            standing = last_review(look, row)
            assert standing is not None and standing.id == last.id and find_signed_level(look, row) is level
            begun = look.now - datetime.timedelta(days=1)
            [counted] = read_contacts(look, begun, look.now + datetime.timedelta(days=1))
            [tried] = read_trial_contacts(look, begun)
            assert counted.level is tried.level is level


def test_undo_takes_it_back_before_it_leaves_and_never_after(store: Store) -> None:
    review = sign_it(store)
    with store.act(OTHER) as act, pytest.raises(RefusedError):
        undo(act, review.id)
    with store.act(NURSE) as act:
        assert undo(act, review.id).state == "waiting"
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(minutes=5)
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w") is None
    second = sign_it(store)
    clock.pass_by(seconds=31)
    with store.act(NURSE) as act, pytest.raises(ConflictError):
        undo(act, second.id)


def test_sign_needs_the_hold_the_newest_version_and_a_reason(store: Store) -> None:
    visit, report = make_drafted(store)
    with store.act(NURSE) as act, pytest.raises(ConflictError):
        sign(act, visit.id, Signature(visit.version, "s", report, "seen in person"), [], UNDO)
    with store.act(NURSE) as act:
        version = claim(act, visit.id).version
    with pytest.raises(RefusedError), store.act(NURSE) as act:
        sign(act, visit.id, Signature(version, "s", report), [], UNDO)
    with store.act(SERVICE) as act:
        attach_draft(act, lock_visit(act, visit.id), report, None)
    with pytest.raises(ConflictError, match="something new"), store.act(NURSE) as act:
        sign(act, visit.id, Signature(version, "s", report, "seen in person"), [], UNDO)


def test_signing_below_a_rule_takes_a_sentence(store: Store) -> None:
    complaint = "crushing chest pain and I am sweating"
    visit, report = make_drafted(store, complaint)
    assert report.rule_acuity is Acuity.EMERGENCY
    with store.act(NURSE) as act:
        version = claim(act, visit.id).version
    low = signed_as(report, Acuity.LOW)
    with pytest.raises(RefusedError, match="sentence"), store.act(NURSE) as act:
        sign(act, visit.id, Signature(version, "s", low, "seen in person"), [], UNDO)
    with store.act(NURSE) as act:
        told = Signature(version, "s", low, "seen in person", "Seen with Dr Ahn: costochondritis, ECG normal.")
        assert sign(act, visit.id, told, [], UNDO).level == 0


def test_two_answers_to_one_question_keep_one(store: Store) -> None:
    visit = make_waiting(store)
    with store.act(NURSE) as act:
        lock_visit(act, visit.id).state = "intake"
    with store.act(PATIENT) as act:
        tell(act, visit.id, before="{}", interview='{"n":1}', said="yes", case=make_case())
    with pytest.raises(ConflictError), store.act(PATIENT) as act:
        tell(act, visit.id, before="{}", interview='{"n":1}', said="yes", case=make_case())
    with store.look(NURSE) as act:
        kept = act.session.get_one(Visit, visit.id)
        assert len(read_entries(act, kept, "answer")) == 2
        assert read_case(act, kept).complaint.startswith("I have had")


def test_an_act_that_fails_leaves_nothing_and_no_line(store: Store) -> None:
    with store.look(SERVICE) as act:
        lines = len(list(act.session.scalars(select(AuditLine))))
    visit = make_waiting(store)
    with store.look(SERVICE) as act:
        after = len(list(act.session.scalars(select(AuditLine))))
    assert after == lines + 3
    with pytest.raises(RuntimeError), store.act(NURSE) as act:
        claim(act, visit.id)
        raise RuntimeError
    with store.look(SERVICE) as act:
        assert act.session.get_one(Visit, visit.id).locked_by is None
        assert len(list(act.session.scalars(select(AuditLine)))) == after


def test_an_alert_stands_in_the_queue_before_the_patient_is_done(store: Store) -> None:
    waiting = make_waiting(store)
    other = make_waiting(store)
    with store.act(PATIENT) as act:
        visit = lock_visit(act, other.id)
        visit.state, visit.finished = "intake", None
        alert(act, visit, ["chest"], Acuity.EMERGENCY)
    with store.look(NURSE) as act:
        assert [line.id for line in read_queue(act, ["clinic"])] == [other.id, waiting.id]
        assert read_queue(act, ["elsewhere"]) == []


def test_only_a_physician_is_escalated_to(store: Store) -> None:
    visit = make_waiting(store)
    with pytest.raises(RefusedError), store.act(NURSE) as act:
        assign(act, visit.id, OTHER.id, escalate=True)
    with store.act(NURSE) as act:
        assert assign(act, visit.id, PHYSICIAN.id, escalate=True).escalated is not None


LEVELS = st.sampled_from(list(Acuity))
ACTS = st.one_of(
    st.tuples(st.just("alert"), LEVELS), st.tuples(st.just("draft"), LEVELS), st.tuples(st.just("raise"), LEVELS)
)


@given(acts=st.lists(ACTS, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_lowers_a_waiting_visit(store: Store, acts: list[tuple[str, Acuity]]) -> None:
    visit, report = make_drafted(store)
    held = visit.level
    for kind, level in acts:
        with store.act(NURSE) as act:
            row = lock_visit(act, visit.id)
            if kind == "alert":
                alert(act, row, ["r"], level)
            elif kind == "draft":
                drafted = report.model_copy(update={"acuity": level, "model_acuity": level, "rule_acuity": None})
                attach_draft(act, row, drafted, None)
            elif row.level is not None and level.rank < row.level:
                with pytest.raises(RefusedError):
                    raise_now(act, visit.id, level)
            else:
                raise_now(act, visit.id, level)
            assert row.level is not None and held is not None and row.level >= held
            held = row.level


def test_a_visit_nobody_has_assessed_is_not_put_behind_the_high_ones(store: Store) -> None:
    visit = make_waiting(store)
    with pytest.raises(RefusedError, match="signing with a reason"), store.act(NURSE) as act:
        raise_now(act, visit.id, Acuity.MEDIUM)
    with store.act(NURSE) as act:
        lock_visit(act, visit.id).blind = True
        decide_first(act, visit.id, claim(act, visit.id).version, Acuity.LOW)
    with store.look(NURSE) as look:
        assert read_queue(look, ["clinic"])[0].level is None, "a lower choice lowers nothing"
    with store.act(NURSE) as act:
        assert raise_now(act, visit.id, Acuity.EMERGENCY).level == Acuity.EMERGENCY.rank


def test_a_draft_of_an_older_case_is_dropped(store: Store) -> None:
    visit = make_waiting(store)
    with store.act(SERVICE) as act:
        work = take_job(act, "w")
    assert work is not None
    from prescreen.clinic.floor import finalise
    from prescreen.store.holding import add_facts

    with store.act(NURSE) as act:
        add_facts(act, visit.id, make_case("sore throat, and now I cannot breathe"), "told at the desk", MINUTE)
    with store.act(SERVICE) as act:
        assert finish_job(act, work, "w", finalise(work.case, None, "x"), None) is None
    with store.act(SERVICE) as act:
        fresh = take_job(act, "w")
        assert fresh is not None and "cannot breathe" in fresh.case.complaint
        report = finalise(fresh.case, None, "x")
        assert finish_job(act, fresh, "w", report, None) is not None
