"""Agreement of two raters beyond chance: Cohen's kappa of tables of counts, plain and quadratic weighted.

Knows square tables, stacked as the bootstrap stacks them. Knows no raters and no levels.
"""

import numpy as np

from prescreen.clinic.rates import Array


def weighted_kappa(tables: Array) -> Array:
    """Quadratic weighted kappa of stacked square tables; NaN where either rater is constant."""
    levels = tables.shape[-1]
    i, j = np.indices((levels, levels))
    return _kappa(tables, (i - j) ** 2 / (levels - 1) ** 2)


def plain_kappa(tables: Array) -> Array:
    """Kappa that counts every disagreement alike; NaN where either rater is constant."""
    return _kappa(tables, 1 - np.eye(tables.shape[-1]))


def _kappa(tables: Array, weights: Array) -> Array:
    total = tables.sum(axis=(1, 2)).astype(float)
    rows, columns = tables.sum(axis=2), tables.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = (rows[:, :, None] * columns[:, None, :] * weights).sum(axis=(1, 2)) / total
        kappa = 1 - (tables * weights).sum(axis=(1, 2)) / expected
    constant = ((rows > 0).sum(axis=1) < 2) | ((columns > 0).sum(axis=1) < 2)
    return np.where(constant, np.nan, kappa)
