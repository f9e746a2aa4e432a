"""Exact chances: how likely would a week be, if nothing had changed? Knows counts and ranks, no signal and no week.

A share is judged by the predictive beta-binomial tail of its reference, with the prior on the side of caution: that
is the one-sided test of Fisher, exact for any size of week and of reference.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prescreen.clinic.rates import Rate

Floats = NDArray[np.float64]
LOOK, DRAWS = 1_000, 20_000  # shuffles of a first look, and of one worth a second
GRID = 2_000
RARE = 2.0


def tail_above(x: int, n: int, k: int, size: int) -> float:
    """Chance of `x` or more of `n`, after a reference of `k` of `size`."""
    a, b = k + 1, size - k
    if x <= 0 or b <= 0 or size <= 0:
        return 1.0
    if x > n:
        return 0.0
    logs = _log_factorials(n + size + 2)
    y = np.arange(x, n + 1)
    pmf = logs[n] - logs[y] - logs[n - y] + logs[y + a - 1] + logs[n - y + b - 1] - logs[n + a + b - 1]
    pmf += logs[a + b - 1] - logs[a - 1] - logs[b - 1]
    return float(min(1.0, np.exp(pmf).sum()))


def tail_below(x: int, n: int, k: int, size: int) -> float:
    """Chance of `x` or fewer of `n`, after a reference of `k` of `size`."""
    return tail_above(n - x, n, size - k, size)


class Limit(NamedTuple):
    """The shares of a week beyond which it would be an alarm; None where none would."""

    low: float | None
    high: float | None


def find_limits(n: int, k: int, size: int, allowed: float) -> Limit:
    """The outermost counts of `n` that are not rarer than `allowed` on either side."""
    if not n or not size:
        return Limit(None, None)
    high = _first(lambda x: tail_above(x, n, k, size) < allowed, n)
    low = _first(lambda x: tail_below(n - x, n, k, size) < allowed, n)
    return Limit(None if low is None else (n - low + 1) / n, None if high is None else (high - 1) / n)


def pull_chance(seen: Rate, blind: Rate, gap: float) -> float:
    """Chance that the seen share exceeds the blind one by no more than `gap`, each taken on the side of caution."""
    if not seen.right or not blind.n or blind.right == blind.n:
        return 1.0
    from scipy.special import betainc

    edges = np.linspace(0.0, 1.0, GRID + 1)
    mass = np.diff(betainc(blind.right + 1, blind.n - blind.right, edges))
    below = betainc(seen.right, seen.n - seen.right + 1, np.clip(edges[1:] + gap, 0.0, 1.0))
    return float(np.clip((mass * below).sum(), 0.0, 1.0))


def rank_chance(week: Sequence[float], reference: Sequence[float], rough: float = 1.0) -> tuple[float, float]:
    """One-sided chances of the rank test (Mann-Whitney, ties corrected): of values so low, of values so high.

    `rough` widens the spread, where weeks differ by themselves.
    """
    n, size = len(week), len(reference)
    if not n or not size:
        return 1.0, 1.0
    values, known = np.asarray(week, float), np.sort(np.asarray(reference, float))
    under = np.searchsorted(known, values, "left").sum()
    upto = np.searchsorted(known, values, "right").sum()
    u, mean = (under + upto) / 2, n * size / 2
    counts = np.unique(np.concatenate([values, known]), return_counts=True)[1].astype(float)
    both = n + size
    spread = math.sqrt(max(0.0, n * size / 12 * (both + 1 - (counts**3 - counts).sum() / (both * (both - 1)))))
    spread *= math.sqrt(rough)
    if spread == 0.0:
        return 1.0, 1.0
    return _phi((u + 0.5 - mean) / spread), _phi(-(u - 0.5 - mean) / spread)


def shift_beyond_chance(week: Mapping[str, int], reference: Mapping[str, int]) -> float:
    """PSI less what chance alone would give with so few; never below 0. Rare groups count as one."""
    x, k = _lump(*_align(week, reference))
    if not x.sum() or not k.sum() or len(x) < 2:
        return 0.0
    chance = (len(x) - 1) * (1 / x.sum() + 1 / k.sum())
    return max(0.0, population_shift(x, k) - float(chance))


def population_shift(x: NDArray[np.int64], k: NDArray[np.int64]) -> float:
    """The population stability index of two counts, half a case added to each group."""
    p, q = (x + 0.5) / (x + 0.5).sum(), (k + 0.5) / (k + 0.5).sum()
    return float(((p - q) * np.log(p / q)).sum())


def jensen_shannon(week: Mapping[str, int], reference: Mapping[str, int]) -> float:
    """The Jensen-Shannon divergence in bits: 0 for the same mix, 1 for two that share no group."""
    x, k = _align(week, reference)
    if not x.sum() or not k.sum():
        return 0.0
    p, q = x / x.sum(), k / k.sum()
    middle = (p + q) / 2
    return float(sum(0.5 * (s[s > 0] * np.log2(s[s > 0] / middle[s > 0])).sum() for s in (p, q)))


def mix_chance(week: Mapping[str, int], reference: Mapping[str, int], seed: int) -> float:
    """Chance of a mix so far off, by shuffling contacts between week and reference.

    Two distances, that of all groups together and that of the one group farthest off; the smaller chance, doubled.
    """
    x, k = _align(week, reference)
    n, total = int(x.sum()), x + k
    if not n or not k.sum() or len(x) < 2:
        return 1.0
    if _rough_chance(x, total) > 0.05:  # far from any alarm: no need to shuffle
        return 1.0
    rng = np.random.default_rng(seed)
    for draws in (LOOK, DRAWS):
        shuffled = rng.multivariate_hypergeometric(total, n, size=draws, method="marginals")
        found = [
            (1 + int((distance >= own * (1 - 1e-9)).sum())) / (draws + 1)
            for distance, own in zip(_distances(shuffled, total, n), _distances(x[None], total, n), strict=True)
        ]
        chance = min(1.0, 2 * min(found))
        if chance > 0.02:
            break
    return chance


def _distances(rows: NDArray[np.int64], total: NDArray[np.int64], n: int) -> tuple[Floats, Floats]:
    share = total / total.sum()
    farthest = ((rows - n * share) ** 2 / (n * share) / (1 - share)).max(axis=1)
    rare = _rare(n, total)
    if rare.sum() > 1:
        rows = np.column_stack([rows[:, ~rare], rows[:, rare].sum(axis=1)])
        share = np.append(share[~rare], share[rare].sum())
    return ((rows - n * share) ** 2 / (n * share)).sum(axis=1), farthest


def _rare(n: int, total: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Groups of which fewer than RARE are expected: each alone is noise."""
    return n * total < RARE * total.sum()


