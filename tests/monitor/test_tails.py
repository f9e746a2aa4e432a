"""The chances are exact where they say so, and go the right way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from prescreen.clinic.rates import Rate
from prescreen.monitor.roughness import roughness
from prescreen.monitor.tails import (
    find_limits,
    jensen_shannon,
    mix_chance,
    pull_chance,
    rank_chance,
    shift_beyond_chance,
    tail_above,
    tail_below,
)
from prescreen.monitor.week import Mix, Share, Times

COUNTS = st.integers(0, 60)


@given(x=COUNTS, more=COUNTS, k=COUNTS, others=COUNTS)
def test_the_predictive_tail_is_fishers_exact_test(x: int, more: int, k: int, others: int) -> None:
    n, size = x + more, k + others
    if n and size:
        fisher = stats.fisher_exact([[x, n - x], [k, size - k]], alternative="greater").pvalue
        assert tail_above(x, n, k, size) == pytest.approx(fisher, abs=1e-9)
        less = stats.fisher_exact([[x, n - x], [k, size - k]], alternative="less").pvalue
        assert tail_below(x, n, k, size) == pytest.approx(less, abs=1e-9)


def test_a_steady_share_is_called_rare_no_oftener_than_allowed() -> None:
    """Over all references and all weeks, not only for one lucky reference."""
    for share, n, size in ((0.02, 40, 160), (0.12, 40, 480), (0.8, 150, 600)):
        weeks, references = np.arange(n + 1), np.arange(size + 1)
        p_week, p_reference = stats.binom.pmf(weeks, n, share), stats.binom.pmf(references, size, share)
        likely = references[p_reference > 1e-9]
        for allowed in (0.05, 0.005):
            rare = sum(
                p_reference[k] * sum(p_week[x] for x in weeks if tail_above(int(x), n, int(k), size) < allowed)
                for k in likely
            )
            assert rare <= allowed


def test_nothing_counted_says_nothing() -> None:
    assert tail_above(0, 0, 0, 0) == tail_above(3, 5, 0, 0) == tail_above(0, 5, 3, 9) == 1.0
    assert tail_above(5, 5, 9, 9) == 1.0 and tail_above(6, 5, 1, 9) == 0.0
    assert rank_chance([], [1.0]) == (1.0, 1.0) and rank_chance([2.0] * 9, [2.0] * 9) == (1.0, 1.0)
    assert mix_chance({}, {"a": 3}, 1) == mix_chance({"a": 3}, {"a": 30}, 1) == 1.0
    assert shift_beyond_chance({}, {"a": 3}) == jensen_shannon({}, {"a": 3}) == 0.0


@given(n=st.integers(1, 80), k=st.integers(0, 200), others=st.integers(0, 200))
def test_limits_are_where_the_alarm_begins(n: int, k: int, others: int) -> None:
    size = k + others
    if not size:
        return
    low, high = find_limits(n, k, size, 0.01)
    for x in range(n + 1):
        assert (tail_above(x, n, k, size) < 0.01) == (high is not None and x > round(high * n))
        assert (tail_below(x, n, k, size) < 0.01) == (low is not None and x < round(low * n))


def test_smaller_weeks_and_younger_references_have_wider_limits() -> None:
    wide = [find_limits(n, k, size, 0.005).high for n, k, size in ((150, 48, 400), (40, 48, 400), (40, 6, 50))]
    assert all(limit is not None for limit in wide)
    assert wide == sorted(wide, key=lambda limit: limit or 0.0)


def test_ranks_agree_with_the_textbook() -> None:
    dice = np.random.default_rng(3)
    week, reference = dice.lognormal(4.0, 0.6, 40).round(), dice.lognormal(4.3, 0.6, 300).round()
    low, high = rank_chance(week.tolist(), reference.tolist())
    for chance, side in ((low, "less"), (high, "greater")):
        textbook = stats.mannwhitneyu(week, reference, alternative=side, method="asymptotic").pvalue
        assert chance == pytest.approx(textbook, rel=1e-6)
    assert low < 0.05 < high


def test_a_mix_moves_by_its_groups_and_not_by_its_size() -> None:
    before = {"a": 200, "b": 200, "c": 80}
    same, other = {"a": 17, "b": 16, "c": 7}, {"a": 4, "b": 16, "c": 20}
    assert mix_chance(same, before, 1) > 0.05 and mix_chance(other, before, 1) < 0.001
    assert shift_beyond_chance(same, before) < 0.1 < 0.25 < shift_beyond_chance(other, before)
    assert jensen_shannon(same, before) < 0.01 < jensen_shannon(other, before)
    assert jensen_shannon({"a": 5}, {"b": 5}) == pytest.approx(1.0)
    assert mix_chance(other, before, 1) == mix_chance(other, before, 1), "the same week is judged the same"


def test_shuffled_mixes_are_called_rare_no_oftener_than_allowed() -> None:
    dice = np.random.default_rng(5)
    shares = np.array([0.3, 0.25, 0.2, 0.1, 0.05, 0.04, 0.03, 0.02, 0.01])
    rare = 0
    for seed in range(600):
        week, before = (dict(enumerate(dice.multinomial(n, shares).tolist())) for n in (40, 300))
        told = [{str(group): count for group, count in counts.items()} for counts in (week, before)]
        rare += mix_chance(told[0], told[1], seed) < 0.02
    assert rare <= stats.binom.ppf(0.999, 600, 0.02)


def test_the_pull_of_a_draft_needs_both_kinds_of_reading() -> None:
    assert pull_chance(Rate(right=150, wrong=10), Rate(right=8, wrong=12), 0.1) < 0.001
    assert pull_chance(Rate(right=150, wrong=10), Rate(right=18, wrong=2), 0.1) > 0.2
    assert pull_chance(Rate(right=150, wrong=10), Rate(), 0.1) == 1.0


def shares(*rights: int, n: int = 40) -> list[Share]:
    return [Share(Rate(right=right, wrong=n - right)) for right in rights]


def test_weeks_that_vary_more_than_a_coin_widen_the_limits() -> None:
    assert roughness(shares(5, 6, 5, 4, 6, 5, 4, 6)) == 1.0
    assert roughness(shares(0, 14, 1, 12, 0, 13, 2, 11)) > 3.0
    assert roughness([]) == roughness(shares(0, 0, 0, 0, n=9)) == 1.0
    assert roughness([Mix({"a": 20, "b": 20})] * 5) == 1.0
    assert roughness([Mix({"a": 30, "b": 10}), Mix({"a": 10, "b": 30})] * 3) > 3.0
    assert roughness([Times((20.0, 30.0, 40.0))] * 5) == 1.0
    assert roughness([Times(tuple(range(10, 30))), Times(tuple(range(40, 60)))] * 3) > 3.0
    calm, wild = rank_chance([1.0] * 9, [2.0, 3.0] * 9), rank_chance([1.0] * 9, [2.0, 3.0] * 9, 4.0)
    assert calm[0] < wild[0] < 0.5


def test_a_coin_pays_little_for_the_doubt() -> None:
    dice = np.random.default_rng(9)
    factors = [roughness(shares(*dice.binomial(40, 0.12, 12).tolist())) for _ in range(300)]
    assert 1.0 < float(np.mean(factors)) < 1.4
