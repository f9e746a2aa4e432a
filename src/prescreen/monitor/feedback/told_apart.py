"""Whether chosen and rejected answers can be told apart by anything but what they say: length, copying, words.

A bag-of-words classifier without the words of levels, folds by patient: where it tells the sides apart, a template
or a habit of writing would be learned instead of a judgement. Knows pairs.
"""

import difflib
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from prescreen.clinic.acuity import Acuity
from prescreen.data.records import Pair

FOLDS: Final = 5
RESAMPLES: Final = 500
FEWEST: Final = 20  # pairs below which nothing can be said
_LEVELS: Final = re.compile(rf"\b(?:{'|'.join(level.value for level in Acuity)})\b", re.I)


class Area(NamedTuple):
    """Area under the curve of a classifier that tells the sides apart, with a bootstrap interval by pair."""

    value: float | None
    low: float | None
    high: float | None
    pairs: int


def measure_area(pairs: Sequence[Pair], seed: int = 0) -> Area:
    """0.5: nobody can tell; 1: the wording alone gives the chosen one away."""
    if len(pairs) < FEWEST or len({pair.patient_id for pair in pairs}) < FOLDS:
        return Area(None, None, None, len(pairs))
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    texts = [_bare(side) for pair in pairs for side in (pair.chosen, pair.rejected)]
    groups = [pair.patient_id for pair in pairs for _ in range(2)]
    sides = np.array([1, 0] * len(pairs))
    model = make_pipeline(CountVectorizer(binary=True), LogisticRegression(C=0.3, max_iter=500, random_state=seed))
    folds = GroupKFold(FOLDS).split(texts, groups=groups)
    scores = cross_val_predict(model, texts, sides, cv=list(folds), method="predict_proba")[:, 1]
    drawn = np.random.default_rng(seed).integers(len(pairs), size=(RESAMPLES, len(pairs)))
    areas = []
    for chosen in drawn:
        rows = np.concatenate((2 * chosen, 2 * chosen + 1))
        areas.append(roc_auc_score(sides[rows], scores[rows]))
    low, high = np.quantile(areas, (0.025, 0.975))
    whole = roc_auc_score(sides, scores)
    return Area(round(float(whole), 3), round(float(low), 3), round(float(high), 3), len(pairs))


def measure_copied(pairs: Sequence[Pair]) -> float | None:
    """Mean share of the chosen answer's words that stand in the rejected one in the same order."""
    shares = []
    for pair in pairs:
        chosen, rejected = (_bare(side).split() for side in (pair.chosen, pair.rejected))
        same = difflib.SequenceMatcher(None, rejected, chosen, autojunk=False).get_matching_blocks()
        shares.append(sum(block.size for block in same) / max(1, len(chosen)))
    return round(float(np.mean(shares)), 3) if shares else None


def _bare(side: Sequence[Any]) -> str:
    """An answer's words without those of levels; the trace ends in a level and is left out as well."""
    return _LEVELS.sub(" ", " ".join(str(message["content"]) for message in side))
