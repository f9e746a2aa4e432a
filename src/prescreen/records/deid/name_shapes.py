"""Names told by their shape alone: `da Silva Prado`, `Min-jun`, `Purewal_Simran_65.pdf`, `Lake Forest`.

Led by a particle, of two Korean syllables, in the name of a file; towns of two words. Knows no patient.
"""

import re
from collections.abc import Sequence
from typing import Final

from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.name_words import read_words
from prescreen.records.deid.spans import Span, fold
from prescreen.records.deid.vocabulary import speaks_spanish
from prescreen.records.deid.wordlists import is_dictionary, is_safe, load_lists
from prescreen.records.deid.words import Word

_LED: Final = re.compile(
    r"(?<![\w'’-])(?P<led>(?:da|de las?|de los|del|de|di|du|dos|della|van ['’]t|van de[nr]?|von(?: der)?|zu)\s)"
    r"(?P<name>[^\W\d_]{3,}(?:[- ][A-Z\u00c0-\u017f][^\W\d_]{2,})*)",
    re.I,
)
_NEITHER: Final = read_words("no_name_behind")
_HYPHEN: Final = re.compile(r"(?<![\w-])(?P<a>[a-z]{2,6})-(?P<b>[a-z]{2,6})(?![\w-])")
_FILE: Final = re.compile(r"(?<![\w/-])[\w-]{1,120}\.(?:pdf|docx?|rtf|txt|xlsx?|csv|msg|eml|zip)\b", re.I)


_TOWN: Final = re.compile(
    r"\b(?:in|from|near|to|at|of|through|outside|around)\s(?P<town>(?:(?!the|a|an|my|his|her|our|your|this|that|each|every"
    r"|some|any|one|two)[^\W\d_]{3,}\s){1,2}(?:city|hills?|rapids|forest|falls|springs|beach|heights|grove|valley|creek"
    r"|ridge|island|junction|park|township))\b", re.I,
)  # fmt: skip
_SIDE: Final = re.compile(
    r"\b(?:in|from|near|to|at|of|through|outside|around)\s(?P<town>(?:west|east|north|south|lake|grand|new|fort|port|mount|mt"
    r"|upper|lower|great|little|old)\s(?P<own>[^\W\d_]{3,}))\b", re.I,
)  # fmt: skip


_HYPHENED: Final = re.compile(
    r"\b(?:[Ii]n|[Nn]ear|[Ff]rom|[Aa]t|[Tt]o|[Oo]f|[Oo]utside)\s"
    r"(?P<town>[A-Z\u00c0-\u017f][^\W\d_]{2,}(?:-[A-Z\u00c0-\u017f][^\W\d_]{2,}){1,2})(?![\w-])"
)
_SIGNED: Final = re.compile(
    r"(?<![\w'’])(?P<name>[^\W\d_]{2,}),\s?(?:(?:MA|RN|LPN|LVN|PA-C|NP|FNP|DNP|MD|DO|CNA|CMA|CRNA|RT|DPT|LCSW|HCA|PharmD)"
    r"\b(?![\w-])|(?:rn|lpn|lvn|pa-c|np|fnp|md|cna|cma|crna|lcsw|hca|pharmd|ma)(?=\s*(?:[.,;)\n]|$)))"
)  # fmt: skip


def spot_towns(text: str, low: str) -> list[Span]:
    """Towns of two words of which neither need be a name: Lake Forest, Grand Rapids, Calumet City."""
    spans = []
    for match in _TOWN.finditer(text):
        parts = low[match.start("town") : match.end("town")].split()
        if match["town"][0].isupper() or not all(map(is_usual, parts[:-1])):
            spans.append(Span(match.start("town"), match.end("town"), "place", "pattern"))
    for match in _HYPHENED.finditer(text):
        if not all(map(is_safe, low[match.start("town") : match.end("town")].split("-"))):
            spans.append(Span(match.start("town"), match.end("town"), "place", "pattern"))
    for match in _SIDE.finditer(text):
        own, capital = low[match.start("own") : match.end("own")], match["own"][0].isupper() and not text.isupper()
        if (capital and match["town"][0].isupper()) or not is_safe(own):
            spans.append(Span(match.start("town"), match.end("town"), "place", "pattern"))
    return spans


def is_usual(low: str) -> bool:
    """Whether a word is usual before a hill or a park in no place's name: car park, local beach."""
    return is_safe(low) and low not in gather_words().census


def spot_name_shapes(text: str, words: Sequence[Word]) -> list[Span]:
    """Every such name."""
    low = fold(text)
    syllables = read_words("korean")
    files = (match for match in _FILE.finditer(text) if "_" in match[0] or "-" in match[0])
    spans = [Span(match.start(), match.end(), "other", "pattern") for match in files]
    for match in _HYPHEN.finditer(low):
        if match["a"] in syllables and match["b"] in syllables:
            spans.append(Span(match.start(), match.end(), "name", "pattern"))
    spans += spot_towns(text, low)
    lists = load_lists()
    for match in _SIGNED.finditer(text):
        name = low[match.start("name") : match.end("name")]
        if name not in lists.kept and name not in lists.titles and not re.search(r"(?:ed|ing|ly|tion)$", name):
            spans.append(Span(match.start("name"), match.end("name"), "name", "pattern"))
    if speaks_spanish(words):
        return spans
    for match in _LED.finditer(text):
        first = low[match.start("name") : match.end("name")].partition(" ")[0].partition("-")[0]
        capital = match["name"][0].isupper() and not text.isupper()
        if first in _NEITHER or (not capital and (is_safe(first) or is_dictionary(first))):
            continue
        end = match.end() if capital else match.start("name") + len(first)
        spans.append(Span(match.start(), end, "name", "pattern"))
    return spans
