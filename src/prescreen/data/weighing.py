"""Fits `clinic/weighed.json` to the voices: `python -m prescreen.data.weighing` (or `make words`).

Logistic regression of emergency against the rest over what `clinic.weighed` lists. Features seen once are left out,
as are small weights; what stands in the record may only weigh for an emergency. Prints what the table and the rules
find in conditions they were not fitted on, fold by fold of the conditions, before it writes.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.redflags import RuleTable, load_rules
from prescreen.clinic.weighed import TABLE, Weighing, Weights
from prescreen.clinic.words import Words
from prescreen.data.voices import read_voices
from prescreen.run import write_atomic

STRENGTH = 1.0  # inverse of the penalty on squared weights
SEEN, LEAST = 2, 0.1  # cases a feature must occur in; weights below are dropped
FOLDS = 6


class Example(NamedTuple):
    """A case's features, whether it is an emergency, and its condition."""

    features: frozenset[str]
    emergency: bool
    condition: str


def read_examples(cases: Sequence[Case], table: RuleTable | None = None) -> list[Example]:
    """What each labelled case says in all its utterances together."""
    table = table or load_rules()
    examples = []
    for case in cases:
        assert case.label is not None
        found = Weighing(case, Words(case, table.lexicon), table.terms).by_utterance.values()
        emergency = case.label.acuity is Acuity.EMERGENCY
        examples.append(Example(frozenset().union(*found), emergency, case.label.condition or case.id))
    return examples


def fit_weights(examples: Sequence[Example]) -> Weights:
    """The table; the same examples give the same weights."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    counts = Counter(name for example in examples for name in example.features)
    known = {name for name, count in counts.items() if count >= SEEN}
    vectors = DictVectorizer()
    rows = vectors.fit_transform([dict.fromkeys(sorted(e.features & known), 1.0) for e in examples])
    model = LogisticRegression(C=STRENGTH, max_iter=3000).fit(rows, [e.emergency for e in examples])
    named = zip(vectors.get_feature_names_out(), model.coef_[0], strict=True)
    features = {
        str(name): round(float(weight), 2)
        for name, weight in named
        if abs(weight) >= LEAST and not (name.startswith("record ") and weight < 0)
    }
    return Weights(round(float(model.intercept_[0]), 2), dict(sorted(features.items())))


def weigh_unseen(examples: Sequence[Example]) -> list[float]:
    """Each example's sum by a table fitted without its condition."""
    from sklearn.model_selection import GroupKFold

    found = [0.0] * len(examples)
    conditions = [example.condition for example in examples]
    for known, unseen in GroupKFold(FOLDS).split(examples, groups=conditions):
        weights = fit_weights([examples[i] for i in known])
        for i in unseen:
            found[i] = weights.weigh(examples[i].features)
    return found


def write_weights(weights: Weights, cases: int, path: Path = TABLE) -> None:
    """One feature a line, so that a change can be read."""
    about: dict[str, Any] = {"fitted_to": f"{cases} voices", "constant": weights.constant}
    write_atomic(path, json.dumps({**about, "features": weights.features}, indent=0, ensure_ascii=False) + "\n")


def main() -> None:
    """Fit, print what unseen conditions give, write."""
    cases = read_voices()
    examples = read_examples(cases)
    sums = weigh_unseen(examples)
    for name, wanted in (("emergencies", True), ("others", False)):
        chosen = [total for total, example in zip(sums, examples, strict=True) if example.emergency is wanted]
        shares = ", ".join(f"{sum(t >= at for t in chosen)} at {at:g}" for at in (-4, -2, 0, 0.5, 1, 1.5, 2))
        print(f"{name}: {len(chosen)}; sums of at least: {shares}")
    weights = fit_weights(examples)
    write_weights(weights, len(cases))
    print(f"{len(weights.features)} features in {TABLE}")


if __name__ == "__main__":
    main()
