"""The bars themselves: each is missed where it should be, and a short year is not asked what it cannot show."""

from pathlib import Path

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.monitor.chart import Chart
from prescreen.monitor.signals import find_signal
from prescreen.monitor.week import Week
from prescreen.simulation import verdict
from prescreen.simulation.calendar import NEWCOMERS, VITALS, YEAR, Calendar
from prescreen.simulation.desk import Truth
from prescreen.simulation.loop import Back
from prescreen.simulation.observing import Alarm, Observer
from prescreen.simulation.page import JSON, PAGE, write_year
from prescreen.simulation.poisons import Stopped
from prescreen.simulation.verdict import Bar, Twice, Update

LOW, HIGH, NOW = Acuity.LOW, Acuity.HIGH, Acuity.EMERGENCY


def truth(right: Acuity, shown: Acuity, signed: Acuity, *, week: int = 0, weights: str = "a") -> Truth:
    return Truth("v", week, "nadia", "cold", right, right, shown, None, shown, signed, False, weights)


def observer(*alarms: tuple[int, str]) -> Observer:
    made = Observer(Calendar(events=(VITALS,)))
    made.alarms = [Alarm(week, name, "", made._cause(week)) for week, name in alarms]
    return made


def see(made: Observer, week: int, *ringing: str) -> None:
    """A week in which these signals alarm, whatever was counted."""

    class Rings:
        def add(self, week: Week) -> None: ...

        def charts(self) -> list[Chart]:
            return [Chart(find_signal(name), "share", (), None, None, None, "alarm", name) for name in ringing]

    made._watch = Rings()  # type: ignore[assignment]
    made.add(week, ())


@pytest.mark.parametrize(
    ("week", "signal", "met"),
    [(10, "with_vitals", True), (11, "with_vitals", True), (12, "with_vitals", False), (9, "with_vitals", False),
     (10, "age_mix", False)],
)  # fmt: skip
def test_a_drift_asks_for_the_right_alarm_in_time(week: int, signal: str, met: bool) -> None:
    (bar,) = verdict.judge_drifts(observer((week, signal)))
    assert bar.met is met


def test_the_week_after_the_rollback_is_no_steady_one() -> None:
    whole = YEAR.short(52)
    assert YEAR.rollback == 50 and "rollback" in [event.name for event in whole.events]
    assert whole.is_steady(50) and not whole.is_steady(51)
    assert "rollback" not in [event.name for event in YEAR.short(51).events]


def test_false_alarms_are_those_of_steady_weeks() -> None:
    assert verdict.judge_false_alarms(observer((10, "age_mix"), (14, "age_mix"))).met
    steady = [(week, "age_mix") for week in (5, 20, 30, 40)]
    bar = verdict.judge_false_alarms(observer(*steady))
    assert bar.met is False and bar.figure.startswith("4 in")


def test_signals_of_the_same_visits_are_one_false_alarm_that_names_both() -> None:
    made = Observer(Calendar())
    see(made, 5, "overrides", "overrides_up", "age_mix")
    assert [alarm.joins for alarm in made.alarms] == ["", "overrides", ""]
    figure = verdict.judge_false_alarms(made).figure
    assert figure.startswith("2 in ") and "overrides with overrides_up in week 5; age_mix in week 5" in figure
    see(made, 6, "overrides", "overrides_up", "upgrades_to_emergency")
    assert len(made.find_false()) == 2, "what joins an alarm that goes on is no new one"
    assert made.alarms[-1].signal == "upgrades_to_emergency", "but it is told"
    see(made, 7)
    see(made, 8, "overrides_up")
    see(made, 9, "overrides_up", "overrides", "overrides_down")
    assert len(made.find_false()) == 3, "a part on its own is an alarm, which the whole only widens"
    assert {alarm.signal: alarm.joins for alarm in made.alarms if alarm.week == 9} == {
        "overrides": "overrides_up", "overrides_down": "overrides",
    }  # fmt: skip


def test_a_part_is_the_right_alarm_of_a_drift_as_well() -> None:
    made = Observer(Calendar(events=(NEWCOMERS,)))
    see(made, 27, "upgrades_to_emergency")
    see(made, 28, "overrides", "upgrades_to_emergency")
    assert made.find_right(NEWCOMERS) == made.alarms[-1]


def test_an_update_may_miss_no_emergency_more() -> None:
    told = truth(NOW, HIGH, NOW)
    better = Update("update 1", (Twice(told, HIGH, NOW), Twice(told, NOW, NOW)))
    worse = Update("update 1", (Twice(told, NOW, HIGH), Twice(told, NOW, NOW)))
    assert verdict.judge_missed([better])[0].met
    assert verdict.judge_missed([worse])[0].met is False


def test_an_update_that_never_served_is_a_missed_bar() -> None:
    (bar,) = verdict.judge_overrides([], 2)
    assert bar.met is False and "0 of 2" in bar.figure


def test_a_poison_counts_only_by_its_right_name_and_untrained() -> None:
    calendar = Calendar(poisons={3: "phi"})
    for names, trained, met in ((("phi",), False, True), (("too_few",), False, False), (("phi",), True, False)):
        (bar,) = verdict.judge_poisons(calendar, [Stopped(3, "phi", names, trained, "")])
        assert bar.met is met
    assert verdict.judge_poisons(calendar, [])[0].met is False


def test_the_stamper_alone_is_named() -> None:
    assert verdict.judge_stamper(YEAR, [(44, "quirin")]).met
    assert verdict.judge_stamper(YEAR, []).met is False
    assert verdict.judge_stamper(YEAR, [(44, "quirin"), (20, "petra")]).met is False
    assert verdict.judge_stamper(YEAR.short(12), []).met is None


def test_a_rollback_is_to_the_byte_and_a_bad_candidate_never_serves() -> None:
    assert verdict.judge_rollback(YEAR, [Back(50, "a", "a", True)]).met
    assert verdict.judge_rollback(YEAR, [Back(50, "a", "b", False)]).met is False
    assert verdict.judge_rollback(YEAR, []).met is False
    assert verdict.judge_bad(YEAR, ["week 26: the gate holds it: worse"]).met
    assert verdict.judge_bad(YEAR, ["week 29: bad serves, signed by physician and admin"]).met is False


def test_periods_are_those_of_one_model_each() -> None:
    book = [
        truth(NOW, HIGH, NOW), truth(LOW, LOW, LOW, week=1), truth(NOW, NOW, HIGH, week=2, weights="b"),
        truth(LOW, LOW, LOW, week=3),
    ]  # fmt: skip
    rows = verdict.tell_periods(book)
    assert [row["weeks"] for row in rows] == ["0 to 1", "2 to 2", "3 to 3"]
    assert rows[0]["emergencies shown lower"].startswith("1/1") and rows[1]["emergencies signed lower"][:3] == "1/1"


def test_the_page_escapes_and_says_that_it_is_plumbing(tmp_path: Path) -> None:
    bars = [Bar(name="<b>", asks="asked", figure="1/2", met=False)]
    write_year(tmp_path, {"alarms": [{"week": "3", "signal": "<i>"}], "planted": ["flu"]}, bars)
    page = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert (
        "<b>" not in page and "<i>" not in page and "&lt;i&gt;" in page and "Plumbing" in page and "MISSED" in page
    )
    assert '"met": false' in (tmp_path / JSON).read_text(encoding="utf-8")
