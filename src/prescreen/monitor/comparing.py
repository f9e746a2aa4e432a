"""Some weeks of a signal beside its reference: how far off, and how likely by chance. Knows no budget."""

import datetime
import statistics
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple
from zlib import crc32

from prescreen.clinic.rates import Rate
from prescreen.monitor.roughness import roughness, thin, thin_mix
from prescreen.monitor.signals import Bad, Signal
from prescreen.monitor.tails import (
    mix_chance,
    pull_chance,
    rank_chance,
    shift_beyond_chance,
    tail_above,
    tail_below,
)
from prescreen.monitor.week import Figure, Mix, Parts, Share, Times, pool, size, sum_up

LEAST_VALUES = 8  # of a median's or a mix's week
LEAST_GROUP = 20  # of a reference that is all or none


class Finding(NamedTuple):
    """What a comparison says. `change` is signed, in the units of the signal's `effect`; `p` counts only the bad
    direction; `least` is the smallest chance these few could have given; `group` is the one farthest off."""

    p: float
    change: float
    least: float
    group: str = ""


NOTHING = Finding(1.0, 0.0, 1.0)


class Dated(NamedTuple):
    """A figure with the first day of its week."""

    start: datetime.date
    figure: Figure


class Reference:
    """Weeks a signal is judged against; empty for what is judged within itself. Sums are made once."""

    def __init__(self, weeks: Sequence[Dated] = ()) -> None:
        self.weeks = tuple(weeks)

    def __len__(self) -> int:
        return len(self.weeks)

    @cached_property
    def pooled(self) -> Figure | None:
        return pool([week.figure for week in self.weeks]) if self.weeks else None

    @cached_property
    def rate(self) -> Rate:
        """The share of all groups and weeks together."""
        return Rate() if self.pooled is None else sum_up(self.pooled)

    @cached_property
    def rough(self) -> float:
        return roughness([week.figure for week in self.weeks])


def compare(signal: Signal, window: Figure, reference: Reference, least_group: int) -> Finding:
    """A pooled window beside its reference."""
    if isinstance(window, Parts) and signal.kind != "parts":
        return _pull(window, signal.effect) if signal.kind == "gap" else _others(signal, window, least_group)
    before = reference.pooled
    if isinstance(window, Share) and isinstance(before, Share):
        return _share(window.rate, before.rate, signal, reference.rough)
    if isinstance(window, Mix) and isinstance(before, Mix):
        return _mix(signal, window, before, reference.rough)
    if isinstance(window, Times) and isinstance(before, Times):
        return _times(window, before, signal.bad, reference.rough)
    assert isinstance(window, Parts) and isinstance(before, Parts), "a signal keeps its kind"
    return _parts(signal, window, before, reference.rough)


def matters(change: float, signal: Signal) -> bool:
    """Whether a change is worth acting on, in the bad direction."""
    if signal.bad == "both":
        return abs(change) >= signal.effect
    return (change if signal.bad == "up" else -change) >= signal.effect


def _share(now: Rate, before: Rate, signal: Signal, rough: float = 1.0) -> Finding:
    if not now.n or not before.n:
        return NOTHING
    change, sides = now.right / now.n - before.right / before.n, 2 if signal.bad == "both" else 1
    (x, n), (k, m) = (thin(rate, rough) for rate in (now, before))
    most, fewest = tail_above(n, n, k, m), tail_below(0, n, k, m)
    if n >= LEAST_VALUES and m >= LEAST_GROUP and k in (0, m):  # it cannot get worse: that is known, not too few
        most, fewest = (0.0, fewest) if k else (most, 0.0)
    least = min(1.0, 2 * min(most, fewest)) if sides == 2 else most if signal.bad == "up" else fewest
    if not matters(change, signal):
        return Finding(1.0, change, least)
    tail = tail_above if change > 0 else tail_below
    return Finding(min(1.0, sides * tail(x, n, k, m)), change, least)


