"""Triage metrics on tables small enough to count by hand, and against scikit-learn."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, f1_score

from prescreen.clinic.acuity import Acuity
from prescreen.evals.rate import Estimate, Measure, Rate
from prescreen.evals.triage import Answer, confusion, score_triage

LOW, MEDIUM, HIGH, EMERGENCY = Acuity
LEVELS = list(Acuity)


def answer(
    gold: Acuity | None, predicted: Acuity | None, *also: Acuity, error: str = "", name: str = "x"
) -> Answer:
    return Answer(name, gold, () if gold is None else (gold, *also), predicted, error)


def rate(measure: Measure) -> Rate:
    assert isinstance(measure.figure, Rate)
    return measure.figure


HAND_MADE = [
    answer(EMERGENCY, EMERGENCY, name="e1"),
    answer(EMERGENCY, HIGH, name="e2"),
    answer(EMERGENCY, LOW, name="e3"),
    answer(EMERGENCY, None, name="e4"),
    answer(HIGH, EMERGENCY, EMERGENCY, name="h1"),
    answer(HIGH, HIGH, name="h2"),
    answer(MEDIUM, LOW, name="m1"),
    answer(LOW, EMERGENCY, name="l1"),
    answer(LOW, LOW, name="l2"),
    answer(LOW, None, error="out of memory", name="l3"),
    answer(None, HIGH, name="u1"),
]


def test_hand_made_table() -> None:
    scores = score_triage(HAND_MADE)
    assert rate(scores["answered"]) == Rate(8, 0, 1, 1, 1)
    assert rate(scores["exact"]) == Rate(3, 5, 1, 1, 1)
    assert rate(scores["in_range"]) == Rate(4, 4, 1, 1, 1)
    assert rate(scores["within_one"]) == Rate(6, 2, 1, 1, 1)
    assert rate(scores["under_triage"]) == Rate(3, 5, unscored=3)
    assert rate(scores["severe_under"]) == Rate(1, 7, unscored=3)
    assert rate(scores["over_triage"]) == Rate(1, 7, unscored=3)
    assert rate(scores["emergency_sensitivity"]) == Rate(1, 2, no_answer=1)
    assert rate(scores["emergency_ppv"]) == Rate(2, 1)
    assert rate(scores["emergency_specificity"]) == Rate(3, 1)
    assert rate(scores["high_sensitivity"]) == Rate(4, 1, no_answer=1)
    assert scores["mean_cost"].value == pytest.approx((2 + 10 + 2 + 2) / 8)


def test_a_silent_emergency_is_a_missed_one() -> None:
    missed = score_triage(HAND_MADE)["missed_emergencies"]
    assert rate(missed) == Rate(3, 1)
    assert missed.failures == ("e2", "e3", "e4")


def test_failures_name_the_cases() -> None:
    scores = score_triage(HAND_MADE)
    assert scores["under_triage"].failures == ("e2", "e3", "m1")
    assert scores["severe_under"].failures == ("e3",)
    assert set(scores["exact"].failures) == {"e2", "e3", "h1", "m1", "l1", "e4", "l3"}


def test_confusion_keeps_silence_in_its_own_column() -> None:
    expected = [[1, 0, 0, 1, 1], [1, 0, 0, 0, 0], [0, 0, 1, 1, 0], [1, 0, 1, 1, 1]]
    assert confusion(HAND_MADE).tolist() == expected


def test_accepted_range_is_no_error_in_either_direction() -> None:
    scores = score_triage([answer(HIGH, MEDIUM, MEDIUM), answer(HIGH, LOW, MEDIUM), answer(MEDIUM, HIGH, HIGH)])
    assert rate(scores["in_range"]) == Rate(2, 1)
    assert rate(scores["under_triage"]) == Rate(1, 2)
    assert rate(scores["over_triage"]) == Rate(0, 3)


def test_emergency_where_high_is_accepted_is_not_missed() -> None:
    scores = score_triage([answer(EMERGENCY, HIGH, HIGH)])
    assert rate(scores["missed_emergencies"]) == Rate()
    assert rate(scores["emergency_sensitivity"]) == Rate(0, 1)


def test_kappa_and_f1_agree_with_scikit_learn() -> None:
    random.seed(5)
    gold = [random.choice(LEVELS) for _ in range(120)]
    said = [random.choice([level, random.choice(LEVELS)]) for level in gold]
    scores = score_triage([answer(g, p) for g, p in zip(gold, said, strict=True)])
    ranks = [g.rank for g in gold], [p.rank for p in said]
    assert scores["qwk"].value == pytest.approx(cohen_kappa_score(*ranks, weights="quadratic"))
    assert scores["macro_f1"].value == pytest.approx(f1_score(*ranks, average="macro"))
    for name in ("qwk", "macro_f1"):
        bounds = scores[name].bounds
        assert bounds is not None and bounds.low < (scores[name].value or 0) < bounds.high


def test_kappa_of_a_constant_rater_is_null() -> None:
    scores = score_triage([answer(level, MEDIUM) for level in LEVELS])
    assert scores["qwk"].figure == Estimate(None, None, None, 4)
    assert score_triage([])["qwk"].value is None


def test_silence_lowers_macro_f1() -> None:
    full = [answer(level, level) for level in LEVELS]
    assert score_triage(full)["macro_f1"].value == 1
    silent = [*full[:-1], answer(EMERGENCY, None)]
    assert score_triage(silent)["macro_f1"].value == pytest.approx(0.75)


ANSWERS = st.lists(
    st.builds(
        answer, st.none() | st.sampled_from(LEVELS), st.none() | st.sampled_from(LEVELS), st.sampled_from(LEVELS)
    ),
    max_size=30,
)


@given(ANSWERS)
def test_every_case_is_counted_once(answers: list[Answer]) -> None:
    scores = score_triage(answers)
    labelled = sum(a.gold is not None for a in answers)
    for name in ("answered", "exact", "in_range", "within_one"):
        counted = rate(scores[name])
        assert counted.n == labelled and counted.n + counted.unscored == len(answers)
    low, high, fair = (rate(scores[n]) for n in ("under_triage", "over_triage", "in_range"))
    assert low.right + high.right + fair.right == rate(scores["answered"]).right
    assert rate(scores["severe_under"]).right <= low.right
    assert int(np.sum(confusion(answers))) == labelled


@given(ANSWERS, st.integers(0, 29))
def test_raising_one_answer_never_adds_under_triage(answers: list[Answer], index: int) -> None:
    if index >= len(answers) or answers[index].predicted is None:
        return
    raised = [*answers]
    raised[index] = answers[index]._replace(predicted=EMERGENCY)
    before, after = score_triage(answers), score_triage(raised)
    for name in ("under_triage", "severe_under", "missed_emergencies"):
        assert rate(after[name]).right <= rate(before[name]).right
