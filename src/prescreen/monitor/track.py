"""One signal through its weeks: its reference, its tests, its chart. Knows no other signal."""

import datetime
import statistics
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from prescreen.clinic.rates import Rate
from prescreen.config import Strict
from prescreen.monitor.chart import Chart, Point, State, Unit
from prescreen.monitor.comparing import NOTHING, Finding, compare, figure_of, roughness, thin
from prescreen.monitor.signals import Signal
from prescreen.monitor.tails import Limit, find_limits
from prescreen.monitor.week import Figure, Mix, Parts, Share, Times, pool, size
from prescreen.monitor.wording import choose_cases, say

UNITS: dict[str, Unit] = {"times": "seconds", "mix": "shift"}
OPEN = Limit(None, None)


class Limits(Strict):
    """How alarms are made. `budget` is false alarms a quarter over all signals and tests together."""

    budget: Annotated[float, Field(gt=0, le=13)] = 1.0
    reference_weeks: Annotated[int, Field(ge=2)] = 12
    least_weeks: Annotated[int, Field(ge=2)] = 4  # of reference before anything is judged
    pools: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 4)  # weeks tested together
    standing_weeks: Annotated[int, Field(ge=1)] = 8  # of signals judged within themselves: gap and others
    least_group: Annotated[int, Field(ge=2)] = 20  # contacts of a group before it is compared
    watch: Annotated[float, Field(ge=1)] = 10.0  # so many times likelier than an alarm is worth watching


class Dated(NamedTuple):
    """A figure with the first day of its week."""

    start: datetime.date
    figure: Figure


class Tested(NamedTuple):
    """One test: so many weeks together, against these."""

    finding: Finding
    weeks: int
    window: Figure
    reference: list[Dated]

    @property
    def before(self) -> list[Figure]:
        return [dated.figure for dated in self.reference]


