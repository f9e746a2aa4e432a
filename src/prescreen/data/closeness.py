"""How close test cases come to what is learned, in words too few or too changed for runs of words to show it.

Cosine of character n-grams. What is close is learned from training cases of different patients, none of which leaks
into another: test cases are closer than those are only if something leaks. Warns; removes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, NamedTuple

import numpy as np

from prescreen.data.split import hash_share

QUANTILE: Final = 0.99  # of training cases that are less close to the closest of another patient
MOST: Final = 1_000  # training cases the threshold is learned from
FITTED: Final = 20_000  # texts the weights of n-grams are learned from
BLOCK: Final = 4_000  # training texts compared at a time: memory does not grow with their number
NAMED: Final = 5


class Near(NamedTuple):
    """A test text and the training text that is closest to it; similarity 0 where there is none."""

    test: str
    training: str
    similarity: float


class Told(NamedTuple):
    """A text, its name and whose words it is."""

    name: str
    patient: str
    text: str


class Closeness(NamedTuple):
    """The closest training text of every test text, and from what similarity on that is suspicious."""

    nearest: list[Near]
    threshold: float

    @property
    def close(self) -> list[Near]:
        """Above the threshold, closest first."""
        above = (near for near in self.nearest if near.similarity > self.threshold)
        return sorted(above, key=lambda near: (-near.similarity, near.test))

    @property
    def expected(self) -> float:
        """So many would be above it if nothing leaked."""
        return (1 - QUANTILE) * len(self.nearest)

    def __str__(self) -> str:
        named = ", ".join(f"{near.test} and {near.training} ({near.similarity:.2f})" for near in self.close[:NAMED])
        count = f"{len(self.close)} of {len(self.nearest)}, {self.expected:.1f} expected by chance"
        return f"{count}, above {self.threshold:.2f}" + (f"; look at {named}" if named else "")


def measure_closeness(suites: Mapping[str, Sequence[Told]], training: Sequence[Told]) -> dict[str, Closeness]:
    """Of each suite, every text's closest training text of another patient. All suites are one pass over training.

    Left out is a suite without words; all of them are where training has nothing to compare.
    """
    told = {suite: [one for one in tests if one.text.strip()] for suite, tests in suites.items()}
    tests = list(chain.from_iterable(told.values()))
    training = [one for one in training if one.text.strip()]
    sample = sorted(training, key=lambda one: hash_share("closeness", one.name))[:FITTED]
    if not tests or len({one.patient for one in sample}) < 2:
        return {}
    known = sample[:MOST]
    vectors = _fit([one.text for one in (*sample, *tests)])
    nearest = find_nearest([*known, *tests], training, vectors)
    threshold = round(float(np.quantile([near.similarity for near in nearest[: len(known)]], QUANTILE)), 6)
    rest = iter(nearest[len(known) :])
    return {suite: Closeness(list(islice(rest, len(some))), threshold) for suite, some in told.items() if some}


def find_nearest(tests: Sequence[Told], training: Iterable[Told], vectors: Any) -> list[Near]:
    """The closest of other patients' training texts, the first of equals."""
    asked = vectors.transform([told.text for told in tests])
    best = np.full(len(tests), 0.0)
    names = [""] * len(tests)
    own: Mapping[str, list[int]] = _group(tests)
    for block in _blocks(training):
        scores = (asked @ vectors.transform([told.text for told in block]).T).toarray()
        for column, told in enumerate(block):
            for row in own.get(told.patient, ()):
                scores[row, column] = -1
        columns = scores.argmax(axis=1)
        tops = scores[np.arange(len(tests)), columns].round(6)
        for row in np.flatnonzero(tops > best).tolist():
            best[row], names[row] = tops[row], block[columns[row]].name
    return [Near(told.name, name, float(score)) for told, name, score in zip(tests, names, best, strict=True)]


def _group(tests: Sequence[Told]) -> dict[str, list[int]]:
    own: dict[str, list[int]] = {}
    for row, told in enumerate(tests):
        own.setdefault(told.patient, []).append(row)
    return own


def _blocks(training: Iterable[Told]) -> Iterator[list[Told]]:
    stream = iter(training)
    while block := list(islice(stream, BLOCK)):
        yield block


def _fit(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, max_features=200_000, dtype=np.float32
    )
    return vectors.fit(texts)
