"""Names by the words around them: a sum of weights over what stands before and after one word.

`context.json` beside this file holds the weights, fitted to the project's own sentences. The word itself weighs
only by its letter case, its ending and the lists it is on, so that `summer` and `stone` are judged by their
neighbours. Knows no patient.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import fsum
from pathlib import Path
from typing import Final, NamedTuple

from prescreen.records.deid.dates import MONTHS
from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.spans import Span
from prescreen.records.deid.terms import is_spanish
from prescreen.records.deid.vocabulary import is_eponym, speaks_spanish
from prescreen.records.deid.wordlists import is_dictionary, is_medical, is_safe, load_lists
from prescreen.records.deid.words import Word, is_careful, is_shouting, list_words

TABLE: Final = Path(__file__).with_name("context.json")
EDGE: Final = "^"
RARE: Final = 0.75  # by how much more a word must be like a name when the census has it rarely; twice: not at all
SOFT: Final = 1.0  # by how much more in lower case where the writer minds capitals
SURER: Final = 2.0  # a word so far above the least is looked for in the whole text, so far below it
REACH: Final = 3  # tokens looked at to each side
_TOKEN: Final = re.compile(r"\d+|\n|[^\w\s]")
_VOWEL: Final = re.compile(r"[aeiouy]")
_VERBAL: Final = re.compile(r"(?:ed|ing|ly|tion|ness)$")


class Table(NamedTuple):
    """The weights by feature, a constant, and the sum from which a word is a name."""

    constant: float
    least: float
    features: Mapping[str, float]
    version: str


@cache
def load_table(path: Path = TABLE) -> Table:
    """Read the table."""
    read = json.loads(path.read_text(encoding="utf-8"))
    return Table(read["constant"], read["least"], read["features"], read["version"])


class Tokens(NamedTuple):
    """Words, numbers and signs of a text in order, and where among them each word stands."""

    lows: list[str]
    classes: list[str]
    at: list[int]
    careful: bool  # the writer minds capitals


def list_tokens(text: str, words: Sequence[Word]) -> Tokens:
    """The text as tokens with an edge at both ends; every number is #."""
    lows, classes, at = [EDGE] * REACH, [EDGE] * REACH, []
    end = 0
    for word in words:
        for sign in _TOKEN.findall(text[end : word.start]):
            lows.append("#" if sign[0].isdigit() else sign)
            classes.append("sign")
        at.append(len(lows))
        lows.append(word.low)
        classes.append(classify(word.low))
        end = word.end
    tail = ["#" if sign[0].isdigit() else sign for sign in _TOKEN.findall(text[end:])]
    return Tokens([*lows, *tail, *[EDGE] * REACH], [*classes, *["sign"] * len(tail), *[EDGE] * REACH], at,
                  is_careful(words))  # fmt: skip


@cache
def _classes() -> Mapping[str, str]:
    lists = load_lists()
    return {word: "kept" for word in lists.kept} | {word: "title" for word in lists.titles}


def classify(low: str) -> str:
    """Which lists a folded word is on."""
    if (found := _classes().get(low)) is not None:
        return found
    named = low in load_lists().names
    return "safe" if is_safe(low) and not named else "both" if is_safe(low) else "name" if named else "strange"


@cache
def classify_own(low: str) -> str:
    """The same for the word that is weighed: how rare a name it is, how usual in clinical text."""
    lists, gathered = load_lists(), gather_words()
    often = "often " if low in gathered.often else ""
    if low in lists.given:
        return f"{often}given"
    return often + (
        "census"
        if low in lists.names or low in gathered.usual_names
        else "rare"
        if low in gathered.census
        else classify(low)
    )


