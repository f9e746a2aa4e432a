"""Whom a build has too few of: cells of level, age, sex and language, what they lack, and weights to draw them by.

Proposes and never resamples. Knows labelled cases; not how a build is made or trained on.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any, Final, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.rates import Rate

AGE_BANDS = ((0, 1, "under 1"), (1, 5, "1-4"), (5, 16, "5-15"), (16, 40, "16-39"), (40, 65, "40-64"),
             (65, 80, "65-79"), (80, 200, "80 and over"))  # fmt: skip
UNKNOWN: Final = "not recorded"
CAP: Final = 4.0  # no case is drawn more than so many times as often as one of the commonest cell
TO_LEARN: Final = 50  # cases of a cell; a convention, as for the comparators of an evaluation
POINTS: Final = 0.10  # half the width of a 95 % interval that says something of a group
SHOWN: Final = 12


class Cell(NamedTuple):
    """One group of cases: level, age band, sex and language."""

    level: str
    age: str
    sex: str
    language: str

    @property
    def known(self) -> bool:
        """Whether all of it was recorded: a gap in the record is nobody to draw more often."""
        return UNKNOWN not in self


class Plan(NamedTuple):
    """Cases by cell, the weights to draw them by, and the cells nobody is in."""

    counts: dict[Cell, int]
    weights: dict[Cell, float]
    empty: list[Cell]

    @property
    def few(self) -> list[Cell]:
        """Recorded cells of too few to learn from, rarest first."""
        cells = (cell for cell, count in self.counts.items() if cell.known and count < TO_LEARN)
        return sorted(cells, key=lambda cell: (self.counts[cell], cell))

    def to_json(self) -> dict[str, Any]:
        """Plain values for the card."""
        return {
            "cells": [[*cell, count, round(self.weights[cell], 3)] for cell, count in sorted(self.counts.items())],
            "empty": len(self.empty),
            "few": [list(cell) for cell in self.few],
            "to_learn": TO_LEARN,
            "cap": CAP,
        }


def age_band(age: float | None) -> str:
    """The age band a case counts in."""
    return next((name for low, high, name in AGE_BANDS if age is not None and low <= age < high), UNKNOWN)


def count_cells(cases: Iterable[Case]) -> Counter[Cell]:
    """Labelled cases by cell."""
    return Counter(
        Cell(case.label.acuity.value, age_band(case.age_years), case.sex or UNKNOWN, case.language)
        for case in cases
        if case.label is not None
    )


def plan_balance(cases: Iterable[Case], cap: float = CAP) -> Plan:
    """Cells with weights that go with the root of how rare a cell is, capped; a case's weight is 1 on the average.

    The root gives the rare more without giving them everything: drawn in full proportion, the few cases of a rare
    cell would be learned by heart.
    """
    assert cap >= 1, "a cap below one would draw the rare less often than the common"
    counts = dict(count_cells(cases))
    most = max(counts.values(), default=0)
    raw = {cell: min(cap, math.sqrt(most / count)) if cell.known else 1.0 for cell, count in counts.items()}
    total = sum(raw[cell] * count for cell, count in counts.items())
    weights = {cell: weight * sum(counts.values()) / total for cell, weight in raw.items()}
    languages = sorted({cell.language for cell in counts})
    bands = [name for *_, name in AGE_BANDS]
    all_cells = map(Cell._make, product([a.value for a in Acuity], bands, ("female", "male"), languages))
    return Plan(counts, weights, [cell for cell in all_cells if cell not in counts])


@cache
def cases_for_points(points: float = POINTS) -> int:
    """The fewest cases with which an exact 95 % interval of any rate is at most so many points to either side."""
    n = int(0.96 / points**2)  # what the usual approximation needs: less than the exact interval does
    while _widest(n) > points:
        n += 1
    return n


def _widest(n: int) -> float:
    """The longer side of the exact interval at the worst rate, which lies a little below (or above) one half."""
    return max(
        max(right / n - low, high - right / n)
        for right in range(n // 3, n // 2 + 1)
        for low, high in [Rate(right, n - right).interval()]
    )


def name_unmeasurable(cases: Sequence[Case], points: float = POINTS) -> dict[str, int]:
    """Groups of a test suite, one property at a time, that are too small to measure a rate in, with their size."""
    counts = count_cells(cases)
    groups: Counter[tuple[str, str]] = Counter({("acuity", level.value): 0 for level in Acuity})
    groups.update({("age", name): 0 for *_, name in AGE_BANDS})
    groups.update({("sex", sex): 0 for sex in ("female", "male")})
    for cell, count in counts.items():
        for name, value in zip(("acuity", "age", "sex", "language"), cell, strict=True):
            if value != UNKNOWN:
                groups[name, value] += count
    needed = cases_for_points(points)
    return {f"{name} {value}": count for (name, value), count in groups.items() if count < needed}


def describe_balance(train: Sequence[Case], suites: Mapping[str, Sequence[Case]]) -> dict[str, Any]:
    """The card's part on balance: what to draw in training, and what the suites cannot measure."""
    return {
        "train": plan_balance(train).to_json(),
        "needed": cases_for_points(),
        "unmeasurable": {name: name_unmeasurable(cases) for name, cases in suites.items()},
    }


def render_balance(balance: Mapping[str, Any]) -> list[str]:
    """The plan as Markdown: counts with weights, then what is too few."""
    levels = [level.value for level in Acuity]
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for level, age, sex, language, count, weight in balance["train"]["cells"]:
        groups.setdefault((language, age, sex), {})[level] = f"{count:,} × {weight:.2f}"
    bands = [*(name for *_, name in AGE_BANDS), UNKNOWN]
    lines = ["", "## Balance of training cases", ""]
    lines += [
        "Cases and the weight to draw each of them by. The weights are a proposal: nothing was resampled. They go",
        f"with the root of rarity and are capped at {balance['train']['cap']:g} times that of the commonest cell.",
        "",
        f"| language | age | sex | {' | '.join(levels)} |",
        f"|---|---|---|{'---|' * len(levels)}",
    ]
    for (language, age, sex), cells in sorted(groups.items(), key=lambda kv: (kv[0][0], bands.index(kv[0][1]))):
        lines.append(f"| {language} | {age} | {sex} | {' | '.join(cells.get(level, '0') for level in levels)} |")
    few = balance["train"]["few"]
    named = "; ".join(", ".join(cell) for cell in few[:SHOWN]) + ("; ..." if len(few) > SHOWN else "")
    lines += [
        "",
        f"Fewer than {balance['train']['to_learn']} to learn from: {len(few)} cells{': ' * bool(few)}{named}. "
        f"Nobody at all: {balance['train']['empty']} cells of level, age, woman or man, and language.",
        "",
        f"Too few to measure a rate within 10 points ({balance['needed']} cases are needed):",
        "",
    ]
    for suite, groups_of in balance["unmeasurable"].items():
        said = ", ".join(f"{name} ({count})" for name, count in groups_of.items()) or "no group"
        lines.append(f"- {suite}: {said}")
    return lines
