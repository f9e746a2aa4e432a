"""Duplicates, conflicts and leaks: what must not be learned twice, both ways, or ahead of the test.

Works on texts with a name; knows nothing about cases, rows or files.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import NamedTuple

NEAR = 0.8
SHINGLE, GRAM = 5, 8
LEAK_SHARE = 0.25
WORD = re.compile(r"[^\W_]+")


class Twin(NamedTuple):
    """A text, the earlier one it repeats, and their Jaccard similarity (1.0: the same words)."""

    name: str
    original: str
    similarity: float


class Leak(NamedTuple):
    """A test text, the training text that gives it away, and the share of its word 8-grams found there."""

    test: str
    training: str
    share: float


def split_words(text: str) -> list[str]:
    """Lower-case words and numbers, nothing else."""
    return WORD.findall(text.lower())


def word_grams(text: str, size: int) -> set[tuple[str, ...]]:
    """All runs of `size` words; a shorter text is one run of what it has."""
    words = split_words(text)
    return {tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))}


def find_twins(texts: Mapping[str, str], threshold: float = NEAR) -> Iterator[Twin]:
    """Every text that repeats an earlier one, in the mapping's order: put first what must stay.

    Exact for Jaccard similarity of word 5-grams: two sets that similar share one of their rarest members, so
    only those are indexed (prefix filtering; Chaudhuri, Ganti and Kaushik 2006).
    """
    grams = {name: word_grams(text, SHINGLE) for name, text in texts.items()}
    frequency = Counter(gram for members in grams.values() for gram in members)
    index: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, members in grams.items():
        rarest = sorted(members, key=lambda gram: (frequency[gram], gram))
        rarest = rarest[: len(members) - ceil(threshold * len(members)) + 1]
        candidates = dict.fromkeys(other for gram in rarest for other in index[gram])
        best = max((_compare(name, other, grams) for other in candidates), key=_similarity, default=None)
        if best is not None and best.similarity >= threshold:
            yield best
            continue
        for gram in rarest:
            index[gram].append(name)


def _compare(name: str, other: str, grams: Mapping[str, set[tuple[str, ...]]]) -> Twin:
    shared = len(grams[name] & grams[other])
    return Twin(name, other, shared / (len(grams[name]) + len(grams[other]) - shared))


def _similarity(twin: Twin) -> float:
    return twin.similarity


def find_conflicts(labelled: Iterable[tuple[str, str, str]]) -> dict[str, list[str]]:
    """Names whose text also carries another label: {name: [names it contradicts]}, both ways."""
    groups: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for name, text, label in labelled:
        groups[tuple(split_words(text))].append((name, label))
    return {
        name: others
        for group in groups.values()
        for name, label in group
        if (others := [other for other, theirs in group if theirs != label])
    }


def find_leaks(
    tests: Mapping[str, str], training: Iterable[tuple[str, str]], share: float = LEAK_SHARE
) -> Iterator[Leak]:
    """Every training text that holds at least `share` of a test text's word 8-grams.

    A text of fewer than eight words ("abdominal pain") says nothing about a patient and cannot leak; single
    shared runs are common speech. Only the test's runs are indexed, so training may be as long as a library.
    """
    grams = {name: word_grams(text, GRAM) for name, text in tests.items() if len(split_words(text)) >= GRAM}
    holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, members in grams.items():
        for gram in members:
            holders[gram].append(name)
    for source, text in training:
        for name, count in _count_shared(text, holders).items():
            if count >= share * len(grams[name]):
                yield Leak(name, source, count / len(grams[name]))


def _count_shared(text: str, holders: Mapping[tuple[str, ...], list[str]]) -> Counter[str]:
    words = split_words(text)
    runs = {tuple(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1)}
    return Counter(name for run in runs if run in holders for name in holders[run])
