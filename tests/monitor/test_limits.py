"""What becomes of a signal over weeks: its reference, its release, its alarms, and what a nurse reads."""

import datetime
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from monitor.invented import FIRST, FLU, Clinic, draw_week
from prescreen.clinic.rates import Rate
from prescreen.monitor.chart import Chart, State
from prescreen.monitor.limits import WEEKS_OF_QUARTER, Limits, allow, count_tests, judge
from prescreen.monitor.signals import find_signal, load_signals
from prescreen.monitor.track import Track
from prescreen.monitor.week import Mix, Parts, Share, Times, Week

LIMITS = Limits()


def track(name: str, limits: Limits = LIMITS) -> Track:
    return Track(find_signal(name), limits, allow(find_signal(name), limits))


def day(number: int) -> datetime.date:
    return FIRST + datetime.timedelta(weeks=number)


def share(right: int, n: int = 100) -> Share:
    return Share(Rate(right=right, wrong=n - right), tuple(f"v-{i}" for i in range(right)))


def follow(name: str, rights: Iterable[int], n: int = 100, limits: Limits = LIMITS) -> Chart:
    one = track(name, limits)
    for number, right in enumerate(rights):
        one.add(day(number), share(right, n))
    return one.chart()


def states(chart: Chart) -> list[State]:
    return [point.state for point in chart.points]


def test_all_tests_of_a_quarter_spend_the_budget_and_no_more() -> None:
    nominal = sum(allow(s, LIMITS) * count_tests(s, LIMITS) * WEEKS_OF_QUARTER for s in load_signals())
    assert nominal * LIMITS.spent == pytest.approx(LIMITS.budget)
    half = Limits(budget=0.5)
    assert allow(find_signal("overrides"), half) == pytest.approx(allow(find_signal("overrides"), LIMITS) / 2)


def test_a_young_reference_judges_nothing() -> None:
    chart = follow("overrides", [10, 9, 11, 40])
    assert states(chart) == ["too few"] * 4 and "too few to judge yet" in chart.sentence
    assert states(follow("overrides", [10, 9, 11, 10, 40]))[-1] == "alarm"


def test_the_same_share_in_a_few_contacts_is_no_alarm() -> None:
    assert follow("overrides", [10] * 12 + [30]).state == "alarm"
    few = track("overrides")
    for number in range(12):
        few.add(day(number), share(10))
    few.add(day(12), share(3, 10))
    assert few.chart().state in ("steady", "watch")


def test_rare_but_too_small_to_act_on_is_no_alarm() -> None:
    """4,000 contacts a week make every difference a rare one."""
    assert follow("overrides", [400] * 12 + [560], n=4000).state == "steady"
    assert follow("overrides", [400] * 12 + [640], n=4000).state == "alarm"


