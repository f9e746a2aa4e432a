"""False alarms of steady invented years, and how soon planted changes are found, for several budgets. No model.

    PYTHONPATH=tests python benchmarks/alarms.py    # 15 minutes on one thread; a file under benchmarks/results/

The clinic is that of tests/monitor/invented.py. Every budget judges the same weeks; parts count with their
whole.
"""

import argparse
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
from record import write_record

from monitor.invented import Clinic, draw_week
from monitor.test_year import SHIFTS, WEEKS, YOUNG, vary
from prescreen.monitor.limits import Limits, Watch, allow
from prescreen.monitor.nesting import begin
from prescreen.monitor.signals import find_signal
from prescreen.monitor.track import Track
from prescreen.monitor.week import Week

BUDGETS = (1.0, 0.75, 0.5)
BEFORE, AFTER, QUARTERS = 15, 4, WEEKS / 13
NEWCOMERS = ((("en", 0.4), ("es", 0.06), ("ar", 0.52), ("de", 0.02)), 0.10)
PLANTED: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    **SHIFTS,
    "newcomers": (
        {"languages": NEWCOMERS[0], "raised": NEWCOMERS[1], "lowered": NEWCOMERS[1]},
        ("overrides", "overrides_up", "overrides_down", "language_mix"),
    ),
    "newcomers by overrides alone": (
        {"raised": NEWCOMERS[1], "lowered": NEWCOMERS[1]}, ("overrides", "overrides_up", "overrides_down"),
    ),
}  # fmt: skip


def watch_year(clinic: Clinic, seed: int, varies: bool) -> Iterator[Week]:
    dice = np.random.default_rng(seed)
    for number in range(YOUNG + WEEKS):
        yield draw_week(vary(clinic, dice) if varies else clinic, number, dice)


def count_steady(clinic: Clinic, seed: int, varies: bool) -> dict[float, tuple[int, int]]:
    """Signals that begin to alarm in a year, and alarms with their parts counted once, for each budget."""
    weeks, found = list(watch_year(clinic, seed, varies)), {}
    for budget in BUDGETS:
        watch, before, signals, alarms = Watch(limits=Limits(budget=budget)), set[str](), 0, 0
        for number, week in enumerate(weeks):
            watch.add(week)
            now = {track.signal.name for track in watch.tracks if track.state == "alarm"}
            if number >= YOUNG:
                begun = begin(now, before)
                signals, alarms = signals + len(begun), alarms + sum(not joins for joins in begun.values())
            before = now
        found[budget] = (signals, alarms)
    return found


def find_weeks(clinic: Clinic, change: dict[str, object], right: tuple[str, ...], seed: int) -> dict[float, int]:
    """Weeks until the first right alarm for each budget; one more than were looked at where there is none."""
    dice = np.random.default_rng(seed)
    weeks = [draw_week(clinic if n < BEFORE else clinic.but(**change), n, dice) for n in range(BEFORE + AFTER)]
    found = {}
    for budget in BUDGETS:
        limits = Limits(budget=budget)
        tracks = [Track(find_signal(name), limits, allow(find_signal(name), limits)) for name in right]
        took = AFTER + 1
        for number, week in enumerate(weeks):
            for track in tracks:
                track.add(week.start, week.figures[track.signal.name])
            if number >= BEFORE and any(track.state == "alarm" for track in tracks):
                took = number - BEFORE + 1
                break
        found[budget] = took
    return found


def tell_rate(counts: list[int]) -> str:
    each = [count / QUARTERS for count in counts]
    mean, spread = statistics.fmean(each), 1.96 * statistics.stdev(each) / len(each) ** 0.5
    return f"{mean:.2f} [{mean - spread:.2f}, {mean + spread:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=200)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--contacts", type=int, default=40)
    asked, told = parser.parse_args(), dict[str, Any]()
    clinic = Clinic(contacts=asked.contacts)
    for name, varies in (("steady", False), ("weeks that differ", True)):
        years = [count_steady(clinic, seed, varies) for seed in range(asked.years)]
        for budget in BUDGETS:
            signals, alarms = zip(*(year[budget] for year in years), strict=True)
            told[f"{name}, budget {budget}"] = {
                "years": asked.years, "signals a quarter": tell_rate(list(signals)),
                "alarms a quarter": tell_rate(list(alarms)),
            }  # fmt: skip
            print(name, budget, told[f"{name}, budget {budget}"], flush=True)
    for name, (change, right) in PLANTED.items():
        took = [find_weeks(clinic, change, right, 5000 + seed) for seed in range(asked.series)]
        for budget in BUDGETS:
            within = {weeks: sum(one[budget] <= weeks for one in took) for weeks in (1, 2, 4)}
            told[f"{name}, budget {budget}"] = {"series": asked.series, "found within weeks": within}
            print(name, budget, within, flush=True)
    write_record("false-alarms", ("numpy", "scipy"), contacts_a_week=asked.contacts, figures=told)


if __name__ == "__main__":
    main()
