"""Cells are counted once, the rare weigh more but never without bound, and what cannot be measured is named."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label
from prescreen.clinic.rates import Rate
from prescreen.data.imbalance import (
    UNKNOWN,
    Cell,
    cases_for_points,
    describe_balance,
    name_unmeasurable,
    plan_balance,
    render_balance,
)


def make(level: Acuity | None, age: float | None = 30, sex: str | None = "female", language: str = "en") -> Case:
    label = Label(acuity=level, accepted=(level,), origin="x") if level else None
    about = {"id": "a", "patient_id": "a", "source": "x", "licence": "clinic", "complaint": "x"}
    return Case(**about, label=label, age_years=age, sex=sex, language=language)


cases = st.builds(
    make,
    st.sampled_from([*Acuity, None]),
    st.none() | st.floats(0, 120),
    st.sampled_from(["female", "male", "other", None]),
    st.sampled_from(["en", "de"]),
)


@given(st.lists(cases, max_size=60), st.floats(1, 10))
def test_weights_are_capped_one_on_the_average_and_larger_for_the_rarer(some, cap):
    plan = plan_balance(some, cap)
    labelled = sum(case.label is not None for case in some)
    assert sum(plan.counts.values()) == labelled
    assert sum(plan.weights[cell] * count for cell, count in plan.counts.items()) == pytest.approx(labelled)
    assert not plan.counts or max(plan.weights.values()) <= cap * min(plan.weights.values()) * (1 + 1e-9)
    known = [cell for cell in plan.counts if cell.known]
    for one in known:
        for other in known:
            if plan.counts[one] < plan.counts[other]:
                assert plan.weights[one] >= plan.weights[other] * (1 - 1e-9)
    assert not set(plan.empty) & set(plan.counts)


def test_a_rare_cell_weighs_by_the_root_of_its_rarity_and_an_unknown_one_as_the_commonest():
    some = [make(Acuity.LOW)] * 90 + [make(Acuity.HIGH)] * 10 + [make(Acuity.HIGH, age=None)]
    weights = plan_balance(some).weights
    common, rare = weights[Cell("low", "16-39", "female", "en")], weights[Cell("high", "16-39", "female", "en")]
    assert rare / common == pytest.approx(3)
    assert weights[Cell("high", UNKNOWN, "female", "en")] == common


def test_the_number_needed_gives_ten_points_to_either_side_whatever_the_rate_and_one_fewer_does_not():
    n = cases_for_points()
    assert all(
        max(right / n - low, high - right / n) <= 0.1
        for right in range(n + 1)
        for low, high in [Rate(right, n - right).interval()]
    )
    assert any(
        max(right / (n - 1) - low, high - right / (n - 1)) > 0.1
        for right in range(n)
        for low, high in [Rate(right, n - 1 - right).interval()]
    )
    assert n == 106


def test_groups_too_small_to_measure_are_named_with_what_they_have():
    some = [make(Acuity.LOW)] * 106 + [make(Acuity.HIGH, age=70, sex="male", language="de")] * 105
    named = name_unmeasurable(some)
    assert named["acuity high"] == named["language de"] == named["sex male"] == named["age 65-79"] == 105
    assert named["acuity emergency"] == named["age under 1"] == 0
    assert not {"acuity low", "sex female", "language en", "age 16-39"} & named.keys()


def test_the_card_shows_counts_weights_and_what_is_missing():
    some = [make(Acuity.LOW)] * 90 + [make(Acuity.HIGH)] * 10
    text = "\n".join(render_balance(describe_balance(some, {"clinic": some[:5], "large": []})))
    assert "| en | 16-39 | female | 90 × 0.83 | 0 | 10 × 2.50 | 0 |" in text
    assert "Fewer than 50 to learn from: 1 cells: high, 16-39, female, en." in text
    assert "Nobody at all: 54 cells" in text  # 4 levels, 7 bands, 2 sexes, less the two above
    assert "- clinic: acuity low (5), " in text
    assert Counter(describe_balance([], {})["train"]) == Counter(cells=[], empty=0, few=[], to_learn=50, cap=4.0)
