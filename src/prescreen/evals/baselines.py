"""Comparators that need no language model: always the commonest level, the rules, and logistic regression.

They learn from the same training cases as the model and emit the same predictions. A suite whose own source
has enough training cases gets comparators fitted on those alone, so that the bar is as high as it can be.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Vitals
from prescreen.evals.prediction import Prediction, record_level, record_rules
from prescreen.evals.triage import LEVELS

ENOUGH = 50  # training cases of a suite's own source that make a comparator of its own worthwhile
NUMBERS = ("heart_rate", "respiratory_rate", "systolic", "diastolic", "temperature", "spo2", "pain")


class Labelled(NamedTuple):
    """A training case's features and its level."""

    case: Case
    level: Acuity


def predict_baselines(
    cases: Sequence[Case], train: Sequence[Case], *, seed: int = 0
) -> dict[str, list[Prediction]]:
    """Predictions of every comparator; those that learn are left out when there is nothing to learn from."""
    rules = [record_rules(case) for case in cases]
    examples = choose_examples(cases, train)
    if not examples:
        return {"rules": rules}
    floors = [row.rules for row in rules]
    majority = Counter(example.level for example in examples).most_common(1)[0][0]
    return {
        "majority": [record_level(case, majority, floor) for case, floor in zip(cases, floors, strict=True)],
        "rules": rules,
        "logistic": [
            record_level(case, level, floor)
            for case, level, floor in zip(cases, predict_logistic(cases, examples, seed=seed), floors, strict=True)
        ],
    }


def choose_examples(cases: Sequence[Case], train: Sequence[Case]) -> list[Labelled]:
    """Labelled training cases: those of the suite's own sources where there are enough, else all."""
    examples = [Labelled(case, case.label.acuity) for case in train if case.label is not None]
    tested = {case.id for case in cases}
    assert not any(example.case.id in tested for example in examples), "a test case is among the training cases"
    sources = {case.source for case in cases}
    own = [example for example in examples if example.case.source in sources]
    return own if len(own) >= ENOUGH else examples


def predict_logistic(cases: Sequence[Case], examples: Sequence[Labelled], *, seed: int = 0) -> list[Acuity]:
    """TF-IDF of words and pairs of words, plus vitals with "not measured" as a feature of its own."""
    if len({example.level for example in examples}) < 2:
        return [examples[0].level] * len(cases)
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=20_000)
    features = ColumnTransformer([("words", words, 0), ("numbers", numbers, slice(1, None))])
    model = make_pipeline(features, LogisticRegression(max_iter=1000, random_state=seed))
    model.fit(_table([e.case for e in examples]), [e.level.rank for e in examples])
    return [LEVELS[int(rank)] for rank in model.predict(_table(cases))]


def _table(cases: Sequence[Case]) -> Any:
    """One row a case: all text first, then numbers, NaN where unknown."""
    import numpy as np

    rows = np.empty((len(cases), 2 + len(NUMBERS) + 1), dtype=object)
    for row, case in zip(rows, cases, strict=True):
        row[:] = [_text(case), *_numbers(case.age_years, case.vitals)]
    return rows


def _text(case: Case) -> str:
    listed = [item for part in (case.conditions, case.medications, case.allergies) for item in part or ()]
    return "\n".join([case.text, *listed, case.sex or "", "pregnant" if case.pregnant else ""]).strip() or "nothing"


def _numbers(age_years: float | None, vitals: Vitals) -> list[float]:
    values: Mapping[str, Any] = vitals.measured
    alert = values.get("consciousness")
    known = [
        age_years,
        *(values.get(name) for name in NUMBERS),
        None if alert is None else float(alert == "alert"),
    ]
    return [float("nan") if value is None else float(value) for value in known]
