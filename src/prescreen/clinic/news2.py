"""NEWS2, the National Early Warning Score of the Royal College of Physicians (2017), from vital signs.

SpO2 scale 1. On air is assumed unless the caller says otherwise; what was not measured scores nothing and is
listed. For adults (16 and over) and not in pregnancy: the caller checks that.
"""

from collections.abc import Sequence
from typing import NamedTuple

from prescreen.clinic.case import Vitals

# For each measure: (lower bound, points) from the top down; the first bound the value reaches decides.
_BANDS: dict[str, Sequence[tuple[float, int]]] = {
    "respiratory_rate": ((25, 3), (21, 2), (12, 0), (9, 1), (float("-inf"), 3)),
    "spo2": ((96, 0), (94, 1), (92, 2), (float("-inf"), 3)),
    "systolic": ((220, 3), (111, 0), (101, 1), (91, 2), (float("-inf"), 3)),
    "heart_rate": ((131, 3), (111, 2), (91, 1), (51, 0), (41, 1), (float("-inf"), 3)),
    "temperature": ((39.1, 2), (38.1, 1), (36.1, 0), (35.1, 1), (float("-inf"), 3)),
}


class News2(NamedTuple):
    """A score, partial when `missing` is not empty; `highest` is the largest single-parameter score."""

    score: int
    highest: int
    missing: tuple[str, ...]


def score_news2(vitals: Vitals, on_oxygen: bool = False) -> News2 | None:
    """Score what was measured; None when nothing NEWS2 reads was."""
    points: dict[str, int] = {}
    missing = []
    for name, bands in _BANDS.items():
        value = getattr(vitals, name)
        if value is None:
            missing.append(name)
        else:
            value = round(value, 1) if name == "temperature" else round(value)
            points[name] = next(score for bound, score in bands if value >= bound)
    if vitals.consciousness is None:
        missing.append("consciousness")
    else:
        points["consciousness"] = 0 if vitals.consciousness == "alert" else 3
    if not points:
        return None
    return News2(sum(points.values()) + 2 * on_oxygen, max(points.values()), tuple(missing))
