"""Statistics of memorisation: the exposure of a secret, and how well two groups of scores are told apart.

Exposure is Carlini et al. 2019's, estimated by plain rank among candidates drawn like the secret: it assumes no
shape of their scores and cannot exceed log2(candidates + 1). Knows numbers, neither models nor secrets.
"""

import math
from collections.abc import Sequence

import numpy as np

from prescreen.evals.rate import CONFIDENCE, Estimate, bootstrap_mean

FEWEST = 5  # with fewer values a bootstrap interval would look sure of what it cannot know


def find_exposure(own: float, others: Sequence[float]) -> float:
    """log2(candidates + 1) - log2(rank) in bits; among equals the secret is taken as the likeliest.

    A secret nobody has seen scores 1.44 bits on average, and b bits or more with a chance of 2^-b.
    """
    rank = 1 + sum(other > own for other in others)
    return math.log2(len(others) + 1) - math.log2(rank)


def standardise(own: float, others: Sequence[float]) -> float:
    """How far a score lies above the mean of the candidates', in their standard deviations."""
    values = np.asarray(others, dtype=np.float64)
    return float((own - values.mean()) / max(float(values.std()), 1e-9))


def average(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean with its bootstrap interval; without an interval where there are too few values."""
    found = bootstrap_mean(values, seed=seed)
    return found if len(values) >= FEWEST else Estimate(found.value, None, None, found.n)


def tell_apart(inside: Sequence[float], outside: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Area under the ROC curve: the chance that an inserted one scores higher than one never inserted.

    The interval is Newcombe's (2006, method 5): of score type, so that it does not shrink to nothing at 0 and 1.
    """
    n = len(inside) + len(outside)
    if not inside or not outside:
        return Estimate(None, None, None, n)
    first, second = np.asarray(inside)[:, None], np.asarray(outside)[None]
    area = float(((first > second) + 0.5 * (first == second)).mean())
    low, high = _bound_area(area, len(inside), len(outside), confidence)
    return Estimate(area, low, high, n)


def _bound_area(area: float, inside: int, outside: int, confidence: float) -> tuple[float, float]:
    from scipy.optimize import brentq
    from scipy.stats import norm

    z, more = float(norm.ppf((1 + confidence) / 2)), (inside + outside) / 2 - 1

    def excess(theta: float) -> float:
        """Squared distance beyond what chance allows were `theta` the truth: below 0 inside the interval."""
        spread = 1 + more * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (area - theta) ** 2 - z * z * theta * (1 - theta) * spread / (inside * outside)

    tiny = 1e-12  # at 0 and 1 themselves the excess is 0 for an area of 0 or 1, which is not the bound
    low = brentq(excess, tiny, min(area, 1 - tiny)) if area > tiny else 0.0
    high = brentq(excess, max(area, tiny), 1 - tiny) if area < 1 - tiny else 1.0
    return float(low), float(high)
