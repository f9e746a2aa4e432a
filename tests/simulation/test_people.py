"""Who comes: the same seed the same people, levels and shares as set, and never a word of a test bank."""

from prescreen.evals.bank import read_bank
from prescreen.simulation.calendar import YEAR
from prescreen.simulation.people import MONDAY, SETTLERS, Crowd, meet_week


def test_a_week_is_the_same_each_time_and_another_with_another_seed() -> None:
    assert meet_week(3, 5, Crowd()) == meet_week(3, 5, Crowd())
    assert meet_week(3, 5, Crowd()) != meet_week(4, 5, Crowd())
    assert meet_week(3, 5, Crowd()) != meet_week(3, 6, Crowd())


def test_people_come_in_order_within_their_week() -> None:
    arrivals = meet_week(0, 2, Crowd(contacts=30))
    assert len({arrival.case.id for arrival in arrivals}) == 30
    assert [a.at for a in arrivals] == sorted(a.at for a in arrivals)
    days = [(a.at - MONDAY).total_seconds() / 86_400 for a in arrivals]
    assert min(days) >= 14 and max(days) < 14 + 5


def test_what_is_told_holds_no_truth() -> None:
    assert all(
        arrival.told.label is None and arrival.case.label is not None for arrival in meet_week(0, 0, Crowd())
    )


def test_a_broken_feed_brings_no_values_and_a_settlement_its_own_conditions() -> None:
    assert not any(a.case.vitals.measured for a in meet_week(0, 0, Crowd(vitals=False)))
    assert any(a.case.vitals.measured for a in meet_week(0, 0, Crowd()))
    known = {a.case.label.condition for a in meet_week(0, 0, Crowd(unknown=0.0)) if a.case.label}
    new = meet_week(0, 0, Crowd(newcomers=1.0))
    assert {a.language for a in new} == {"ar"}
    assert not known & {a.case.label.condition for a in new if a.case.label}
    assert len({a.case.label.condition for a in new if a.case.label}) <= len(SETTLERS)


def test_nobody_of_the_bank_comes() -> None:
    bank = {entry.case.complaint.casefold() for entry in read_bank()}
    came = {a.case.complaint.casefold() for week in range(3) for a in meet_week(0, week, Crowd())}
    assert not bank & came


def test_the_calendar_says_which_weeks_are_steady() -> None:
    steady = [week for week in range(YEAR.weeks) if YEAR.is_steady(week)]
    assert len(steady) >= 20
    for event in YEAR.events:
        assert event.first not in steady and event.last + 1 not in steady
        assert event.last < YEAR.weeks
    assert not set(steady) & {0, 1, 2, 3}
    assert not YEAR.crowd(10, 40).vitals and YEAR.crowd(9, 40).vitals and YEAR.crowd(12, 40).vitals
    assert YEAR.crowd(50, 40).newcomers == YEAR.crowd(28, 40).newcomers > YEAR.crowd(27, 40).newcomers == 0


def test_a_short_year_leaves_out_what_would_not_be_over() -> None:
    short = YEAR.short(12)
    assert [event.name for event in short.events] == ["vitals"]
    assert not short.updates and not short.poisons and short.rollback is None and short.bad_candidate is None