def list_candidates(text: str, words: Sequence[Word]) -> list[int]:
    """Numbers of the words that could be names."""
    lists, gathered = load_lists(), gather_words()
    shouting, spanish = is_shouting(text), speaks_spanish(words)
    return [
        number
        for number, word in enumerate(words)
        if len(word.low) > 2
        and word.low not in lists.kept
        and word.low not in lists.titles
        and (word.low not in gathered.often or (word.low in gathered.census and word.low not in gathered.usual))
        and "'" not in word.low
        and "/" not in (text[word.start - 1 : word.start], text[word.end : word.end + 1])
        and (word.case != "shout" or shouting)
        and word.low not in MONTHS
        and not is_medical(word.low)
        and word.low not in gathered.authored
        and _VOWEL.search(word.low)
        and not (word.first and is_dictionary(word.low))  # a heading
        and not (spanish and word.low not in gathered.census and is_spanish(word.low))
        and not is_eponym(words, number, text)
    ]


def list_features(number: int, words: Sequence[Word], tokens: Tokens, shouting: bool) -> Iterator[str]:
    """What weighs for or against one word."""
    word, at, lists = words[number], tokens.at[number], load_lists()
    case = "shout" if shouting else word.case + ("1" if word.first else "")
    case = "soft" if case == "lower" and tokens.careful else case
    own = classify_own(word.low)
    yield f"own {own} {case}"
    yield f"own {own}"
    yield f"list {word.low in lists.function_names}"
    yield f"tail {'verbal' if _VERBAL.search(word.low) else 's' if word.low.endswith('s') else ''}"
    lows, classes = tokens.lows, tokens.classes
    for step in (-3, -2, -1, 1, 2, 3):
        yield f"{step} {lows[at + step]}"
        yield f"{step} c {classes[at + step]}"
    for step in (-1, 1):
        yield f"{step} {lows[at + step]} {case}"
        yield f"{step} c {classes[at + step]} {case} {own}"
    yield f"-+ {lows[at - 1]} {lows[at + 1]}"
    yield f"-c {lows[at - 1]} {classes[at + 1]}"
    yield f"c+ {classes[at - 1]} {lows[at + 1]}"
    yield f"-- {lows[at - 2]} {lows[at - 1]}"
    yield f"++ {lows[at + 1]} {lows[at + 2]}"
    yield f"--c {classes[at - 2]} {lows[at - 1]}"
    yield f"++c {lows[at + 1]} {classes[at + 2]}"


def weigh(features: Iterable[str], table: Table) -> float:
    """The sum; 0 is as likely a name as not among the sentences the table was fitted to."""
    known = table.features
    return table.constant + fsum(known[name] for name in features if name in known)


class ContextDetector:
    """A detector that reads nothing but the neighbours of each word."""

    def __init__(self, table: Table | None = None) -> None:
        self.table = table or load_table()
        self.name = f"context {self.table.version}"

    def find(self, text: str) -> list[Span]:
        """Every word whose neighbours say that it is a name."""
        words = list_words(text)
        tokens, shouting, least = list_tokens(text, words), is_shouting(text), self.table.least
        sums = {
            n: weigh(list_features(n, words, tokens, shouting), self.table) for n in list_candidates(text, words)
        }
        sure = {words[n].low for n, total in sums.items() if total >= least + SURER}
        found = {n for n, total in sums.items() if total >= self._least(words[n], sure, tokens.careful)}
        for number in found:
            tokens.classes[tokens.at[number]] = "name"
        beside = {n for number in found for n in range(number - REACH, number + REACH + 1)} - found
        for number in beside & sums.keys():  # a word found is a name to its neighbours
            total = weigh(list_features(number, words, tokens, shouting), self.table)
            if total >= self._least(words[number], sure, tokens.careful):
                found.add(number)
        return [Span(words[n].start, words[n].end, "name", "detector") for n in sorted(found)]

    def _least(self, word: Word, sure: set[str], careful: bool) -> float:
        """What a word's sum must reach: more when no census knows it, less when it is sure elsewhere."""
        own = classify_own(word.low)
        rare = RARE * (own.endswith("rare") + 2 * own.endswith("safe"))
        soft = SOFT * (careful and word.case == "lower")
        return self.table.least + rare + soft - SURER * (word.low in sure)
