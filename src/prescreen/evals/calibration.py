"""Calibration and selective prediction: does confidence tell right from wrong, and what if the unsure are left out.

Confidence is the share of wordings of a case that got the commonest level. Figures read a table of cases by
confidence (rows) and right or wrong (columns), so that ties have no order. Knows numbers and levels, no engine.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.floor import WITHOUT_DRAFT
from prescreen.clinic.rates import Array, Statistic, bootstrap
from prescreen.evals.rate import Measure

BINS = 10
COVERAGE = 0.8
ENOUGH = 500  # below so many cases the calibration error comes out too large


class Agreement(NamedTuple):
    """What the wordings of a case got: the commonest level, the higher of equals, and the share that got it."""

    level: Acuity | None
    confidence: float


class Point(NamedTuple):
    """One case in a reliability picture."""

    confidence: float
    right: bool


class Bin(NamedTuple):
    """One bin of equal mass: mean confidence and share right."""

    confidence: float
    accuracy: float


def agree(levels: Sequence[Acuity | None]) -> Agreement:
    """Silence is no level and lowers the share."""
    given = Counter(level for level in levels if level is not None)
    if not given:
        return Agreement(None, 0.0)
    level = max(given, key=lambda each: (given[each], each.rank))
    return Agreement(level, given[level] / len(levels))


def decide(levels: Sequence[Acuity | None], rules: Acuity | None, sure_from: float) -> tuple[Acuity, bool]:
    """The level a case is served at, and whether the model abstained for want of agreement.

    Whoever abstains leaves the case to a nurse at the highest level that any wording, or a rule, or the route
    without a draft gives: abstention never lowers a case.
    """
    level, confidence = agree(levels)
    if level is not None and confidence >= sure_from:
        return max(level, rules or level), False
    return max(each for each in (*levels, rules, WITHOUT_DRAFT) if each is not None), True


def find_threshold(confidences: Sequence[float], coverage: float = COVERAGE) -> float:
    """The lowest confidence at which at least this share of cases is kept."""
    ranked = sorted(confidences, reverse=True)
    return ranked[max(0, int(np.ceil(coverage * len(ranked) - 1e-9)) - 1)] if ranked else 0.0


def score_confidence(points: Sequence[Point], seed: int) -> dict[str, Measure]:
    """Brier score, calibration error, area under risk-coverage and accuracy of the surest, with intervals."""
    values, table = tabulate(points)
    figures: dict[str, Callable[[Array], float]] = {
        "brier": lambda t: brier(values, t),
        "ece": lambda t: calibration_error(find_bins(values, t)),
        "aurc": lambda t: float(risk_coverage(t).mean()),
        "accuracy_at_80": lambda t: 1 - float(risk_coverage(t)[int(np.ceil(COVERAGE * t.sum() - 1e-9)) - 1]),
    }
    return {name: Measure(bootstrap(table, _apply_to_each(one), seed=seed)) for name, one in figures.items()}


def _apply_to_each(figure: Callable[[Array], float]) -> Statistic:
    return lambda tables: np.array([figure(table) for table in tables])


def tabulate(points: Sequence[Point]) -> tuple[Array, Array]:
    """The confidences that occur, falling, and how many cases with each are right and wrong."""
    values = np.array(sorted({point.confidence for point in points}, reverse=True))
    counts = Counter(points)
    cells = [[counts[Point(float(value), right)] for right in (True, False)] for value in values]
    return values, np.array(cells, dtype=np.int64).reshape(len(values), 2)


def brier(values: Array, table: Array) -> float:
    """Mean squared distance of confidence from what happened."""
    return float((table[:, 0] @ (1 - values) ** 2 + table[:, 1] @ values**2) / table.sum())


def find_bins(values: Array, table: Array, bins: int = BINS) -> list[Bin]:
    """Bins of equal mass, the surest first; cases of equal confidence are shared out where a border cuts them."""
    sizes = table.sum(axis=1)
    held = sizes > 0
    values, table, sizes = values[held], table[held], sizes[held]
    ends = np.cumsum(sizes)
    borders = np.linspace(0, ends[-1], bins + 1)
    over = np.minimum(ends, borders[1:, None]) - np.maximum(ends - sizes, borders[:-1, None])
    shares = np.clip(over, 0, None) * bins / ends[-1]
    return [Bin(float(row @ values), float(row @ (table[:, 0] / sizes))) for row in shares]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance of confidence and accuracy over bins of equal mass."""
    return float(np.mean([abs(each.confidence - each.accuracy) for each in bins]))


def risk_coverage(table: Array) -> Array:
    """Share of wrong answers among the surest 1, 2, … n cases; within equal confidence the expected one."""
    sizes = table.sum(axis=1)
    wrong = np.divide(table[:, 1], sizes, out=np.zeros(len(sizes)), where=sizes > 0)
    errors = np.repeat(wrong, sizes)
    return np.asarray(np.cumsum(errors) / np.arange(1, len(errors) + 1))
