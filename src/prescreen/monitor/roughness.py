"""How much more a reference's weeks differ than contacts drawn from one bowl would. Knows figures, no signal.

Weeks of few nurses, of a holiday, of families that come together are no coin: limits that took them for one would
alarm for nothing. The factor is the chi-square between the weeks over its lower quantile, so that the doubt of few
weeks widens the limits and a steady clinic pays little; counts are thinned by it, and ranks' spread is widened.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from prescreen.clinic.rates import Rate
from prescreen.monitor.week import Figure, Mix, Times, sum_up

LEAST_WEEKS: Final = 3
DOUBT: Final = 0.3  # the quantile: lower is wider
SPARSE: Final = 1.0  # expected in a week; rarer groups count as one, and two groups so rare tell nothing


def roughness(weeks: Sequence[Figure]) -> float:
    """The factor, 1 where the weeks differ no more than chance would have it."""
    told = [week for week in weeks if not isinstance(week, Times)]
    if len(told) < len(weeks):
        return _of_times([np.asarray(week.values) for week in weeks if isinstance(week, Times) and week.values])
    return _of_counts([_count(week) for week in told])


def thin(rate: Rate, rough: float) -> tuple[int, int]:
    """A share's counts as if of so many fewer contacts."""
    n = max(1, round(rate.n / rough))
    return round(rate.right * n / rate.n), n


def thin_mix(counts: Mapping[str, int], rough: float) -> dict[str, int]:
    """A mix's counts as if of so many fewer contacts."""
    return {group: round(count / rough) for group, count in counts.items()}


def _count(week: Figure) -> Mapping[str, int]:
    if isinstance(week, Mix):
        return week.counts
    rate = sum_up(week)
    return {"right": rate.right, "wrong": rate.n - rate.right}


def _of_counts(weeks: Sequence[Mapping[str, int]]) -> float:
    groups = sorted({group for week in weeks for group in week})
    table = np.asarray([[week.get(group, 0) for group in groups] for week in weeks if sum(week.values())], float)
    if len(table) < LEAST_WEEKS:
        return 1.0
    rare = table.mean(axis=0) < SPARSE
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    table = table[:, table.mean(axis=0) >= SPARSE]
    if table.shape[1] < 2:
        return 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return _over(float(((table - expected) ** 2 / expected).sum()), (len(table) - 1) * (table.shape[1] - 1))


def _of_times(weeks: Sequence["np.ndarray[tuple[int], np.dtype[np.float64]]"]) -> float:
    """By ranks (Kruskal-Wallis)."""
    if len(weeks) < LEAST_WEEKS:
        return 1.0
    from scipy.stats import rankdata

    together = np.concatenate(weeks)
    ranks, n = rankdata(together), len(together)
    spread = float(((ranks - (n + 1) / 2) ** 2).sum()) / (n - 1)
    if spread == 0.0:
        return 1.0
    own = np.split(ranks, np.cumsum([len(week) for week in weeks])[:-1])
    square = sum(len(week) * (float(week.mean()) - (n + 1) / 2) ** 2 for week in own) / spread
    return _over(square, len(weeks) - 1)


def _over(square: float, freedom: int) -> float:
    from scipy.special import chdtri

    return max(1.0, square / float(chdtri(freedom, 1 - DOUBT)))
