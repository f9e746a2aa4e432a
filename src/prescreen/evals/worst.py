"""The ten worst errors of a system as served, worst first, each with what a reader needs to judge it.

Order of harm: two or more levels too low, a clear emergency missed, too low with a red flag missed, too low, a red
flag missed at the right level, too high. A level decides when a patient is seen, so it weighs more than a flag left
unnamed. Knows predictions; computes no metric.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from prescreen.config import digest
from prescreen.evals.prediction import Prediction

NUM_SHOWN = 10


class Error(NamedTuple):
    """One error: where it was made, how bad it is (0 is worst) and what it is called."""

    suite: str
    row: Prediction
    rank: int
    harm: str


def find_worst(
    predictions: Mapping[str, Sequence[Prediction]], unnamed: Mapping[str, Collection[str]], shown: int = NUM_SHOWN
) -> list[Error]:
    """The worst errors of all suites; `unnamed` holds by suite the cases whose labelled red flags were missed."""
    errors = [
        error
        for suite, rows in predictions.items()
        for row in rows
        if (error := grade_error(suite, row, row.case_id in unnamed.get(suite, ()))) is not None
    ]
    return sorted(errors, key=_order)[:shown]


def grade_error(suite: str, row: Prediction, flag_missed: bool) -> Error | None:
    """How bad one answer is, None where nothing is wrong or nothing is known to be right."""
    if row.gold is None or row.served is None:
        return None
    answer = row.answer("served")
    low, flag = -answer.shift, ", a red flag missed" if flag_missed else ""
    if low >= 2:
        return Error(suite, row, 0, f"{low} levels too low{flag}")
    if answer.is_clear_emergency and not answer.says_emergency:
        return Error(suite, row, 1, f"emergency missed{flag}")
    if low > 0:
        return Error(suite, row, 2 if flag_missed else 3, f"one level too low{flag}")
    if flag_missed:
        return Error(
            suite, row, 4, "red flag missed, level right" if not low else "red flag missed, level too high"
        )
    if low < 0:
        return Error(suite, row, 5, f"{-low} level{'s' if low < -1 else ''} too high")
    return None


def _order(error: Error) -> tuple[int, int, int, str]:
    """Worst first; among equals the more urgent patient, then by hash: nobody picked."""
    assert error.row.gold is not None, "only labelled cases are graded"
    shift = error.row.answer("served").shift
    return error.rank, shift if shift < 0 else -shift, -error.row.gold.rank, digest(error.row.case_id)
