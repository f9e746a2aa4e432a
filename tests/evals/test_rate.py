"""Counts, intervals and paired comparisons against figures worked out elsewhere."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from prescreen.evals.rate import (
    Measure,
    Rate,
    bootstrap,
    bootstrap_difference,
    cases_needed,
    compare_paired,
    correct_holm,
)

COUNTS = st.integers(0, 400)


def test_printed_form_keeps_unscored_apart() -> None:
    assert str(Rate(right=57, wrong=1, no_answer=1, unscored=1)) == "57/59 = 96.6 % [88.3, 99.6], 1 unscored"


def test_errors_stay_in_the_denominator() -> None:
    rate = Rate(right=8, errored=2)
    assert rate.n == 10 and rate.value == 0.8
    assert str(rate).endswith(", 2 errored")


def test_nothing_counted_is_no_number() -> None:
    rate = Rate(unscored=3)
    assert rate.value is None and rate.interval() == (0, 1)
    assert str(rate) == "0/0, no cases, 3 unscored"


@pytest.mark.parametrize(
    ("right", "wrong", "low", "high"),
    [
        (0, 10, 0.0, 0.30849710),
        (10, 0, 0.69150290, 1.0),
        (5, 5, 0.18708603, 0.81291397),
        (1, 99, 0.00025314, 0.05445939),
    ],
)
def test_exact_interval_known_values(right: int, wrong: int, low: float, high: float) -> None:
    assert Rate(right, wrong).interval() == pytest.approx((low, high), abs=1e-7)


@pytest.mark.parametrize(
    ("right", "wrong", "low", "high"),
    [(5, 5, 0.2365931, 0.7634069), (0, 10, 0.0, 0.2775328), (81, 182, 0.25529, 0.36621)],
)
def test_wilson_interval_known_values(right: int, wrong: int, low: float, high: float) -> None:
    assert Rate(right, wrong).wilson() == pytest.approx((low, high), abs=5e-6)


@pytest.mark.parametrize(
    ("misses", "cases", "upper"), [(0, 59, 0.0495), (0, 149, 0.0199), (0, 299, 0.00997), (3, 200, 0.0383)]
)
def test_one_sided_bounds_of_the_sample_size_table(misses: int, cases: int, upper: float) -> None:
    assert Rate(misses, cases - misses).upper() == pytest.approx(upper, abs=1e-4)
    assert Rate(cases - misses, misses).lower() == pytest.approx(1 - upper, abs=1e-4)


@given(right=COUNTS, wrong=COUNTS, silent=COUNTS)
def test_intervals_agree_with_scipy_and_hold_the_estimate(right: int, wrong: int, silent: int) -> None:
    rate = Rate(right, wrong, no_answer=silent)
    if not rate.n:
        return
    test = binomtest(right, rate.n)
    for mine, method in ((rate.interval(), "exact"), (rate.wilson(), "wilson")):
        theirs = test.proportion_ci(method=method)
        assert mine == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        assert mine.low - 1e-12 <= (rate.value or 0) <= mine.high + 1e-12


@given(right=COUNTS, wrong=st.integers(1, 400))
def test_one_more_hit_never_lowers_a_bound(right: int, wrong: int) -> None:
    before, after = Rate(right, wrong), Rate(right + 1, wrong - 1)
    assert after.lower() >= before.lower() and after.upper() >= before.upper()


@given(wrong=st.integers(0, 300), right=st.integers(0, 5))
def test_more_confidence_never_narrows(right: int, wrong: int) -> None:
    if right + wrong:
        rate = Rate(right, wrong)
        assert rate.upper(0.99) >= rate.upper(0.95) and rate.lower(0.99) <= rate.lower(0.95)


@given(limit=st.floats(0.005, 0.5), misses=st.integers(0, 6))
def test_cases_needed_is_the_fewest(limit: float, misses: int) -> None:
    n = cases_needed(limit, misses)
    assert Rate(misses, n - misses).upper() <= limit + 1e-12
    assert n == misses + 1 or Rate(misses, n - 1 - misses).upper() > limit - 1e-12


def test_zero_misses_rule() -> None:
    assert [cases_needed(limit) for limit in (0.05, 0.02, 0.01)] == [59, 149, 299]


def test_measure_survives_json() -> None:
    measure = Measure(Rate(3, 1, 2, 1, 1), ("a", "b"))
    assert Measure.from_json(measure.to_json()) == measure


def test_mcnemar_known_value() -> None:
    first = [True] * 8 + [False] * 2 + [True] * 5
    second = [False] * 8 + [True] * 2 + [True] * 5
    paired = compare_paired(first, second)
    assert (paired.only_first, paired.only_second) == (8, 2)
    assert paired.p_value == pytest.approx(0.109375)
    assert compare_paired(first, first).p_value == 1.0


def _share(tables: np.ndarray) -> np.ndarray:
    return tables[:, 0] / tables.sum(axis=1)


def test_bootstrap_of_a_share_is_near_its_exact_interval_and_seeded() -> None:
    estimate = bootstrap([80, 20], _share, seed=3)
    assert estimate == bootstrap([80, 20], _share, seed=3)
    low, high = Rate(80, 20).interval()
    assert estimate.value == 0.8 and estimate.n == 100
    assert estimate.low == pytest.approx(low, abs=0.02) and estimate.high == pytest.approx(high, abs=0.02)


def test_bootstrap_of_nothing_or_undefined_is_null() -> None:
    assert bootstrap([0, 0], _share).value is None
    undefined = bootstrap([3, 4], lambda t: np.full(len(t), math.nan))
    assert undefined.value is None and undefined.n == 7


def test_paired_bootstrap_of_equal_systems_is_zero() -> None:
    gold, answers = [0, 1, 1, 0, 1], [0, 1, 0, 0, 1]

    def accuracy(tables: np.ndarray) -> np.ndarray:
        return np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))

    assert bootstrap_difference(gold, answers, answers, 2, accuracy)[:3] == (0, 0, 0)
    assert bootstrap_difference([], [], [], 2, accuracy).value is None, "one of both never answered"
    better = bootstrap_difference(gold, gold, answers, 2, accuracy)
    assert better.value == pytest.approx(0.2)


@pytest.mark.parametrize("n", [10, 59, 149, 300])
def test_one_sided_bounds_hold_the_truth_at_least_as_often_as_they_say(n: int) -> None:
    """Every possible count, weighted by how likely it is: no draw of luck in the check."""
    bounds = [(Rate(k, n - k).lower(), Rate(k, n - k).upper()) for k in range(n + 1)]
    for truth in (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.99):
        chances = binom.pmf(range(n + 1), n, truth)
        below = sum(chance for chance, (low, _) in zip(chances, bounds, strict=True) if low <= truth)
        above = sum(chance for chance, (_, high) in zip(chances, bounds, strict=True) if high >= truth)
        assert below >= 0.95 - 1e-9 and above >= 0.95 - 1e-9


def test_drawn_samples_agree_with_the_counted_coverage() -> None:
    draws = np.random.default_rng(1).binomial(149, 0.02, size=4_000)
    bounds = {k: Rate(k, 149 - k).upper() for k in set(draws.tolist())}
    assert np.mean([bounds[k] >= 0.02 for k in draws.tolist()]) >= 0.94


def test_holm_known_values() -> None:
    assert correct_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert correct_holm([]) == [] and correct_holm([0.2]) == [0.2]


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    """By brute force: a test's corrected p is the worst over all sets of tests that it belongs to."""
    places = range(len(p_values))
    sets = [each for size in places for each in combinations(places, size + 1)]
    closed = [
        max(min(1.0, len(each) * min(p_values[j] for j in each)) for each in sets if i in each) for i in places
    ]
    assert correct_holm(p_values) == pytest.approx(closed)


@given(lost=st.integers(0, 60), won=st.integers(0, 60))
def test_mcnemar_agrees_with_the_binomial_test(lost: int, won: int) -> None:
    paired = compare_paired([True] * won + [False] * lost, [False] * won + [True] * lost)
    wanted = binomtest(won, won + lost).pvalue if won + lost else 1.0
    tails = 2 * min(binom.cdf(min(won, lost), won + lost, 0.5), 0.5) if won + lost else 1.0
    assert paired.p_value == pytest.approx(wanted) == pytest.approx(min(1.0, tails))


def test_no_shared_answer_is_no_difference_and_no_crash() -> None:
    """A model whose every draft is unreadable shares no answered case with another."""
    assert bootstrap_difference([], [], [], 2, lambda t: t[:, 0, 0]) == (None, None, None, 0)