def test_a_slow_rise_is_found_because_the_reference_stays() -> None:
    rise = [min(30, 10 + week // 2) for week in range(40)]
    chart = follow("overrides", [10] * 12 + rise)
    first = states(chart).index("alarm")
    assert first < 12 + 24, "before the share has doubled"
    assert all(state != "steady" for state in states(chart)[first:]), "and it does not become normal"
    assert chart.reference == f"12 weeks, {day(0)} to {day(11)}"


def test_weeks_of_an_alarm_do_not_enter_the_reference() -> None:
    chart = follow("overrides", [10, 10, 10, 10, 60, 60, 10, 10, 10, 10, 10, 10])
    assert states(chart)[4:6] == ["alarm", "alarm"]
    assert chart.centre == pytest.approx(0.10)


def test_a_good_change_is_no_alarm() -> None:
    assert follow("overrides", [20] * 12 + [0, 0, 0]).state == "steady"
    assert follow("unchanged", [60] * 12 + [95]).state == follow("unchanged", [60] * 12 + [20]).state == "alarm"


def test_the_points_and_limits_are_those_of_the_week() -> None:
    chart = follow("overrides", [10] * 12 + [30])
    assert [point.figure for point in chart.points][-2:] == [0.10, 0.30]
    assert (chart.centre, chart.low, chart.unit) == (0.10, None, "share")
    assert chart.high is not None and 0.15 <= chart.high < 0.30
    assert chart.cases[0] == "v-0" and len(chart.cases) == 20


def test_a_nurse_reads_counts_and_how_rare_it_is() -> None:
    told = follow("overrides", [10] * 12 + [30]).sentence
    assert told.startswith("Level changed by the nurse: 30 of 100 (30 %) this week, 120 of 1200 (10 %) before; ")
    assert told.endswith("weeks.") and "v-" not in told
    slow = follow("overrides", [10] * 12 + [17, 16, 17, 16]).sentence
    assert "in the last 4 weeks together" in slow or "in the last 2 weeks together" in slow


@pytest.fixture(scope="module")
def weeks() -> list[Week]:
    dice = np.random.default_rng(2)
    quiet, flu = Clinic(contacts=100), Clinic(contacts=100, areas=tuple(FLU.items()))
    return [draw_week(quiet if number < 12 else flu, number, dice) for number in range(20)]


def chart_of(charts: list[Chart], name: str) -> Chart:
    return next(chart for chart in charts if chart.signal.name == name)


def test_an_accepted_change_begins_a_new_reference_and_others_stay(weeks: list[Week]) -> None:
    assert chart_of(judge(weeks), "complaint_mix").state == "alarm"
    charts = judge(weeks, rebased={"complaint_mix": weeks[12].start})
    mix = chart_of(charts, "complaint_mix")
    assert mix.state != "alarm" and mix.reference.endswith(f"{weeks[12].start} to {weeks[18].start}")
    assert chart_of(charts, "overrides").reference.startswith("12 weeks")
    assert [len(chart.points) for chart in charts] == [20] * len(charts)


def test_a_new_release_is_judged_by_the_old_ones_reference_until_it_has_its_own(weeks: list[Week]) -> None:
    worse = {"overrides": share(45), "with_vitals": share(80)}
    changed = [
        replace(week, release="invented 2", figures={**week.figures, **worse}) if number >= 14 else week
        for number, week in enumerate(weeks)
    ]
    at_once = chart_of(judge(changed[:15]), "overrides")
    assert at_once.state == "alarm", "a worse release is seen in its first week"
    accepted = judge(changed, rebased={"overrides": changed[14].start})
    assert chart_of(accepted, "overrides").state != "alarm"
    assert chart_of(accepted, "with_vitals").reference.startswith("12 weeks"), "patients do not change with it"


def test_a_better_release_is_no_alarm(weeks: list[Week]) -> None:
    better = [
        replace(week, release="invented 2", figures={**week.figures, "overrides": share(1), "unchanged": share(95)})
        if number >= 14
        else week
        for number, week in enumerate(weeks)
    ]
    charts = judge(better)
    assert set(states(chart_of(charts, "overrides"))[14:]) <= {"steady", "too few"}
    assert "alarm" not in states(chart_of(charts, "unchanged"))[14:], (
        "bad both ways: it waits for its own reference"
    )


def test_every_kind_survives_weeks_without_anybody() -> None:
    empty: dict[str, object] = {"share": Share(Rate()), "mix": Mix({}), "times": Times(()), "parts": Parts({})}
    for signal in load_signals():
        one = track(signal.name)
        for number in range(8):
            one.add(day(number), empty[signal.kind if signal.kind in empty else "parts"])  # type: ignore[arg-type]
        chart = one.chart()
        assert chart.state == "too few" and "too few to judge yet" in chart.sentence, signal.name
    assert judge([]) == []


def test_groups_are_compared_only_when_large_enough_and_one_bad_group_is_named() -> None:
    def parts(**told: tuple[int, int]) -> Parts:
        return Parts({group: Rate(right=right, wrong=n - right) for group, (right, n) in told.items()})

    for told, expected in (
        (parts(en=(20, 300), es=(15, 40)), "alarm"),
        (parts(en=(20, 300), es=(6, 15)), "too few"),
        (parts(en=(20, 300), es=(4, 40)), "steady"),
    ):
        one = track("language_gap")
        one.add(day(0), told)
        chart = one.chart()
        assert chart.state == expected, chart.sentence
        assert expected != "alarm" or "es 15 of 40 (38 %), all others 20 of 300 (7 %)" in chart.sentence
