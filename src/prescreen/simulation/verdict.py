"""What the year has to show, bar by bar, with counts and intervals: met, missed or not asked.

Knows what the year wrote down of itself. Draws nothing and runs nothing.
"""

from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.rates import Rate
from prescreen.config import Strict
from prescreen.evals.rate import compare_paired
from prescreen.simulation.calendar import DRIFTS, STEADY_WEEKS, Calendar
from prescreen.simulation.desk import Truth
from prescreen.simulation.loop import Back
from prescreen.simulation.observing import Alarm, Observer
from prescreen.simulation.poisons import Stopped

SIGNIFICANT = 0.05
MINUTES, WEEKS_OF_YEAR = 15.0, 52


class Bar(Strict):
    """One thing the year must show. `met` is None where this year was too short, or without a model, to ask."""

    name: str
    asks: str
    figure: str
    met: bool | None


class Twice(NamedTuple):
    """A visit after an update, as both models would have served it."""

    truth: Truth
    before: Acuity  # as served by the model that the update replaced, behind the rules
    after: Acuity


class Update(NamedTuple):
    """One promoted update and the visits it drafted, drafted once more by its champion for comparison."""

    name: str
    visits: tuple[Twice, ...]


def judge_drifts(observer: Observer) -> list[Bar]:
    """The right alarm for each planted drift within the weeks allowed."""
    bars = []
    for event in observer.calendar.events:
        if event.name not in DRIFTS:
            continue
        alarm = observer.find_right(event)
        told = f"{alarm.signal} in week {alarm.week}" if alarm else "no right alarm"
        bars.append(
            Bar(
                name=f"drift: {event.name}",
                asks=f"{' or '.join(event.expects)} alarms within 2 weeks of week {event.first}",
                figure=told,
                met=alarm is not None,
            )
        )
    return bars


def judge_false_alarms(observer: Observer) -> Bar:
    """At most one a quarter of steady weeks, begun quarters counted; signals of the same visits are one alarm."""
    steady = sum(observer.calendar.is_steady(week) for week in range(observer.calendar.weeks))
    false = observer.find_false()
    quarters = steady / STEADY_WEEKS
    told = (
        "; ".join(f"{' with '.join(alarm.signal for alarm in one)} in week {one[0].week}" for one in false)
        or "none"
    )
    return Bar(
        name="false alarms",
        asks="at most one a quarter in weeks where nothing is planted",
        figure=f"{len(false)} in {steady} steady weeks ({quarters:.1f} quarters): {told}",
        met=len(false) <= max(1.0, quarters),
    )


def judge_overrides(updates: Sequence[Update], planned: int) -> list[Bar]:
    """Fewer visits whose served level is not what ought to be signed, on the same visits."""
    if len(updates) < planned:
        asks = "every update that the calendar plans is promoted in the end"
        return [Bar(name="updates", asks=asks, figure=f"{len(updates)} of {planned} served", met=False)]
    bars = [_compare_overrides(update.name, update.visits) for update in updates]
    if len(updates) > 1:
        bars.append(_compare_overrides("all updates", [twice for update in updates for twice in update.visits]))
    return bars


def _compare_overrides(name: str, visits: Sequence[Twice]) -> Bar:
    before = [twice.before is not twice.truth.right for twice in visits]
    after = [twice.after is not twice.truth.right for twice in visits]
    test = compare_paired(before, after)
    return Bar(
        name=f"overrides: {name}",
        asks="the served level needs changing less often than with the model before, on the same visits",
        figure=f"before {count(before)}; after {count(after)}; only before {test.only_first}, only after "
        f"{test.only_second}, p {'< 0.0001' if test.p_value < 0.0001 else f'= {test.p_value:.4f}'}",
        met=sum(after) < sum(before) and (name != "all updates" or test.p_value < SIGNIFICANT),
    )


def judge_missed(updates: Sequence[Update]) -> list[Bar]:
    """No update serves an emergency lower that its champion would have found, more often than the other way."""
    bars = []
    for update in updates:
        urgent = [twice for twice in update.visits if twice.truth.is_emergency]
        before = [twice.before is not Acuity.EMERGENCY for twice in urgent]
        after = [twice.after is not Acuity.EMERGENCY for twice in urgent]
        bars.append(
            Bar(
                name=f"missed emergencies: {update.name}",
                asks="no more emergencies served lower than with the model before, on the same visits",
                figure=f"before {count(before)}; after {count(after)}",
                met=sum(after) <= sum(before),
            )
        )
    return bars


