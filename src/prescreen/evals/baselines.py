"""Comparators that need no language model: always the commonest level, the rules, and logistic regression.

They learn from the same training cases as the model and emit the same predictions. A suite whose own source
has enough training cases gets comparators fitted on those alone, so that the bar is as high as it can be.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.classifier import make_classifier, tabulate
from prescreen.evals.prediction import Prediction, record_level, record_rules
from prescreen.evals.triage import LEVELS

ENOUGH = 50  # training cases of a suite's own source that make a comparator of its own worthwhile
Fitted = dict[frozenset[str], Any]  # classifiers, by the ids of the cases they learned from


class Labelled(NamedTuple):
    """A training case's features and its level."""

    case: Case
    level: Acuity


def predict_baselines(
    cases: Sequence[Case], train: Sequence[Case], *, seed: int = 0, fitted: Fitted | None = None
) -> dict[str, list[Prediction]]:
    """Predictions of every comparator; those that learn are left out when there is nothing to learn from.

    Suites that share `fitted` share what was fitted to the same cases.
    """
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
            for case, level, floor in zip(
                cases, predict_logistic(cases, examples, seed=seed, fitted=fitted), floors, strict=True
            )
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


def predict_logistic(
    cases: Sequence[Case], examples: Sequence[Labelled], *, seed: int = 0, fitted: Fitted | None = None
) -> list[Acuity]:
    """TF-IDF of words and pairs of words, plus vitals with "not measured" as a feature of its own."""
    if len({example.level for example in examples}) < 2:
        return [examples[0].level] * len(cases)
    fitted = {} if fitted is None else fitted
    learned_from = frozenset(example.case.id for example in examples)
    if learned_from not in fitted:
        fitted[learned_from] = make_classifier(seed)
        fitted[learned_from].fit(tabulate([e.case for e in examples]), [e.level.rank for e in examples])
    return [LEVELS[int(rank)] for rank in fitted[learned_from].predict(tabulate(cases))]
