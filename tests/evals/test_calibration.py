"""Confidence against references computed elsewhere, and abstention that never lowers a case."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from prescreen.clinic.acuity import Acuity
from prescreen.evals.calibration import (
    Agreement,
    Point,
    agree,
    brier,
    calibration_error,
    decide,
    find_bins,
    find_threshold,
    risk_coverage,
    score_confidence,
    tabulate,
)

LEVELS = st.lists(st.one_of(st.none(), st.sampled_from(list(Acuity))), min_size=1, max_size=7)
POINTS = st.lists(
    st.builds(Point, st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), st.booleans()), min_size=1, max_size=60
)
LOW, MEDIUM, HIGH, EMERGENCY = Acuity


def test_agreement_counts_silence_and_breaks_ties_upwards() -> None:
    assert agree([HIGH, HIGH, LOW, None, None]) == Agreement(HIGH, 0.4)
    assert agree([LOW, EMERGENCY]) == Agreement(EMERGENCY, 0.5)
    assert agree([None, None]) == Agreement(None, 0.0)


@given(levels=LEVELS, rules=st.one_of(st.none(), st.sampled_from([HIGH, EMERGENCY])), sure=st.floats(0, 1.01))
def test_abstention_never_lowers_a_case(levels: list[Acuity | None], rules: Acuity | None, sure: float) -> None:
    served, abstained = decide(levels, rules, sure)
    agreed = agree(levels).level
    assert all(served >= each for each in (agreed, rules) if each is not None)
    if abstained:
        assert all(served >= level for level in levels if level is not None) and served >= HIGH
        kept, _ = decide(levels, rules, 0.0) if agreed is not None else (served, True)
        assert served >= kept


def test_one_emergency_among_calm_wordings_goes_to_the_nurse_as_one() -> None:
    assert decide([LOW, LOW, LOW, LOW, EMERGENCY], None, 1.0) == (EMERGENCY, True)
    assert decide([LOW, LOW, LOW, LOW, EMERGENCY], None, 0.8) == (LOW, False)


def test_threshold_keeps_at_least_the_share_asked() -> None:
    confidences = [1.0] * 5 + [0.8] * 3 + [0.6] * 2
    assert find_threshold(confidences) == 0.8 and find_threshold(confidences, 0.81) == 0.6
    assert find_threshold([]) == 0.0


@given(points=POINTS)
def test_brier_agrees_with_scikit_learn(points: list[Point]) -> None:
    values, table = tabulate(points)
    wanted = brier_score_loss([p.right for p in points], [p.confidence for p in points])
    assert brier(values, table) == pytest.approx(wanted, abs=1e-12)


def test_bins_agree_with_scikit_learn_where_nothing_ties() -> None:
    rng = np.random.default_rng(4)
    confidences = rng.random(200)
    right = rng.random(200) < confidences**2
    values, table = tabulate([Point(float(c), bool(r)) for c, r in zip(confidences, right, strict=True)])
    bins = find_bins(values, table)
    accuracy, confidence = calibration_curve(right, confidences, n_bins=10, strategy="quantile")
    assert [each.accuracy for each in bins] == pytest.approx(accuracy[::-1].tolist())
    assert [each.confidence for each in bins] == pytest.approx(confidence[::-1].tolist())
    assert calibration_error(bins) == pytest.approx(np.abs(accuracy - confidence).mean())


@given(points=POINTS)
def test_bins_keep_the_whole_and_ties_have_no_order(points: list[Point]) -> None:
    values, table = tabulate(points)
    bins = find_bins(values, table)
    assert np.mean([each.accuracy for each in bins]) == pytest.approx(np.mean([p.right for p in points]))
    assert np.mean([each.confidence for each in bins]) == pytest.approx(np.mean([p.confidence for p in points]))
    assert tabulate(points[::-1])[1].tolist() == table.tolist()
    assert risk_coverage(table)[-1] == pytest.approx(np.mean([not p.right for p in points]))


def test_risk_coverage_by_hand() -> None:
    _, table = tabulate(
        [Point(1.0, True), Point(1.0, True), Point(0.6, False), Point(0.6, True), Point(0.4, False)]
    )
    risks = risk_coverage(table)
    assert risks.tolist() == pytest.approx([0, 0, 0.5 / 3, 1 / 4, 2 / 5])
    figures = score_confidence([Point(1.0, True)] * 8 + [Point(0.2, False)] * 2, 0)
    assert figures["accuracy_at_80"].value == 1.0
    assert figures["aurc"].value == pytest.approx((1 / 9 + 2 / 10) / 10)
    assert figures["ece"].value == pytest.approx(0.04) and figures["brier"].value == pytest.approx(0.008)
    assert figures["ece"].figure.n == 10


def test_too_sure_and_too_shy_do_not_cancel() -> None:
    points = [Point(1.0, True)] * 5 + [Point(1.0, False)] * 5 + [Point(0.4, True)] * 9 + [Point(0.4, False)]
    assert score_confidence(points, 0)["ece"].value == pytest.approx(0.5)


def test_confidence_that_ranks_backwards_is_worse_than_none() -> None:
    honest = [Point(1.0, True)] * 10 + [Point(0.4, False)] * 10
    backwards = [Point(1.0, False)] * 10 + [Point(0.4, True)] * 10
    blind = [Point(0.8, True)] * 10 + [Point(0.8, False)] * 10
    aurc = [score_confidence(points, 0)["aurc"].value for points in (honest, blind, backwards)]
    assert aurc == sorted(aurc) and len(set(aurc)) == 3


def test_no_case_is_no_figure() -> None:
    assert {measure.value for measure in score_confidence([], 0).values()} == {None}
