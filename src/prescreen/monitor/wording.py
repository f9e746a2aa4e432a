"""A judgement in one sentence a nurse understands, with counts. Judges nothing."""

import math
import statistics
from collections.abc import Mapping

from prescreen.clinic.rates import Rate
from prescreen.monitor.chart import State
from prescreen.monitor.comparing import Finding
from prescreen.monitor.signals import Signal
from prescreen.monitor.tails import jensen_shannon
from prescreen.monitor.week import Figure, Mix, Parts, Share, Times, size, sum_up

CASES = 20


def say(signal: Signal, state: State, weeks: int, window: Figure, before: Figure | None, found: Finding) -> str:
    """What was counted, beside what was before, and how likely that is by chance."""
    told = f"{signal.title}: {_tell(window, before, found)} {_span(weeks)}"
    if before is not None and size(before):
        told += f", {_tell_before(before, found)} before"
    if state == "too few":
        return f"{told}; too few to judge yet."
    if state == "steady":
        return f"{told}; steady."
    return f"{told}; chance alone does this {tell_chance(found.p)}."


def choose_cases(window: Figure, found: Finding) -> tuple[str, ...]:
    """The visits worth reading, the newest week's first."""
    if isinstance(window, Mix):
        return ()
    if not isinstance(window, Parts):
        return window.cases[:CASES]
    if found.group:
        return window.cases.get(found.group, ())[:CASES]
    return tuple(visit for ids in window.cases.values() for visit in ids)[:CASES]


def tell_chance(p: float) -> str:
    """About how rarely, in weeks, to one figure."""
    if p > 0.05:
        return "often"
    weeks = 1 / max(p, 1e-6)
    scale = 10 ** math.floor(math.log10(weeks))
    return f"less than once in {int(weeks // scale * scale):,} weeks"


def tell_rate(rate: Rate) -> str:
    """Counts and their share."""
    return f"{rate.right} of {rate.n} ({100 * rate.right / rate.n:.0f} %)" if rate.n else "none counted"


def _span(weeks: int) -> str:
    return "this week" if weeks == 1 else f"in the last {weeks} weeks together"


def _tell(figure: Figure, before: Figure | None, found: Finding) -> str:
    if isinstance(figure, Share):
        return tell_rate(figure.rate) + _tell_why(figure.why)
    if isinstance(figure, Times):
        return f"median {_seconds(figure)} of {len(figure.values)}"
    if isinstance(figure, Mix):
        return _tell_mix(figure, before, found)
    if "seen" in figure.rates or "blind" in figure.rates:
        seen, blind = (tell_rate(figure.rates.get(group, Rate())) for group in ("seen", "blind"))
        return f"agreement {seen} with the draft seen, {blind} when blind"
    if found.group:
        rate = figure.rates[found.group]
        return f"{found.group} {tell_rate(rate)}" + ("" if before else f", all others {_rest(figure, rate)}")
    return tell_rate(sum_up(figure))


def _tell_before(before: Figure, found: Finding) -> str:
    if isinstance(before, Share):
        return tell_rate(before.rate)
    if isinstance(before, Times):
        return f"median {_seconds(before)} of {len(before.values)}"
    if isinstance(before, Mix):
        return f"{before.counts.get(found.group, 0)} of {before.n}" if found.group else f"{before.n} contacts"
    return tell_rate(before.rates.get(found.group, Rate()) if found.group else sum_up(before))


def _tell_mix(figure: Mix, before: Figure | None, found: Finding) -> str:
    if not isinstance(before, Mix) or not before.n or not figure.n:
        return f"{figure.n} contacts"
    bits = jensen_shannon(figure.counts, before.counts)
    size_of = "large shift" if found.change >= 0.25 else "shift" if found.change >= 0.1 else "no shift"
    group = (
        f"{found.group} {figure.counts.get(found.group, 0)} of {figure.n}"
        if found.group
        else f"{figure.n} contacts"
    )
    return f"{group}, {size_of} (PSI {found.change:.2f} beyond chance, JSD {bits:.2f})"


def _tell_why(why: Mapping[str, int]) -> str:
    return f" [{', '.join(f'{reason} {count}' for reason, count in why.items())}]" if why else ""


def _seconds(times: Times) -> str:
    return f"{statistics.median(times.values):.0f} s" if times.values else "of none"


def _rest(figure: Parts, rate: Rate) -> str:
    both = sum_up(figure)
    right = both.right - rate.right
    return tell_rate(Rate(right=right, wrong=both.n - rate.n - right))
