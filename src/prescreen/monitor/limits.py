"""The weekly judgement: is a signal steady, worth watching, or an alarm? By a budget of false alarms.

A signal is judged against its own reference: its first weeks without an alarm since the release or the reference
was last changed. The last week is tested alone, and the last two and four together for what comes slowly. The
budget (one false alarm a quarter over all signals and tests) is divided among the tests by weight; an alarm needs a
change worth acting on besides. Knows figures, no contact.
"""

import datetime
from collections.abc import Mapping, Sequence

from prescreen.monitor.chart import Chart
from prescreen.monitor.signals import Signal, load_signals
from prescreen.monitor.track import Limits, Track
from prescreen.monitor.week import Week

WEEKS_OF_QUARTER = 13


class Watch:
    """All signals, week after week. `rebased` names signals whose change was accepted, with the first week of their
    new reference."""

    def __init__(self, rebased: Mapping[str, datetime.date] | None = None, limits: Limits | None = None) -> None:
        limits, self._rebased, self._release = limits or Limits(), dict(rebased or {}), ""
        self.tracks = [Track(signal, limits, allow(signal, limits)) for signal in load_signals()]

    def add(self, week: Week) -> None:
        """One week more, judged."""
        new = bool(week.release and self._release and week.release != self._release)
        self._release = week.release or self._release
        for track in self.tracks:
            name = track.signal.name
            if self._rebased.get(name, datetime.date.max) <= week.start:
                del self._rebased[name]
                track.begin_anew(keep=False)
            elif new and track.signal.follows_model:
                track.begin_anew(keep=True)
            track.add(week.start, week.figures[name])

    def charts(self) -> list[Chart]:
        """All signals as of the last week added."""
        return [track.chart() for track in self.tracks]


def judge(
    weeks: Sequence[Week], *, rebased: Mapping[str, datetime.date] | None = None, limits: Limits | None = None
) -> list[Chart]:
    """A chart of every signal at the last of `weeks` (in order, none left out)."""
    watch = Watch(rebased, limits)
    for week in weeks:
        watch.add(week)
    return watch.charts() if weeks else []


def allow(signal: Signal, limits: Limits) -> float:
    """The chance below which one test of a signal is an alarm: its part of the budget.

    Tests of counts rarely reach their nominal chance, overlap, and must clear the effect besides: `spent` is what
    steady years really spend, and is held to by a test.
    """
    part = signal.weight / sum(each.weight for each in load_signals())
    return limits.budget / limits.spent / WEEKS_OF_QUARTER * part / count_tests(signal, limits)


def count_tests(signal: Signal, limits: Limits) -> int:
    """How often a signal is tested each week."""
    return 1 if signal.kind in ("gap", "others") else len(limits.pools)
