"""When two short clinical phrases name the same thing.

Knows words: case, plurals, filler, negation. Knows no medicine; synonyms of a clinic's own go into its data.
Matching is by words rather than by string, since a model that writes "crushing pain in the chest" has named
chest pain; a negated phrase never matches a plain one.
"""

import re
from collections.abc import Iterable

WORD = re.compile(r"[a-z0-9]+")
FILLER = frozenset(
    re.findall(
        WORD,
        "a an the of in on at to with and or is was has have had my his her their some any very "
        "possible suspected likely known patient acute new onset sudden type",
    )
)
NEGATION = frozenset({"no", "not", "without", "never", "denies", "denied", "none", "absent", "negative", "free"})
NOTHING_KNOWN = re.compile(r"\b(none|no|nil|not any|nkda|nka)\b")
OVERLAP = 0.6


def words_of(phrase: str) -> frozenset[str]:
    """The words that carry meaning, without plural endings; all negations become one mark."""
    words = set()
    for word in WORD.findall(phrase.lower().replace("'", "")):
        if word in NEGATION:
            words.add("not")
        elif word not in FILLER:
            words.add(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word)
    return frozenset(words)


def is_same(first: str, second: str) -> bool:
    """Same polarity, and either phrase contains the other's words or most words are shared.

    One shared word is enough only when it is all that one phrase has: "pain" does not name "chest pain",
    but "hypertension" names "essential hypertension".
    """
    a, b = words_of(first), words_of(second)
    if not a or not b or ("not" in a) != ("not" in b):
        return False
    a, b = a - {"not"}, b - {"not"}
    shared = len(a & b)
    if not shared:
        return a == b
    if shared == min(len(a), len(b)) and (shared >= 2 or max(map(len, a & b)) >= 7):
        return True
    return shared / len(a | b) >= OVERLAP


def find_same(phrase: str, among: Iterable[str]) -> str | None:
    """The phrase of `among` that names the same thing: itself if it is there, else the first."""
    others = list(among)
    return phrase if phrase in others else next((other for other in others if is_same(phrase, other)), None)


def is_quoted(span: str, text: str) -> bool:
    """Whether `span` stands in `text` word for word; line breaks and case do not count."""
    flat = " ".join(span.split()).casefold()
    return bool(flat) and flat in " ".join(text.split()).casefold()


def says_nothing_known(phrase: str) -> bool:
    """Whether an entry only says that there is nothing: "no known allergies", "none"."""
    return bool(NOTHING_KNOWN.search(phrase.lower()))
