"""Comparators: learned from training cases only, the same each time, behind the same rules."""

from collections.abc import Callable

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Vitals
from prescreen.evals.baselines import ENOUGH, choose_examples, predict_baselines, predict_logistic
from prescreen.evals.triage import score_triage

MakeCase = Callable[..., Case]


def test_all_comparators_answer_every_case(mixed_cases: list[Case], make_case: MakeCase) -> None:
    train = [*mixed_cases[:30], make_case(90, Acuity.LOW)]
    predictions = predict_baselines(mixed_cases[30:], train)
    assert list(predictions) == ["majority", "rules", "logistic"]
    assert {p.alone for p in predictions["majority"]} == {Acuity.LOW}
    assert all(p.served is not None for rows in predictions.values() for p in rows)


def test_logistic_regression_learns_words_and_is_repeatable(mixed_cases: list[Case]) -> None:
    train, test = mixed_cases[:28], mixed_cases[28:]
    first, second = predict_baselines(test, train)["logistic"], predict_baselines(test, train)["logistic"]
    assert first == second
    assert score_triage([p.answer("alone") for p in first])["exact"].value == 1


def test_logistic_regression_learns_from_vitals(make_case: MakeCase) -> None:
    cases = []
    for n in range(40):
        vitals = Vitals(heart_rate=70 + n % 3, spo2=99) if n % 2 else Vitals(heart_rate=120 + n % 3)
        level = Acuity.LOW if n % 2 else Acuity.HIGH
        cases.append(make_case(n, level, complaint="feels odd", vitals=vitals))
    predictions = predict_logistic(cases[30:], choose_examples(cases[30:], cases[:30]))
    assert predictions == [case.label.acuity for case in cases[30:] if case.label]


def test_a_suites_own_source_is_preferred_when_large_enough(make_case: MakeCase) -> None:
    own = [make_case(n, source="clinic") for n in range(ENOUGH)]
    other = [make_case(100 + n) for n in range(5)]
    tested = [make_case(999, source="clinic")]
    assert {e.case.source for e in choose_examples(tested, [*own, *other])} == {"clinic"}
    assert {e.case.source for e in choose_examples(tested, [*own[1:], *other])} == {"clinic", "test"}


def test_a_test_case_among_the_training_cases_is_refused(mixed_cases: list[Case]) -> None:
    with pytest.raises(AssertionError, match="among the training cases"):
        predict_baselines(mixed_cases[:3], mixed_cases)


def test_without_training_cases_only_the_rules_compare(mixed_cases: list[Case]) -> None:
    assert list(predict_baselines(mixed_cases, [])) == ["rules"]


def test_suites_share_what_was_fitted_to_the_same_cases(mixed_cases):
    fitted = {}
    alone = predict_baselines(mixed_cases[30:], mixed_cases[:30])
    shared = [predict_baselines(mixed_cases[30:], mixed_cases[:30], fitted=fitted) for _ in range(2)]
    assert shared == [alone, alone] and len(fitted) == 1
    other = predict_baselines(mixed_cases[30:], mixed_cases[:20], fitted=fitted)
    assert len(fitted) == 2 and other == predict_baselines(mixed_cases[30:], mixed_cases[:20])