def _mix(signal: Signal, now: Mix, before: Mix, rough: float) -> Finding:
    if now.n < LEAST_VALUES or before.n < LEAST_VALUES:
        return NOTHING
    change = shift_beyond_chance(now.counts, before.counts)
    if change < signal.effect:
        return Finding(1.0, change, 0.0)
    seed = crc32(repr((signal.name, sorted(now.counts.items()), sorted(before.counts.items()))).encode())
    chance = mix_chance(thin_mix(now.counts, rough), thin_mix(before.counts, rough), seed)
    return Finding(chance, change, 0.0, farthest(now, before))


def farthest(now: Mix, before: Mix) -> str:
    """The group that grew or shrank most, in shares."""
    groups = sorted({*now.counts, *before.counts})
    return max(groups, key=lambda g: abs(now.counts.get(g, 0) / now.n - before.counts.get(g, 0) / before.n))


def _times(now: Times, before: Times, bad: Bad, rough: float) -> Finding:
    if len(now.values) < LEAST_VALUES or len(before.values) < LEAST_VALUES:
        return NOTHING
    below, above = rank_chance(now.values, before.values, rough)
    usual = statistics.median(before.values)
    change = statistics.median(now.values) / usual - 1 if usual else 0.0
    chances = {"up": above, "down": below, "both": min(1.0, 2 * min(above, below))}
    return Finding(chances[bad], change, 0.0)


def _parts(signal: Signal, now: Parts, before: Parts, rough: float) -> Finding:
    found = {
        group: _share(rate, before.rates.get(group, Rate()), signal, rough)
        for group, rate in now.rates.items()
        if rate.n and before.rates.get(group, Rate()).n
    }
    return _worst(found)


def _others(signal: Signal, now: Parts, least: int) -> Finding:
    """Each group with enough contacts against all the others of the same weeks."""
    both = sum_up(now)
    found = {}
    for group, rate in now.rates.items():
        rest = Rate(right=both.right - rate.right, wrong=both.n - rate.n - (both.right - rate.right))
        if rate.n >= least and rest.n >= least:
            found[group] = _share(rate, rest, signal)
    return _worst(found)


def _worst(found: dict[str, Finding]) -> Finding:
    """The group least likely by chance, its chance multiplied by the number of groups looked at (Bonferroni)."""
    if not found:
        return NOTHING
    name = min(found, key=lambda group: (found[group].p, group))
    one = found[name]
    return Finding(min(1.0, len(found) * one.p), one.change, min(1.0, len(found) * one.least), name)


def _pull(now: Parts, effect: float) -> Finding:
    seen, blind = now.rates.get("seen", Rate()), now.rates.get("blind", Rate())
    if not seen.n or not blind.n:
        return NOTHING
    least = pull_chance(Rate(right=seen.n), Rate(wrong=blind.n), effect)
    gap = seen.right / seen.n - blind.right / blind.n
    return Finding(pull_chance(seen, blind, effect), gap, least)


def figure_of(signal: Signal, window: Figure, reference: Reference) -> float | None:
    """The one number a chart draws."""
    if not size(window):
        return None
    if isinstance(window, Share):
        return window.rate.value
    if isinstance(window, Times):
        return statistics.median(window.values)
    if isinstance(window, Mix):
        before = reference.pooled
        return shift_beyond_chance(window.counts, before.counts) if isinstance(before, Mix) else None
    if signal.kind == "parts":
        return sum_up(window).value
    if signal.kind == "gap":
        seen, blind = (window.rates.get(group, Rate()).value for group in ("seen", "blind"))
        return None if seen is None or blind is None else seen - blind
    return _widest(window)


def _widest(window: Parts) -> float | None:
    """How far the worst group lies above all others together."""
    gaps = []
    right = sum_up(window).right
    for rate in window.rates.values():
        rest = size(window) - rate.n
        if rate.n and rest:
            gaps.append(rate.right / rate.n - (right - rate.right) / rest)
    return max(gaps, default=None)
