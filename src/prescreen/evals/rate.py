"""What is measured of a system: figures with their failing cases, paired and several comparisons.

Knows rates (`clinic.rates`). Knows nothing about triage: what counts as right is the caller's business.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from prescreen.clinic.rates import CONFIDENCE, Estimate, Interval, Rate, Statistic, bootstrap


@dataclass(frozen=True)
class Measure:
    """One metric of one system: the figure, and the cases to look at when it is not what we want."""

    figure: Rate | Estimate
    failures: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        return self.figure.value

    @property
    def bounds(self) -> Interval | None:
        """Two-sided 95 % interval, None when the figure is undefined."""
        if isinstance(self.figure, Rate):
            return self.figure.interval() if self.figure.n else None
        if self.figure.low is None or self.figure.high is None:
            return None
        return Interval(self.figure.low, self.figure.high)

    def to_json(self) -> dict[str, Any]:
        """Counts, value, interval and failing cases as plain JSON."""
        low, high = self.bounds or (None, None)
        counts = asdict(self.figure) if isinstance(self.figure, Rate) else {}
        figure = {"value": self.value, "low": low, "high": high, "n": self.figure.n}
        return {**counts, **{k: _round(v) for k, v in figure.items()}, "failures": list(self.failures)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Measure":
        """Read `to_json` back."""
        figure: Rate | Estimate
        if "right" in row:
            figure = Rate(**{name: row[name] for name in Rate.__dataclass_fields__})
        else:
            figure = Estimate(row["value"], row["low"], row["high"], row["n"])
        return cls(figure, tuple(row["failures"]))


def _round(value: float | None) -> float | None:
    return round(value, 6) if isinstance(value, float) else value


def cases_needed(limit: float, events: int = 0, confidence: float = CONFIDENCE) -> int:
    """The fewest cases with which `events` harms prove a harm rate of at most `limit`.

    With none it is the rule behind "0 misses in 149 prove at most 2 %": (1 - limit)^n <= 1 - confidence.
    """
    assert 0 < limit < 1, "a limit of 0 or 1 can be proved by no number of cases or by none"
    n = max(math.ceil(math.log(1 - confidence) / math.log1p(-limit)), events + 1)
    if not events:
        return n
    high = n
    while Rate(events, high - events).upper(confidence) > limit:
        n, high = high, 2 * high
    while n < high:
        middle = (n + high) // 2
        n, high = (n, middle) if Rate(events, middle - events).upper(confidence) <= limit else (middle + 1, high)
    return n


def bootstrap_mean(values: Sequence[float], *, seed: int = 0) -> Estimate:
    """The mean of one number a case, with its interval from resampling cases."""
    distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    return bootstrap(counts, lambda table: table @ distinct / table.sum(axis=-1), seed=seed)


class Paired(NamedTuple):
    """Two systems on the same cases: how often only one of them was right, and the exact two-sided p."""

    only_first: int
    only_second: int
    p_value: float


def compare_paired(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """McNemar's exact test."""
    assert len(first) == len(second), "paired systems answer the same cases"
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    if not only_first + only_second:
        return Paired(0, 0, 1.0)
    from scipy.stats import binomtest

    p_value = float(binomtest(only_first, only_first + only_second).pvalue)
    return Paired(only_first, only_second, p_value)


def correct_holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p-values of several tests, so that any false alarm stays at the level asked."""
    corrected, so_far = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        so_far = max(so_far, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = so_far
    return corrected


def bootstrap_difference(
    gold: Sequence[int],
    first: Sequence[int],
    second: Sequence[int],
    levels: int,
    statistic: Statistic,
    *,
    seed: int = 0,
) -> Estimate:
    """First minus second of a confusion-table statistic, resampling cases with both answers kept together."""
    joint = np.zeros((levels, levels, levels), dtype=np.int64)
    np.add.at(joint, tuple(np.array([gold, first, second], dtype=np.int64)), 1)
    return bootstrap(joint, lambda t: statistic(t.sum(axis=-1)) - statistic(t.sum(axis=-2)), seed=seed)
