"""Triage metrics: how right, and how dangerously wrong, a set of priorities is.

Knows levels and accepted ranges. Knows nothing about who answered. A case without an answer is never right
and never hidden: success rates and missed emergencies count it as a failure; the direction of an error
(under, over) is asked of given answers only, with the silent cases counted apart as unscored.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.agreement import weighted_kappa
from prescreen.clinic.rates import Array, Rate, bootstrap
from prescreen.evals.rate import Measure

LEVELS = tuple(Acuity)
COST_UNDER = (0.0, 2.0, 5.0, 10.0)  # by levels below what is accepted; fixed before any run was seen
COST_OVER = (0.0, 1.0, 1.5, 2.0)


class Answer(NamedTuple):
    """One case and one system's priority. `gold` None: no label; `predicted` None: the system was silent."""

    case_id: str
    gold: Acuity | None
    accepted: tuple[Acuity, ...]
    predicted: Acuity | None
    error: str = ""

    @property
    def shift(self) -> int:
        """Levels from the nearest accepted one: negative is too low, 0 is in range, positive is too high."""
        assert self.predicted is not None, "a silent answer has no direction"
        below = min(0, self.predicted.rank - min(self.accepted).rank)
        return below or max(0, self.predicted.rank - max(self.accepted).rank)

    @property
    def cost(self) -> float:
        """Loss of this answer; too low costs more than too high."""
        return COST_UNDER[-self.shift] if self.shift < 0 else COST_OVER[self.shift]

    @property
    def is_emergency(self) -> bool:
        return self.gold is Acuity.EMERGENCY

    @property
    def is_clear_emergency(self) -> bool:
        """Nothing below emergency would be accepted."""
        return bool(self.accepted) and min(self.accepted) is Acuity.EMERGENCY

    @property
    def may_be_emergency(self) -> bool:
        return Acuity.EMERGENCY in self.accepted

    @property
    def says_emergency(self) -> bool:
        return self.predicted is Acuity.EMERGENCY

    @property
    def says_high(self) -> bool:
        """High or above."""
        return self.predicted is not None and self.predicted >= Acuity.HIGH


Test = Callable[[Answer], bool]


def score_triage(answers: Sequence[Answer], *, seed: int = 0) -> dict[str, Measure]:
    """All triage metrics of one system on one suite, in the order they are read."""
    clear = [a for a in answers if a.is_clear_emergency]
    emergencies = [a for a in answers if a.is_emergency]
    urgent = [a for a in answers if a.gold is not None and a.gold >= Acuity.HIGH]
    calm = [a for a in answers if a.gold is not None and a.predicted is not None and not a.may_be_emergency]
    table = confusion(answers)
    return {
        "answered": _success(answers, lambda a: True),
        "exact": _success(answers, lambda a: a.predicted is a.gold),
        "in_range": _success(answers, lambda a: a.shift == 0),
        "within_one": _success(answers, lambda a: abs(_rank(a.predicted) - _rank(a.gold)) <= 1),
        "qwk": Measure(bootstrap(table[:, :-1], weighted_kappa, seed=seed)),
        "macro_f1": Measure(bootstrap(table, macro_f1, seed=seed)),
        "under_triage": _harm(answers, lambda a: a.shift < 0),
        "severe_under": _harm(answers, lambda a: a.shift <= -2),
        "over_triage": _harm(answers, lambda a: a.shift > 0),
        "missed_emergencies": _harm(clear, lambda a: not a.says_emergency, silence_harms=True),
        "emergency_sensitivity": _success(emergencies, lambda a: a.says_emergency),
        "emergency_ppv": _success([a for a in answers if a.says_emergency], lambda a: a.may_be_emergency),
        "emergency_specificity": _success(calm, lambda a: not a.says_emergency),
        "high_sensitivity": _success(urgent, lambda a: a.says_high),
        "mean_cost": _mean_cost(answers, seed),
    }


def confusion(answers: Sequence[Answer]) -> Array:
    """Counts by gold (rows) and predicted level (columns); the last column is "no answer"."""
    table = np.zeros((len(LEVELS), len(LEVELS) + 1), dtype=np.int64)
    for answer in answers:
        if answer.gold is not None:
            table[answer.gold.rank, -1 if answer.predicted is None else answer.predicted.rank] += 1
    return table


def macro_f1(tables: Array) -> Array:
    """Mean F1 over the levels that occur as gold or answer; silence lowers recall."""
    square = tables[:, :, : tables.shape[1]]
    hits = np.einsum("tii->ti", square)
    golds, answers = tables.sum(axis=2), square.sum(axis=1)
    present = (golds + answers) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.where(present, 2 * hits / (golds + answers), 0.0)
        return scores.sum(axis=1) / present.sum(axis=1)


def _rank(level: Acuity | None) -> int:
    assert level is not None, "asked of labelled, answered cases only"
    return level.rank


def _success(answers: Sequence[Answer], hit: Test) -> Measure:
    """Share of labelled cases with a hit. Silence and crashes are failures."""
    right, wrong, silent = _sort(answers, hit)
    errored = [a for a in silent if a.error]
    failures = tuple(a.case_id for a in (*wrong, *silent))
    unscored = sum(a.gold is None for a in answers)
    return Measure(Rate(len(right), len(wrong), len(silent) - len(errored), unscored, len(errored)), failures)


def _harm(answers: Sequence[Answer], hit: Test, *, silence_harms: bool = False) -> Measure:
    """Share of labelled cases with a harm; what failed are the harms themselves."""
    harmed, spared, silent = _sort(answers, hit)
    if silence_harms:
        harmed, silent = [*harmed, *silent], []
    unscored = sum(a.gold is None for a in answers) + len(silent)
    return Measure(Rate(len(harmed), len(spared), unscored=unscored), tuple(a.case_id for a in harmed))


def _sort(answers: Sequence[Answer], hit: Test) -> tuple[list[Answer], list[Answer], list[Answer]]:
    """Labelled answers as hits, misses and silent ones."""
    labelled = [a for a in answers if a.gold is not None]
    given = [a for a in labelled if a.predicted is not None]
    silent = [a for a in labelled if a.predicted is None]
    hits = [a for a in given if hit(a)]
    return hits, [a for a in given if not hit(a)], silent


def _mean_cost(answers: Sequence[Answer], seed: int) -> Measure:
    """Mean loss per answered case."""
    given = [a for a in answers if a.gold is not None and a.predicted is not None]
    values, counts = np.unique([a.cost for a in given], return_counts=True)
    estimate = bootstrap(counts, lambda t: t @ values / t.sum(axis=1), seed=seed)
    return Measure(estimate, tuple(a.case_id for a in given if a.cost))