class Track:
    """A signal's weeks since its reference began, and the points of all weeks."""

    def __init__(self, signal: Signal, limits: Limits, allowed: float) -> None:
        self.signal, self.limits, self.allowed = signal, limits, allowed
        self._points: list[Point] = []
        self._weeks: list[Dated] = []
        self._steady: list[int] = []
        self._before: list[Dated] = []  # the reference before the last release, until the new one is old enough

    def begin_anew(self, *, keep: bool) -> None:
        """A new reference begins with the next week; `keep` judges by the old one until then."""
        old = [self._weeks[i] for i in self._steady[: self.limits.reference_weeks]]
        ripe = len(old) >= self.limits.least_weeks
        self._before = (old if ripe else self._before) if keep and self.signal.bad != "both" else []
        self._weeks, self._steady = [], []

    def add(self, start: datetime.date, figure: Figure) -> Chart:
        """One week more, judged."""
        self._weeks.append(Dated(start, figure))
        last = len(self._weeks) - 1
        tests = self._stand() if self._stands else self._test(last)
        state = self._state(tests)
        alone = Tested(NOTHING, 1, figure, self._reference(last, 1))
        telling = min(tests, key=self._rank) if state in ("watch", "alarm") else next(iter(tests), alone)
        drawn = telling.window if self._stands else figure
        self._points.append(Point(start, figure_of(self.signal, drawn, alone.before), size(drawn), state))
        if state != "alarm" and size(figure):
            self._steady.append(last)
        return self._chart(telling, state, alone.reference)

    @property
    def _stands(self) -> bool:
        """Judged within itself, not against a reference."""
        return self.signal.kind in ("gap", "others")

    def _stand(self) -> list[Tested]:
        window = [dated.figure for dated in self._weeks[-self.limits.standing_weeks :]]
        pooled = pool(window)
        return [Tested(compare(self.signal, pooled, [], self.limits.least_group), len(window), pooled, [])]

    def _test(self, last: int) -> list[Tested]:
        tests = []
        for weeks in self.limits.pools:
            reference = self._reference(last, weeks)
            if weeks <= last + 1 and len(reference) >= self.limits.least_weeks:
                window = pool([dated.figure for dated in self._weeks[-weeks:]])
                before = [dated.figure for dated in reference]
                found = compare(self.signal, window, before, self.limits.least_group)
                tests.append(Tested(found, weeks, window, reference))
        return tests

    def _reference(self, last: int, weeks: int) -> list[Dated]:
        """The first steady weeks that are not among the last ones; the old release's while there are too few."""
        own = [i for i in self._steady if i <= last - weeks][: self.limits.reference_weeks]
        if len(own) < self.limits.least_weeks and self._before:
            return self._before
        return [self._weeks[i] for i in own]

    def _rank(self, test: Tested) -> tuple[bool, float, int]:
        """Tests with an effect worth acting on first, then the least likely, then the shortest."""
        return not self._matters(test.finding), test.finding.p, test.weeks

    def _matters(self, finding: Finding) -> bool:
        change, bad = finding.change, self.signal.bad
        if bad == "both":
            return abs(change) >= self.signal.effect
        return (change if bad == "up" else -change) >= self.signal.effect

    def _state(self, tests: Sequence[Tested]) -> State:
        chance = min((test.finding.p for test in tests if self._matters(test.finding)), default=1.0)
        if chance < self.allowed:
            return "alarm"
        if all(test.finding.least >= self.allowed for test in tests):
            return "too few"
        return "watch" if chance < self.allowed * self.limits.watch else "steady"

    def _chart(self, told: Tested, state: State, reference: list[Dated]) -> Chart:
        centre, limit = self._limit([dated.figure for dated in reference])
        weeks = [dated.start for dated in reference]
        return Chart(
            signal=self.signal,
            unit=UNITS.get(self.signal.kind, "share"),
            points=tuple(self._points),
            centre=centre,
            low=limit.low,
            high=limit.high,
            state=state,
            sentence=say(self.signal, state, told.weeks, told.window, told.before, told.finding),
            p=told.finding.p,
            allowed=self.allowed,
            reference=f"{len(weeks)} weeks, {weeks[0]} to {weeks[-1]}" if weeks and not self._stands else "",
            cases=choose_cases(told.window, told.finding),
        )

    def _limit(self, reference: list[Figure]) -> tuple[float | None, Limit]:
        """The reference's figure, and the limits of a week as large as the last, no closer than the effect."""
        last, effect = self._weeks[-1].figure, self.signal.effect
        if self._stands or isinstance(last, Mix):
            return 0.0, Limit(None, effect)
        if not reference or not size(pool(reference)):
            return None, OPEN
        before = pool(reference)
        if isinstance(before, Times):
            centre = statistics.median(before.values)
            return centre, self._sided(Limit(centre * (1 - effect), centre * (1 + effect)))
        rate, now = (sum_up(figure) for figure in (before, last))
        rough = roughness([sum_up(figure) for figure in reference])
        k, m = thin(rate, rough)
        n = thin(now, rough)[1] if now.n else 0
        low, high = find_limits(n, k, m, self.allowed / (2 if self.signal.bad == "both" else 1))
        centre = rate.right / rate.n
        low = None if low is None else max(0.0, min(low, centre - effect))
        high = None if high is None else min(1.0, max(high, centre + effect))
        return centre, self._sided(Limit(low, high))

    def _sided(self, limit: Limit) -> Limit:
        bad = self.signal.bad
        return Limit(None if bad == "up" else limit.low, None if bad == "down" else limit.high)


def sum_up(figure: Figure) -> Rate:
    """A share, or the shares of all groups together."""
    if isinstance(figure, Share):
        return figure.rate
    assert isinstance(figure, Parts), "times and mixes have no share"
    rates = figure.rates.values()
    return Rate(right=sum(rate.right for rate in rates), wrong=sum(rate.n - rate.right for rate in rates))
