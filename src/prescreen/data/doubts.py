"""Labels that are probably wrong: near-repeats levelled far apart, and labels that unseen classifiers contradict.

A doubt is a question for a clinician, never a reason to remove or to relabel a case. Knows labelled cases.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label
from prescreen.clinic.classifier import make_classifier, tabulate
from prescreen.data.near import find_near
from prescreen.data.quality import GRAM, NEAR, split_words
from prescreen.data.split import hash_share

FOLDS: Final = 5
MOST: Final = 50_000  # cases a classifier learns from; more change its doubts little and take minutes
LEVELS: Final = tuple(Acuity)


class Contradiction(NamedTuple):
    """Two cases that say nearly the same, levelled `apart` levels apart."""

    low: str
    high: str
    apart: int
    num_words: int  # fewer than eight say little of a patient: a record or vitals may well explain the levels


class Doubt(NamedTuple):
    """How far a classifier that never saw the patient leans from the label to another level; least is worst."""

    case_id: str
    given: Acuity
    likelier: Acuity
    margin: float

    @property
    def confident(self) -> bool:
        """The other level is, and the label is not, as probable as usual for cases that carry it."""
        return self.margin < 0


def find_contradictions(
    cases: Sequence[Case], apart: int = 2, threshold: float = NEAR, *, folder: str | None = None
) -> Iterator[Contradiction]:
    """Pairs of cases whose patients say (nearly) the same with levels at least `apart` levels apart.

    Each case is paired with the one of its group that is furthest away, so that a group of thousands gives
    thousands of pairs and not their square.
    """
    labelled = {case.id: case for case in cases if case.label is not None and case.spoken}
    groups: dict[str, list[str]] = {}
    for twin in find_near(((case.id, case.spoken) for case in labelled.values()), threshold, folder=folder):
        groups.setdefault(twin.original, [twin.original]).append(twin.name)
    for members in groups.values():
        ranked = {name: _label(labelled[name]).acuity.rank for name in members}
        lowest, highest = min(members, key=ranked.__getitem__), max(members, key=ranked.__getitem__)
        pairs = dict.fromkeys(
            pair
            for name in members
            for pair in ((lowest, name), (name, highest))
            if ranked[pair[1]] - ranked[pair[0]] >= apart
        )
        for low, high in pairs:
            num_words = min(len(split_words(labelled[name].spoken)) for name in (low, high))
            yield Contradiction(low, high, ranked[high] - ranked[low], num_words)


def count_contradictions(found: Sequence[Contradiction]) -> dict[str, int]:
    """Two lines for the data card."""
    short = sum(pair.num_words < GRAM for pair in found)
    return {
        "pairs of nearly the same words two or more levels apart": len(found) - short,
        f"the same, of fewer than {GRAM} words: the record may explain the levels": short,
    }


def rank_doubts(cases: Sequence[Case], *, seed: int = 0) -> list[Doubt]:
    """Labelled cases, the most doubtful first; empty where there is too little to learn from.

    Confident learning (Northcutt, Jiang and Chuang 2021): out-of-fold probabilities, folds by patient, each level's
    probability less its mean among cases that carry it, so that a rare level is not doubted for being rare.
    """
    labelled = [case for case in cases if case.label is not None]
    folds = np.array([int(FOLDS * hash_share(f"doubts {seed}", case.patient_id)) for case in labelled])
    given = np.array([_label(case).acuity.rank for case in labelled])
    if len(labelled) < FOLDS * len(LEVELS) or len(set(folds)) < FOLDS or len(set(given)) < 2:
        return []
    table = tabulate(labelled)
    order = np.argsort([hash_share(f"learn {seed}", case.id) for case in labelled])
    chances = np.zeros((len(labelled), len(LEVELS)))
    for fold in range(FOLDS):
        learned = order[folds[order] != fold][:MOST]
        if len(set(given[learned])) < 2:
            return []
        model = make_classifier(seed).fit(table[learned], given[learned])
        asked = np.flatnonzero(folds == fold)
        chances[np.ix_(asked, model.classes_)] = model.predict_proba(table[asked])
    usual = [chances[given == rank, rank].mean() if (given == rank).any() else 1.0 for rank in range(len(LEVELS))]
    above = chances - np.array(usual)
    doubts = [_doubt(case, row) for case, row in zip(labelled, above, strict=True)]
    return sorted((doubt for doubt in doubts if doubt), key=lambda doubt: (doubt.margin, doubt.case_id))


def _doubt(case: Case, above: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Doubt | None:
    """None where every level is accepted: nothing can contradict such a label."""
    label = _label(case)
    accepted = {level.rank for level in (*label.accepted, label.acuity)}
    others = [level.rank for level in LEVELS if level.rank not in accepted]
    if not others:
        return None
    likelier = max(others, key=above.__getitem__)
    margin = max(above[rank] for rank in accepted) - above[likelier]
    return Doubt(case.id, label.acuity, LEVELS[likelier], round(float(margin), 6))


def _label(case: Case) -> Label:
    assert case.label is not None, "asked of labelled cases only"
    return case.label
