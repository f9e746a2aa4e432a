"""One signal through its weeks: its reference, its tests, its chart. Knows no other signal."""

import datetime
import statistics
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from prescreen.config import Strict
from prescreen.monitor.chart import Chart, Point, State, Unit
from prescreen.monitor.comparing import NOTHING, Dated, Finding, Reference, compare, figure_of, matters
from prescreen.monitor.roughness import thin
from prescreen.monitor.signals import Signal
from prescreen.monitor.tails import Limit, find_limits
from prescreen.monitor.week import Figure, Mix, Times, pool, size, sum_up
from prescreen.monitor.wording import choose_cases, say

UNITS: dict[str, Unit] = {"times": "seconds", "mix": "shift"}
OPEN = Limit(None, None)


class Limits(Strict):
    """How alarms are made. `budget` is false alarms a quarter over all signals and tests together."""

    budget: Annotated[float, Field(gt=0, le=13)] = 1.0
    spent: Annotated[float, Field(gt=0, le=1)] = 0.25  # of the nominal chances, by simulated steady years
    reference_weeks: Annotated[int, Field(ge=2)] = 12
    least_weeks: Annotated[int, Field(ge=2)] = 4  # of reference before anything is judged
    pools: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 4)  # weeks tested together
    standing_weeks: Annotated[int, Field(ge=1)] = 8  # of signals judged within themselves: gap and others
    least_group: Annotated[int, Field(ge=2)] = 20  # contacts of a group before it is compared
    watch: Annotated[float, Field(ge=1)] = 10.0  # so many times likelier than an alarm is worth watching


class Tested(NamedTuple):
    """One test: so many weeks together, against these."""

    finding: Finding
    weeks: int
    window: Figure
    reference: Reference


class Judged(NamedTuple):
    """What the last week's tests came to: the one that tells, the state, and the reference of the week alone."""

    telling: Tested
    state: State
    reference: Reference


class Track:
    """A signal's weeks since its reference began, and the points of all weeks."""

    def __init__(self, signal: Signal, limits: Limits, allowed: float) -> None:
        self.signal, self.limits, self.allowed = signal, limits, allowed
        self._points: list[Point] = []
        self._weeks: list[Dated] = []
        self._steady: list[int] = []
        self._full: Reference | None = None
        self._judged: Judged | None = None
        self._before: Reference | None = (
            None  # the reference before the last release, until the new one is old enough
        )

    def begin_anew(self, *, keep: bool) -> None:
        """A new reference begins with the next week; `keep` judges by the old one until then."""
        old = Reference([self._weeks[i] for i in self._steady[: self.limits.reference_weeks]])
        last = old if len(old) >= self.limits.least_weeks else self._before
        self._before = last if keep and self.signal.bad != "both" else None
        self._weeks, self._steady, self._full = [], [], None

    def add(self, start: datetime.date, figure: Figure) -> None:
        """One week more, judged."""
        self._weeks.append(Dated(start, figure))
        last = len(self._weeks) - 1
        tests = self._stand() if self._stands else self._test(last)
        state = self._state(tests)
        alone = Tested(NOTHING, 1, figure, self._reference(last, 1))
        telling = min(tests, key=self._rank) if state in ("watch", "alarm") else next(iter(tests), alone)
        self._judged = Judged(telling, state, alone.reference)
        drawn = telling.window if self._stands else figure
        self._points.append(Point(start, figure_of(self.signal, drawn, alone.reference), size(drawn), state))
        if state != "alarm" and size(figure):
            self._steady.append(last)

    @property
    def _stands(self) -> bool:
        """Judged within itself, not against a reference."""
        return self.signal.kind in ("gap", "others")

    def _stand(self) -> list[Tested]:
        window = [dated.figure for dated in self._weeks[-self.limits.standing_weeks :]]
        pooled, none = pool(window), Reference()
        return [Tested(compare(self.signal, pooled, none, self.limits.least_group), len(window), pooled, none)]

    def _test(self, last: int) -> list[Tested]:
        tests = []
        for weeks in self.limits.pools:
            reference = self._reference(last, weeks)
            if weeks <= last + 1 and len(reference) >= self.limits.least_weeks:
                window = pool([dated.figure for dated in self._weeks[-weeks:]])
                found = compare(self.signal, window, reference, self.limits.least_group)
                tests.append(Tested(found, weeks, window, reference))
        return tests

    def _reference(self, last: int, weeks: int) -> Reference:
        """The first steady weeks that are not among the last ones; the old release's while there are too few."""
        own = [i for i in self._steady if i <= last - weeks][: self.limits.reference_weeks]
        if len(own) < self.limits.least_weeks and self._before:
            return self._before
        if len(own) < self.limits.reference_weeks:
            return Reference([self._weeks[i] for i in own])
        if self._full is None:
            self._full = Reference([self._weeks[i] for i in own])
        return self._full

    def _rank(self, test: Tested) -> tuple[bool, float, int]:
        """Tests with an effect worth acting on first, then the least likely, then the shortest."""
        return not matters(test.finding.change, self.signal), test.finding.p, test.weeks

    def _state(self, tests: Sequence[Tested]) -> State:
        chance = min((test.finding.p for test in tests if matters(test.finding.change, self.signal)), default=1.0)
        if chance < self.allowed:
            return "alarm"
        if all(test.finding.least >= self.allowed for test in tests):
            return "too few"
        return "watch" if chance < self.allowed * self.limits.watch else "steady"

    @property
    def state(self) -> State:
        """What the last week came to."""
        return self._points[-1].state

    def chart(self) -> Chart:
        """The weeks so far."""
        assert self._judged is not None, "a chart needs a week"
        telling, state, reference = self._judged
        centre, limit = self._limit(reference)
        weeks = [] if self._stands else [dated.start for dated in reference.weeks]
        return Chart(
            signal=self.signal,
            unit=UNITS.get(self.signal.kind, "share"),
            points=tuple(self._points),
            centre=centre,
            low=limit.low,
            high=limit.high,
            state=state,
            sentence=say(
                self.signal, state, telling.weeks, telling.window, telling.reference.pooled, telling.finding
            ),
            p=telling.finding.p,
            allowed=self.allowed,
            reference=f"{len(weeks)} weeks, {weeks[0]} to {weeks[-1]}" if weeks else "",
            cases=choose_cases(telling.window, telling.finding),
        )

    def _limit(self, reference: Reference) -> tuple[float | None, Limit]:
        """The reference's figure, and the limits of a week as large as the last, no closer than the effect."""
        last, effect = self._weeks[-1].figure, self.signal.effect
        if self._stands or isinstance(last, Mix):
            return 0.0, Limit(None, effect)
        if reference.pooled is None or not size(reference.pooled):
            return None, OPEN
        if isinstance(reference.pooled, Times):
            centre = statistics.median(reference.pooled.values)
            return centre, self._sided(Limit(centre * (1 - effect), centre * (1 + effect)))
        rate, now, rough = reference.rate, sum_up(last), reference.rough
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
