"""The plain classifier of levels: logistic regression on the words of a case and its numbers.

A comparator for the evaluation and a second opinion on labels for the data. Knows cases; fits nothing by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prescreen.clinic.case import Case, Vitals

NUMBERS = ("heart_rate", "respiratory_rate", "systolic", "diastolic", "temperature", "spo2", "pain")


def make_classifier(seed: int = 0) -> Any:
    """TF-IDF of words and pairs of words, plus numbers with "not measured" as a feature; not fitted."""
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
    return make_pipeline(features, LogisticRegression(max_iter=1000, random_state=seed))


def tabulate(cases: Sequence[Case]) -> Any:
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
