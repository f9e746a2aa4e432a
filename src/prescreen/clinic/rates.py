"""Rates and their uncertainty: exact and Wilson intervals, bootstrap by case.

Knows counts. Knows nothing about triage: what counts as right is the caller's business.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
RESAMPLES = 2_000

Array = NDArray[Any]
Statistic = Callable[[Array], Array]


class Interval(NamedTuple):
    """Two-sided bounds."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A figure that is no proportion, with its bootstrap interval; all None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        if self.value is None:
            return f"undefined (n = {self.n})"
        interval = f" [{self.low:.2f}, {self.high:.2f}]" if self.low is not None else ""
        return f"{self.value:.2f}{interval} (n = {self.n})"


@dataclass(frozen=True)
class Rate:
    """A proportion with five counts kept apart.

    `right` is what the rate is about; `wrong`, `no_answer` and `errored` are in the denominator, so that
    silence and crashes never make a score look clean; `unscored` (nothing to compare with) is not.
    """

    right: int = 0
    wrong: int = 0
    no_answer: int = 0
    unscored: int = 0
    errored: int = 0

    def __post_init__(self) -> None:
        counts = (self.right, self.wrong, self.no_answer, self.unscored, self.errored)
        assert min(counts) >= 0, "counts are never negative"

    @property
    def n(self) -> int:
        """The denominator."""
        return self.right + self.wrong + self.no_answer + self.errored

    @property
    def value(self) -> float | None:
        """The proportion, None without a single case."""
        return self.right / self.n if self.n else None

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Exact two-sided (Clopper-Pearson) interval; [0, 1] when nothing was counted."""
        tail = (1 + confidence) / 2
        return Interval(self.lower(tail), self.upper(tail))

    def wilson(self, confidence: float = CONFIDENCE) -> Interval:
        """Wilson score interval: shorter than the exact one, for pictures and accuracies."""
        if not self.n:
            return Interval(0.0, 1.0)
        from scipy.stats import norm

        z2 = float(norm.ppf((1 + confidence) / 2)) ** 2
        share, n = self.right / self.n, self.n
        centre = share + z2 / (2 * n)
        spread = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
        low, high = (centre - spread) / (1 + z2 / n), (centre + spread) / (1 + z2 / n)
        return Interval(0.0 if self.right == 0 else low, 1.0 if self.right == n else high)

    def lower(self, confidence: float = CONFIDENCE) -> float:
        """Exact one-sided lower bound."""
        if not self.right:
            return 0.0
        from scipy.stats import beta

        return float(beta.ppf(1 - confidence, self.right, self.n - self.right + 1))

    def upper(self, confidence: float = CONFIDENCE) -> float:
        """Exact one-sided upper bound."""
        if self.right == self.n:
            return 1.0
        from scipy.stats import beta

        return float(beta.ppf(confidence, self.right + 1, self.n - self.right))

    def __str__(self) -> str:
        apart = "".join(
            f", {count} {name}" for name, count in (("unscored", self.unscored), ("errored", self.errored)) if count
        )
        if self.value is None:
            return f"0/0, no cases{apart}"
        low, high = self.interval()
        return f"{self.right}/{self.n} = {100 * self.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]{apart}"


def bootstrap(counts: ArrayLike, statistic: Statistic, *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """`statistic` of a table of counts with its percentile interval from resampling cases.

    Drawing n cases with replacement is a multinomial draw over the table's cells, so a statistic that reads
    the table alone needs no loop: it gets all resamples stacked along the first axis and returns one number
    each, NaN where undefined.
    """
    table = np.asarray(counts, dtype=np.int64)
    n = int(table.sum())
    if not n:
        return Estimate(None, None, None, 0)
    value = float(statistic(table[None])[0])
    if math.isnan(value):
        return Estimate(None, None, None, n)
    draws = np.random.default_rng(seed).multinomial(n, table.ravel() / n, size=resamples)
    values = statistic(draws.reshape(resamples, *table.shape))
    values = values[~np.isnan(values)]
    if len(values) < resamples / 2:  # mostly undefined: an interval would describe the lucky half
        return Estimate(value, None, None, n)
    low, high = np.percentile(values, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return Estimate(value, float(low), float(high), n)
