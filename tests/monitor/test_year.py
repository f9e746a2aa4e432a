"""Simulated years: how often a steady clinic is alarmed for nothing, how soon a planted change is found.

Fixed seeds, numpy alone. The figures stand in docs/monitoring.md; these tests hold them.
"""

import statistics

import numpy as np
import pytest

from monitor.invented import FLU, MILD_FLU, Clinic, draw_week
from prescreen.monitor.limits import Limits, Watch, allow
from prescreen.monitor.nesting import begin
from prescreen.monitor.signals import find_signal
from prescreen.monitor.track import Track

YOUNG, WEEKS, YEARS = 8, 52, 200
OVERRIDES = ("overrides", "overrides_up", "overrides_down", "unchanged")
SHIFTS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "vitals 80 % to none": ({"vitals": 0.0}, ("with_vitals",)),
    "a flu season": ({"areas": tuple(FLU.items())}, ("complaint_mix",)),
    "a mild flu season": ({"areas": tuple(MILD_FLU.items())}, ("complaint_mix",)),
    "overrides 12 % to 25 %": ({"raised": 0.125, "lowered": 0.125}, OVERRIDES),
    "overrides 12 % to 40 %": ({"raised": 0.20, "lowered": 0.20}, OVERRIDES),
}
STRONG = ("vitals 80 % to none", "a flu season", "overrides 12 % to 40 %")


def count_false_alarms(clinic: Clinic, seed: int, *, varies: bool = False) -> int:
    """Alarms that begin in a steady year, after the first weeks; those of the same visits are one."""
    dice, watch, before, alarms = np.random.default_rng(seed), Watch(), set[str](), 0
    for number in range(YOUNG + WEEKS):
        watch.add(draw_week(vary(clinic, dice) if varies else clinic, number, dice))
        ringing = {track.signal.name for track in watch.tracks if track.state == "alarm"}
        if number >= YOUNG:
            alarms += sum(not joins for joins in begin(ringing, before).values())
        before = ringing
    return alarms


def vary(clinic: Clinic, dice: np.random.Generator) -> Clinic:
    """The same clinic in a week of its own: more or fewer overrides, other complaints, devices that forget."""
    often = float(np.exp(dice.normal(0, 0.35)))
    weights = [(area, share * float(np.exp(dice.normal(0, 0.35)))) for area, share in clinic.areas]
    whole = sum(share for _, share in weights)
    return clinic.but(
        raised=clinic.raised * often,
        lowered=clinic.lowered * often,
        vitals=float(np.clip(dice.normal(clinic.vitals, 0.08), 0, 1)),
        areas=tuple((area, share / whole) for area, share in weights),
    )


def weeks_to_alarm(clinic: Clinic, change: dict[str, object], right: tuple[str, ...], seed: int) -> int:
    """Weeks from a planted change to the first right alarm; 9 where there is none in 8."""
    dice = np.random.default_rng(seed)
    tracks = [Track(find_signal(name), Limits(), allow(find_signal(name), Limits())) for name in right]
    for number in range(15 + 8):
        week = draw_week(clinic if number < 15 else clinic.but(**change), number, dice)
        for track in tracks:
            track.add(week.start, week.figures[track.signal.name])
        if number >= 15 and any(track.chart().state == "alarm" for track in tracks):
            return number - 14
    return 9


@pytest.mark.slow
@pytest.mark.parametrize("contacts", [40, 150])
def test_a_steady_year_has_at_most_one_false_alarm_a_quarter(contacts: int) -> None:
    years = YEARS if contacts == 40 else 40
    quarters = [count_false_alarms(Clinic(contacts=contacts), seed) / 4 for seed in range(years)]
    mean, spread = statistics.fmean(quarters), 1.96 * statistics.stdev(quarters) / years**0.5
    print(
        f"{contacts} a week: {mean:.2f} false alarms a quarter [{mean - spread:.2f}, {mean + spread:.2f}], {years}"
    )
    assert mean + spread <= 1.0


@pytest.mark.slow
def test_a_clinic_whose_weeks_differ_is_alarmed_a_little_more() -> None:
    years = 60
    mean = statistics.fmean(count_false_alarms(Clinic(), seed, varies=True) / 4 for seed in range(years))
    print(f"weeks that differ: {mean:.2f} false alarms a quarter, {years}")
    assert mean <= 1.6


def test_steady_quarters_in_short() -> None:
    assert count_false_alarms(Clinic(), 1) <= 8


@pytest.mark.slow
@pytest.mark.parametrize("contacts", [40, 150])
@pytest.mark.parametrize("name", SHIFTS)
def test_a_planted_change_is_found(name: str, contacts: int) -> None:
    change, right = SHIFTS[name]
    took = [weeks_to_alarm(Clinic(contacts=contacts), change, right, 5000 + seed) for seed in range(100)]
    within = {weeks: sum(one <= weeks for one in took) for weeks in (1, 2, 4, 8)}
    print(f"{name}, {contacts} a week: {within} of 100 within so many weeks, median {statistics.median(took)}")
    if name in STRONG or (contacts == 150 and name != "a mild flu season"):
        assert within[2] >= 90
    assert within[8] >= 80


def test_a_planted_change_is_found_in_short() -> None:
    took = [weeks_to_alarm(Clinic(), {"vitals": 0.0}, ("with_vitals",), seed) for seed in range(3)]
    assert max(took) == 1
