"""The safe-vocabulary filter: a word that names nobody is on a list; any other is suspected.

Letter case, sentence starts, doses, eponyms in clinical sense and typing errors are weighed. Knows no patient and
no cue; cues.py does.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from prescreen.records.deid.eponyms import DOSE, is_eponym
from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.spans import fold
from prescreen.records.deid.terms import is_english, is_spanish
from prescreen.records.deid.wordlists import is_dictionary, is_safe, is_typing_error, load_lists
from prescreen.records.deid.words import Word, is_careful, is_shouting, list_words

__all__ = ["Word", "is_eponym", "list_words", "speaks_spanish", "suspect_words"]

_VERB: Final = re.compile(r"\s+(?:is|has|was|says|said|had|thinks|told|gives|gave|rang|reports|states|attended)\b")
_BEFORE_VERB: Final = frozenset({"will", "grace", "rose", "may", "joy", "mark", "grant", "penny", "faith"})
_INTO: Final = re.compile(r"\b(?:in|from|near|en)\s+$")
_BEFORE: Final = re.compile(r"\b(?:in|from|to|near|at|en|mr|mrs|ms|dr)\s+$")
_PREFIX: Final = frozenset(
    ["bad", "el", "los", "las", "san", "santa", "saint", "st", "von", "van", "des", "le", "du", "al"]
)


_VOWEL: Final = re.compile(r"[aeiouy]|^ng$")
_ABBREVIATION: Final = re.compile(r"[a-z][A-Z]{2}")  # MenACWY, never a name


class Manner(NamedTuple):
    """How a text is written."""

    shouting: bool  # mostly capitals
    careful: bool  # sentences open with a capital
    spanish: bool


def speaks_spanish(words: Sequence[Word]) -> bool:
    """Whether Spanish function words stand in the text, at least half as many as English ones."""
    lists = load_lists()
    spanish = sum(word.low in lists.spanish for word in words)
    return spanish > 2 and 2 * spanish >= sum(
        word.low in lists.stops and word.low not in lists.spanish for word in words
    )


def suspect_words(text: str, words: Sequence[Word]) -> set[int]:
    """Numbers of the words that may name somebody or some place."""
    manner = Manner(is_shouting(text), is_careful(words), speaks_spanish(words))
    found = {n for n, w in enumerate(words) if _suspect(n, words, text, manner)}
    return _extend(found, words, text)


def _suspect(number: int, words: Sequence[Word], text: str, manner: Manner) -> bool:
    lists, word, shouting = load_lists(), words[number], manner.shouting
    low, size = word.low, len(word.low)
    if size < 2 or low in lists.kept or low in lists.titles or is_eponym(words, number, text):
        return False
    if _ABBREVIATION.search(text[word.start : word.end]) or (size < 6 and not _VOWEL.search(low)):
        return False
    named, safe = low in lists.names, is_safe(low)
    safe |= manner.spanish and not named and is_spanish(low)
    before = fold(text[max(0, word.start - 8) : word.start])
    if word.case == "shout" and not shouting and size <= 4 and not (named and not safe):
        return False
    if word.case == "lower" or (word.case == "shout" and shouting):
        if safe:
            verb = _VERB.match(fold(text[word.end : word.end + 12]))
            return named and low in _BEFORE_VERB and verb is not None  # `will is`: no verb stands there
        if size < 4:
            return named and not safe
        if (not named and is_dictionary(low)) or (
            manner.careful and word.case == "lower" and is_english(low, gather_words().english)
        ):
            return False
        return not (DOSE.match(text[word.end :]) and not named) and not is_typing_error(low)
    if word.case == "shout":
        return not safe
    if word.first:
        if safe:
            return named and bool(_VERB.match(fold(text[word.end : word.end + 12])))
        if not named and is_dictionary(low) and is_english(low, gather_words().english):
            return False
        return size > 2 and not (size > 5 and is_typing_error(low))
    if safe and not named:
        beside = [words[n].case for n in (number - 1, number + 1) if 0 <= n < len(words)]
        titled = "capital" in beside or number < 2  # a heading in title case
        known = low in lists.clinical
        return not titled and (not known or bool(_INTO.search(before)))
    return not (DOSE.match(text[word.end :]) and not named)


_JOIN: Final = frozenset(
    [
        "de",
        "la",
        "del",
        "van",
        "von",
        "der",
        "al",
        "el",
        "of",
        "bin",
        "y",
        "las",
        "los",
        "le",
        "du",
        "des",
        "da",
        "di",
        "san",
        "st",
        "bad",
    ]
)


def _extend(found: set[int], words: Sequence[Word], text: str) -> set[int]:
    """Take in what stands beside a suspected word and may be more of the same name."""
    lists = load_lists()
    for _ in range(2):
        for number, word in enumerate(words):
            if number in found or word.low in lists.titles:
                continue
            for step in (-1, 1):
                other = number + step
                if other not in found or not 0 <= other < len(words):
                    continue
                left, right = (words[other], word) if step < 0 else (word, words[other])
                gap = text[left.end : right.start]
                if gap not in (" ", "-", ", ", ". ", "' ") or is_eponym(words, number, text):
                    continue
                beyond = number - step
                joins = gap == " " and word.low in _JOIN and (beyond in found or words[other].case == word.case)
                capital = word.case == "capital" and not word.first and gap in (" ", "-") and (
                    word.low not in lists.kept)  # fmt: skip
                initial = (
                    len(word.low) == 1
                    and word.case != "lower"
                    and gap in (" ", ". ")
                    and (word.low not in lists.kept and text[word.end : word.end + 1] in " .")
                )
                usual = not is_safe(word.low) or word.low in lists.given
                named = word.low in lists.names and gap in (" ", "-") and (word.case != "lower" or usual)
                joins |= (
                    gap == " "
                    and step == 1
                    and word.low in _PREFIX
                    and bool(_BEFORE.search(fold(text[max(0, word.start - 6) : word.start])))
                )
                if (
                    (joins and (beyond in found or word.case != "lower" or word.low in _PREFIX))
                    or capital
                    or initial
                    or named
                ):
                    found.add(number)
    return found