def tell_periods(book: Sequence[Truth]) -> list[dict[str, str]]:
    """Each stretch of weeks drafted by one model: overrides and missed emergencies, as they happened."""
    rows: list[dict[str, str]] = []
    start = 0
    for end in range(1, len(book) + 1):
        if end < len(book) and book[end].weights == book[start].weights:
            continue
        part = book[start:end]
        urgent = [truth for truth in part if truth.is_emergency]
        rows.append(
            {
                "weeks": f"{part[0].week} to {part[-1].week}",
                "model": part[0].weights[:12],
                "signed otherwise than shown": str(count(t.signed is not t.shown for t in part)),
                "shown otherwise than right": str(count(t.shown is not t.right for t in part)),
                "emergencies shown lower": str(count(t.shown is not Acuity.EMERGENCY for t in urgent)),
                "emergencies signed lower": str(count(t.signed is not Acuity.EMERGENCY for t in urgent)),
            }
        )
        start = end
    return rows


def judge_signed(book: Sequence[Truth]) -> Bar:
    """What was finally signed lower than an emergency is the whole of the harm; told, judged by the pairs above."""
    urgent = [truth for truth in book if truth.is_emergency]
    missed = count(truth.signed is not Acuity.EMERGENCY for truth in urgent)
    return Bar(
        name="emergencies signed lower",
        asks="told for the whole year; nurses err and lean by set rates",
        figure=str(missed),
        met=None,
    )


def judge_stamper(calendar: Calendar, found: Sequence[tuple[int, str]]) -> Bar:
    """The nurse who signs without reading is named, and nobody else."""
    slips = calendar.slips
    asked = slips is not None and slips < calendar.weeks
    named = [(week, who) for week, who in found if who == calendar.stamper and week >= (slips or 0)]
    others = sorted({f"{who} in week {week}" for week, who in found if (week, who) not in named})
    told = f"{named[0][1]} named in week {named[0][0]}, signing unread from week {slips}" if named else "not named"
    return Bar(
        name="rubber-stamper",
        asks="named by the signals while it lasts, and nobody else",
        figure=f"{told}; others named: {', '.join(others) or 'none'}",
        met=(bool(named) and not others) if asked else None,
    )


def tell_alarms(alarms: Sequence[Alarm]) -> list[dict[str, str]]:
    """Every alarm with what was planted then."""
    return [
        {
            "week": str(a.week),
            "signal": a.signal,
            "one alarm with": a.joins,
            "planted": a.event or "nothing",
            "sentence": a.sentence,
        }
        for a in alarms
    ]


def count(rights: Iterable[bool]) -> Rate:
    """How many of these are so."""
    told = list(rights)
    return Rate(right=sum(told), wrong=len(told) - sum(told))


def judge_poisons(calendar: Calendar, stopped: Sequence[Stopped]) -> list[Bar]:
    """Each poisoned batch stopped by its right name, with nothing trained on it."""
    bars = []
    for week, kind in sorted(calendar.poisons.items()):
        one = next((one for one in stopped if one.week == week), None)
        names = "nothing was tried" if one is None else f"stopped by {', '.join(one.names) or 'nothing'}"
        trained = "" if one is None else f"; trained: {'yes' if one.trained else 'no'}"
        bars.append(
            Bar(
                name=f"poisoned batch: {kind}",
                asks=f"the batch of week {week} is stopped by the name {kind} before a step is trained",
                figure=names + trained,
                met=one is not None and one.right,
            )
        )
    return bars


def judge_bad(calendar: Calendar, told: Sequence[str]) -> Bar:
    """A candidate that learned the opposite never serves."""
    ended = [line for line in told if "gate holds" in line or "ended" in line or "retired" in line]
    return Bar(
        name="bad candidate",
        asks="trained on reversed corrections, it is held by the gate or ended in shadow",
        figure=shorten(" | ".join(told), 600, placeholder=" ...") or "not tried",
        met=None if calendar.bad_candidate is None else bool(ended),
    )


def judge_rollback(calendar: Calendar, backs: Sequence[Back]) -> Bar:
    """The release before serves again, byte for byte."""
    told = "; ".join(f"week {b.week}: {b.before[:16]} before, {b.after[:16]} after" for b in backs)
    return Bar(
        name="rollback",
        asks="the exact weights that served before serve again",
        figure=told or "not tried",
        met=None if calendar.rollback is None else bool(backs) and all(back.same for back in backs),
    )


def judge_time(minutes: float, weeks: int) -> Bar:
    """The whole year within its minutes."""
    asked = weeks >= WEEKS_OF_YEAR
    return Bar(
        name="time",
        asks=f"a year within {MINUTES:g} minutes on two cores that do nothing else",
        figure=f"{minutes:.1f} minutes",
        met=minutes <= MINUTES if asked else None,
    )
