"""Clinical words, common words and frequent names, gathered from this package and from installed ones.

Clinical: every word the package's own clinical text writes in lower case. Common: of the o200k vocabulary the words
it holds in lower case before it holds them capitalised, as far as they or their stems are English by Webster's
second edition of 1934 (public domain, the web2 list of `english-words`). Names: the United States census of 1990
(public domain, as `names` ships it). Without these packages nothing is de-identified.
"""

import re
from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from prescreen.config import read_yaml
from prescreen.errors import GuardError
from prescreen.model.tokenizer import read_ranks
from prescreen.records.deid.spans import fold
from prescreen.records.deid.terms import Terms, gather_terms, is_english
from prescreen.run import PACKAGE

VOICES = ("belly_infection", "frail_medicines", "head_nerves", "heart_lungs", "mind_injury", "women_children")
TEXTS = (  # named where a folder holds other text too: what is said to software is no clinical word
    # Of the voices those the lists were measured with: every further author makes more names ordinary words.
    *("clinic/acuity.yaml", "clinic/areas.yaml", "clinic/redflags.yaml"),
    *(f"data/voices/{topic}.yaml" for topic in VOICES),
    *("data/knowledge/*.yaml", "evals/bank/*.yaml"),
)
FUNCTION = frozenset(
    ["and", "del", "des", "du", "for", "from", "las", "los", "the", "with", "without"]
)  # no part of a pair of words
FREQUENT = 12_000  # surnames that count as names without any cue
USUAL = 60
OFTEN = 10  # seen so often in clinical text, a rare census name is that word: hand, head, colon


def count_words() -> Counter[str]:
    """Words of the package's own clinical text, as written there."""
    text = "\n".join(file.read_text() for pattern in TEXTS for file in sorted(PACKAGE.glob(pattern)))
    return Counter(re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text))


def list_common(english: frozenset[str]) -> set[str]:
    """English words whose lower-case token comes before the capitalised one: the merge order follows frequency."""
    ranks = read_ranks()
    common = set()
    for token, rank in ranks.items():
        word = token.decode(errors="replace")
        capital = f" {word[1:].capitalize()}".encode()
        if (
            re.fullmatch(r" [a-z]{3,}", word)
            and rank < ranks.get(capital, len(ranks))
            and is_english(word[1:], english)
        ):
            common.add(word[1:])
    return common


def read_census(name: str, most: int | None = None) -> list[str]:
    """The most frequent names, or all, of one census list, as the package `names` ships it."""
    text = files("names").joinpath(name).read_text(encoding="utf-8")
    return [line.split()[0].lower() for line in text.splitlines()[:most]]


def read_authored(*sections: str) -> frozenset[str]:
    """Words of our own table that name nobody: those of some sections, else of all but the eponyms'."""
    table: dict[str, str] = read_yaml(Path(__file__).with_name("clinical_words.yaml"))
    wanted = sections or [name for name in table if not name.startswith("eponyms")]
    return frozenset(word for name in wanted for word in table[name].split() if len(word) > 2)


class Gathered(NamedTuple):
    """The lists, folded."""

    clinical: frozenset[str]
    common: frozenset[str]
    names: frozenset[str]
    usual_names: frozenset[str]  # the frequent names, frequent in clinical text or not
    census: frozenset[str]  # every name of the census, frequent in clinical text or not
    often: frozenset[str]  # words so frequent in clinical text that alone they name nobody
    english: frozenset[str]  # every dictionary word
    usual: frozenset[str]  # of those the most frequent: names only where their letter case says so
    given: frozenset[str]  # the most frequent first names
    authored: frozenset[str]  # of clinical_words.yaml, as far as no census knows them
    terms: Terms  # words and phrases of diseases and drugs, English words no census knows


@cache
def gather_words() -> Gathered:
    """Read and count; GuardError where a package is missing, so that nothing passes for want of a list."""
    try:
        from english_words import get_english_words_set

        english = frozenset(word for word in get_english_words_set(["web2"]) if word.islower())
        firsts = [read_census(f"dist.{sex}.first") for sex in ("female", "male")]
        last = read_census("dist.all.last")
    except ModuleNotFoundError as error:
        raise GuardError(f"de-identification needs the package {error.name}; install prescreen[records]") from None
    counts = count_words()
    own = {word for word in counts if word.islower()}
    often = {word for word in own if counts[word] >= OFTEN}
    known = {name for names in firsts for name in names[:300]}
    names = {
        name
        for name in (*firsts[0], *firsts[1], *last[:FREQUENT])
        if len(name) > 2 and (name not in often or name in known)
    }
    written = read_authored()
    clinical = frozenset(fold(word) for word in own) | written
    common = frozenset(fold(word) for word in list_common(english)) - clinical
    frequent = frozenset((*firsts[0], *firsts[1], *last[:FREQUENT]))
    census = frozenset((*firsts[0], *firsts[1], *last))
    spoken = frozenset(fold(word) for word in often)
    most = frozenset(fold(word) for word in own if counts[word] >= USUAL)
    terms = gather_terms(census, english, FUNCTION)
    given = frozenset(known)
    return Gathered(
        clinical, common, frozenset(names), frequent, census, spoken, english, most, given, written - census, terms
    )