def _lump(x: NDArray[np.int64], k: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rare = _rare(int(x.sum()), x + k)
    if rare.sum() < 2:
        return x, k
    x, k = (np.append(counts[~rare], counts[rare].sum()) for counts in (x, k))
    return x, k


def _rough_chance(x: NDArray[np.int64], total: NDArray[np.int64]) -> float:
    """The textbook's chance of the two distances."""
    from scipy.special import chdtrc

    n, both = int(x.sum()), int(total.sum())
    together, farthest = _distances(x[None], total, n)
    scale = both / (both - n)
    one = chdtrc(1, farthest[0] * scale) * len(x)
    groups = len(_lump(x, total - x)[0])
    return float(min(chdtrc(max(1, groups - 1), together[0] * scale), one))


def _align(week: Mapping[str, int], reference: Mapping[str, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    groups = sorted(name for name in {*week, *reference} if week.get(name, 0) + reference.get(name, 0))
    x, k = ([counts.get(name, 0) for name in groups] for counts in (week, reference))
    return np.asarray(x, np.int64), np.asarray(k, np.int64)


def _first(is_rare: Any, n: int) -> int | None:
    """The smallest count of 0..n that is rare; rarity grows with the count."""
    if not is_rare(n):
        return None
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_rare(middle) else (middle + 1, high)
    return low


def _phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _log_factorials(upto: int) -> Floats:
    return _table(1 << max(10, (upto + 1).bit_length()))


@lru_cache(8)
def _table(size: int) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size)))])
