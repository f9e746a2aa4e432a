"""Words weighed together: what no single rule says, a sum of weights over one utterance may.

`weighed.json` beside this file holds weights for words, pairs of neighbours, the rule table's terms, a child's
age and the record's terms, fitted by `prescreen.data.weighing` to cases written by hand. A table like any other: it
can be read, and the words that weigh most stand in the evidence. Each utterance is weighed by itself, so that words
said elsewhere change nothing. Denied words weigh nothing: a denial of one thing must not speak against another.
Knows no rule; what a sum means is `redflags`'.
"""

import json
import re
from collections.abc import Collection, Mapping
from functools import cache, cached_property
from itertools import pairwise
from math import fsum
from pathlib import Path
from typing import NamedTuple

from prescreen.clinic.case import Case
from prescreen.clinic.negation import clean_text, is_negated
from prescreen.clinic.words import Words

TABLE = Path(__file__).with_name("weighed.json")
SHOWN = 5  # words named in an explanation
HARMLESS = -3.0  # a sum from here down: one in fifty of the voices is an emergency, over all two in five are
LONGEST = 125  # words of an utterance that may read as harmless; no voice is longer, and small weights add up
_WORD = re.compile(r"[a-z0-9']+")
DENIALS = frozenset(
    [
        "no",
        "not",
        "nil",
        "never",
        "without",
        "denies",
        "denied",
        "deny",
        "denying",
        "neither",
        "nor",
        "none",
        "negative",
    ]
)
_ENDINGS = ("ing", "edly", "ed", "ly", "es", "s")
# A person's sex is no symptom either: such words are read as one.
_PERSONS = {
    word: one
    for one, words in {
        "they": "he she", "them": "him her", "their": "his hers", "parent": "mum dad mam mom mother father",
        "spouse": "wife husband", "child": "son daughter boy girl lad lass", "person": "man woman",
        "sibling": "brother sister", "elder": "gran grandad nan grandma grandpa grandmother grandfather",
    }.items()
    for word in words.split()
}  # fmt: skip
_AGES = (0.3, 2, 5, 16)  # years; where a group of children ends. Adults are one: an age is no symptom
Groups = Mapping[str, frozenset[int]]


class Weights(NamedTuple):
    """The table: a constant, and a weight for each feature by its name."""

    constant: float
    features: Mapping[str, float]

    def weigh(self, found: Collection[str]) -> float:
        """The sum over what an utterance holds; 0 is as likely an emergency as not, 1 about three in four."""
        return self.constant + fsum(self.features.get(name, 0.0) for name in found)

    def explain(self, found: Collection[str]) -> str:
        """The words that speak most for an emergency."""
        known = sorted((-self.features.get(name, 0.0), name) for name in found)
        return ", ".join(name.partition(" ")[2] for weight, name in known[:SHOWN] if weight < 0)


@cache
def load_weights(path: Path = TABLE) -> Weights:
    """Read the table."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return Weights(table["constant"], table["features"])


class Weighing:
    """One case on the scales. Only utterances of the contact itself are weighed, not its history."""

    def __init__(self, case: Case, words: Words, terms: Groups, weights: Weights | None = None) -> None:
        self.weights = weights or load_weights()
        self._words = words
        spans = {name: words.find(group) for name, group in terms.items()}
        self._places = {(name, span.utterance) for name, found in spans.items() for span in found}
        self._person = _list_person(case)
        self._record = {f"record {name}" for name in terms if words.find_record(terms[name])}
        self._unsaid = self._record - {f"record {name}" for name in terms if spans[name]}

    def features(self, number: int) -> set[str]:
        """What the utterance of that number holds."""
        told = {f"term {name}" for name, where in self._places if where == number}
        return self._person | self._unsaid | _list_words(self._words.utterances[number].read) | told

    @cached_property
    def by_utterance(self) -> dict[int, set[str]]:
        """The features of each utterance of the contact, by its number."""
        utterances = enumerate(self._words.utterances)
        return {number: self.features(number) for number, utterance in utterances if not utterance.history}

    def is_harmless(self, number: int) -> bool:
        """Whether the utterance of that number speaks clearly against an emergency, whatever is said elsewhere.

        All that the record names weighs, said or not, so that another utterance can only take harmlessness away.
        Never harmless: the history, and what is longer than any voice.
        """
        held, told = self.by_utterance.get(number), self._words.utterances[number]
        if held is None or len(told.read.split()) > LONGEST:
            return False
        return self.weights.weigh(held | self._record) <= HARMLESS

    def heaviest(self) -> tuple[float, str]:
        """The largest sum of an utterance, and the words that speak most for an emergency there."""
        found = [(self.weights.weigh(held), held) for held in self.by_utterance.values()]
        total, held = max(found, key=lambda pair: pair[0], default=(float("-inf"), set()))
        return total, self.weights.explain(held)


def _list_person(case: Case) -> set[str]:
    found = {"pregnant"} if case.pregnant else set()
    if case.age_years is not None:
        found.add(f"age {next((str(end) for end in _AGES if case.age_years < end), 'adult')}")
    return found


def _list_words(text: str) -> frozenset[str]:
    """Words by their stems, and neighbours within a clause, of what is not denied."""
    found: set[str] = set()
    for clause in clean_text(text).split("\n"):
        stems = ["" if _is_denied(clause, match) else stem_word(match.group()) for match in _WORD.finditer(clause)]
        found.update(f"word {stem}" for stem in stems if stem)
        found.update(f"pair {one} {other}" for one, other in pairwise(stems) if one and other)
    return frozenset(found)


def _is_denied(clause: str, match: re.Match[str]) -> bool:
    return match.group() in DENIALS or is_negated(clause, *match.span())


def stem_word(word: str) -> str:
    """A crude stem: without possessives, apostrophes and one common ending; every number is #."""
    word = word.removesuffix("'s").replace("'", "")
    word = _PERSONS.get(word, word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word.removesuffix(ending)
            break
    return "#" if word.isdigit() else word
