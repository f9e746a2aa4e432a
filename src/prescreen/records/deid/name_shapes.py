"""Names told by their shape alone: led by a particle, of two Korean syllables, or in the name of a file.

`da Silva Prado`, `van 't Hof`, `Min-jun`, `Purewal_Simran_65.pdf`. Knows no list of names and no neighbours.
"""

import re
from typing import Final

from prescreen.records.deid.name_words import read_words
from prescreen.records.deid.spans import Span, fold
from prescreen.records.deid.vocabulary import speaks_spanish
from prescreen.records.deid.wordlists import is_dictionary
from prescreen.records.deid.words import Word

_LED: Final = re.compile(
    r"(?<![\w'’-])(?P<led>(?:da|de|di|do|du|dos|della|van ['’]t|van de[nr]?|von(?: der)?|zu)\s)"
    r"(?P<name>[^\W\d_]{3,}(?:[- ][A-Z\u00c0-\u017f][^\W\d_]{2,})*)",
    re.I,
)
_NEITHER: Final = read_words("no_name_behind")
_HYPHEN: Final = re.compile(r"(?<![\w-])(?P<a>[a-z]{2,6})-(?P<b>[a-z]{2,6})(?![\w-])")
_FILE: Final = re.compile(r"(?<![\w/])[\w-]*[_-][\w-]*\.(?:pdf|docx?|rtf|txt|xlsx?|csv|msg|eml|zip)\b", re.I)


def spot_name_shapes(text: str, words: list[Word]) -> list[Span]:
    """Every such name."""
    low = fold(text)
    syllables = read_words("korean")
    spans = [Span(match.start(), match.end(), "other", "pattern") for match in _FILE.finditer(text)]
    for match in _HYPHEN.finditer(low):
        if match["a"] in syllables and match["b"] in syllables:
            spans.append(Span(match.start(), match.end(), "name", "pattern"))
    if speaks_spanish(words):
        return spans
    for match in _LED.finditer(text):
        first = low[match.start("name") : match.end("name")].partition(" ")[0].partition("-")[0]
        capital = match["name"][0].isupper() and not text.isupper()
        if first in _NEITHER or (not capital and is_dictionary(first)):
            continue
        if capital and match["led"].strip().lower() == "do":  # an English verb
            continue
        end = match.end() if capital else match.start("name") + len(first)
        spans.append(Span(match.start(), end, "name", "pattern"))
    return spans
