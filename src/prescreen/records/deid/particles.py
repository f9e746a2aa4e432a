"""Names grow over their small words: `de la`, `bin`, `al-`, `St.`, a second half behind a hyphen, a short surname.

Reads what the other layers found and what stands beside it; takes a particle only where a name follows, and an
Arabic or Irish one in capitals by itself. Knows no patient but the name parts it is handed.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final

from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.name_words import read_words
from prescreen.records.deid.spans import Span, fold
from prescreen.records.deid.vocabulary import Word, is_eponym
from prescreen.records.deid.wordlists import is_dictionary, is_listed, load_lists

# Before a name, in any letter case: none is an English word that stands before a name by chance.
ALWAYS: Final = read_words("always")
# Before a name where the letter case or a second name beside it says so.
SOMETIMES: Final = read_words("sometimes")
PARTICLES: Final = ALWAYS | SOMETIMES
_ENGLISH: Final = read_words("english")
_TOWN: Final = read_words("town")
_OPENERS: Final = read_words("openers")
_INTO: Final = re.compile(
    r"\b(?:in|from|to|near|past|outside|at|around|of|en|cerca de|attends|attended|for|nach|aus|bei|a|across|through"
    r"|via|about|town|city)\s+$|(?:^|[,;:\n(])\s*$"
)
_STANDALONE: Final = re.compile(
    r"(?<![\w'-])(?:(?:Al|El|Ben|Bin|Ibn|Abu|Abd|Umm)-[^\W\d_]{3,}|(?:al|el|abd|abu|bin)-(?!anon)[^\W\d_]{4,}"
    r"|(?:AL|EL|ABU|BIN)-[^\W\d_]{3,}|(?:Abu|Bin|Ibn|Bint|Umm|Ní|Nic|Mac|Ap|"
    r"N[ií]c?)\s[A-Z\u00c0-\u017f][^\W\d_]{2,})(?!\w)"
)
_HYPHENED_TOWN: Final = re.compile(
    r"(?<![\w-])(?P<a>[^\W\d_]{3,})-(?:in|on|upon|under|le|la|de-la|de|del|by|super|sur|am|an-der|next|les|lez|"
    r"en|cum|sous|juxta)"
    r"(?:-(?:the|la|le|el|los|las))?-(?P<b>[^\W\d_]{3,})(?![\w-])", re.I,
)  # fmt: skip
# Small words that are also names, in capitals beside one.
_SMALL: Final = read_words("small")
_ROMAN: Final = read_words("roman")
_BEHIND_HYPHEN: Final = read_words("behind_hyphen")
_EPONYM: Final = read_words("eponym_halves")
_BEFORE_HYPHEN: Final = read_words("before_hyphen")
_INITIALS_BEFORE: Final = re.compile(r"(?:(?<![\w'.])[^\W\d_]\.[\s-]?)(?:[^\W\d_]\.[\s-]?){0,2}$")
_INITIALS_BEHIND: Final = re.compile(r",?\s(?:[^\W\d_]\.){1,3}(?!\w)")
_DEGREES: Final = read_words("degrees")
_ABBREVIATED: Final = re.compile(r"e\.\s?g\.|i\.\s?e\.|a\.\s?m\.|p\.\s?m\.|^\s?s\.\s?$")
_VOWEL: Final = re.compile(r"[^\W\d_]?[aeiouy]|[aeiou][^\W\d_]|ng")
_PLAIN: Final = read_words("plain")


def _bare(letters: str) -> str:
    return re.sub(r"[^a-z]", "", letters.lower())


def grow_names(text: str, words: Sequence[Word], spans: list[Span], known: Collection[str] = ()) -> list[Span]:
    """What belongs to the names found: particles, halves of double names, short surnames, hyphened towns."""
    low = fold(text)
    grown: list[Span] = []
    covered = bytearray(len(text))
    named = bytearray(len(text))
    for span in spans:
        covered[span.start : span.end] = b"\1" * (span.end - span.start)
        if span.kind in ("name", "place"):
            named[span.start : span.end] = b"\1" * (span.end - span.start)

    def take(start: int, end: int, kind: str = "name") -> None:
        grown.append(Span(start, end, "place" if kind == "place" else "name", "cue"))
        covered[start:end] = named[start:end] = b"\1" * (end - start)

    for match in _STANDALONE.finditer(text):
        take(match.start(), match.end())
    lists = load_lists()
    for match in _HYPHENED_TOWN.finditer(text):
        first, last = fold(match["a"]), fold(match["b"])
        capitals = match["a"][0].isupper() and match["b"][0].isupper() and not text.isupper()
        if capitals or not (is_listed(first, lists) and is_listed(last, lists)):
            take(match.start(), match.end(), "place")
    for span in spans:
        if span.kind == "name":
            before = _INITIALS_BEFORE.search(text[max(0, span.start - 12) : span.start])
            if before and not _ABBREVIATED.search(before[0].lower()) and _bare(before[0]) not in _DEGREES:
                take(span.start - len(before[0]), span.start)
            behind = _INITIALS_BEHIND.match(text, span.end)
            if behind and _bare(behind[0]) not in _DEGREES:
                take(span.end, behind.end())
    shouting = sum(c.isupper() for c in text) > sum(c.islower() for c in text)
    for _ in range(3):
        size = len(grown)
        for number in range(len(words) - 1, -1, -1):
            word = words[number]
            near = low[max(0, word.start - 1) : word.start] + low[word.end : word.end + 1]
            halved = (
                "-" in near
                and word.case == "capital"
                and word.low in gather_words().census
                and word.low in load_lists().in_context
            )
            if not covered[word.start] and (halved or not is_eponym(words, number, text)):
                _consider(number, words, text, low, named, known, shouting, take)
        if len(grown) == size:
            break
    return grown


def _consider(
    number: int,
    words: Sequence[Word],
    text: str,
    low: str,
    named: bytearray,
    known: Collection[str],
    shouting: bool,
    take: Callable[..., None],
) -> None:
    """Take one word where it belongs to a name beside it."""
    word, lists = words[number], load_lists()
    right = words[number + 1] if number + 1 < len(words) and named[words[number + 1].start] else None
    left = words[number - 1] if number and named[words[number - 1].start] else None
    after = text[word.end : right.start] if right else ""
    between = text[left.end : word.start] if left else ""
    bare = fold(text[word.start : word.end])
    if right and bare in PARTICLES and after in (" ", "-", ". ", "' ", "'"):
        capital = word.case != "lower" and not shouting
        sure = bare in ALWAYS and bare not in ("der", "da", "du")
        chained = bare == "de" and right.low in ("la", "las", "los")
        framed = (
            left is not None and between == " " and left.case == right.case == "capital" and word.case == "lower"
        )
        both = left is not None and between in (" ", "-", ", ") and (bare not in _ENGLISH or framed)
        irish = (
            bare in ("o", "d")
            and after == " "
            and (word.case == right.case == "lower" or (word.case != "lower" and right.case != "lower"))
        )
        sure = (
            sure
            or (irish and not low[max(0, word.start - 2) : word.start].strip().isdigit())
            or text[word.start : word.end] in ("Ó", "Ní", "Í")
        )
        leads = (
            number and words[number - 1].low in PARTICLES and text[words[number - 1].end : word.start] in (" ", "-")
        )
        town = bare in _TOWN and _INTO.search(low[max(0, word.start - 12) : word.start])
        if (
            (
                capital
                and bare not in _ENGLISH
                and not (word.first and bare in ("el", "la", "los", "las", "de", "del"))
            )
            or sure
            or both
            or chained
            or after == "-"
            or town
            or (leads and bare in ("la", "las", "los", "der", "den", "el", "und"))
        ):
            take(word.start, word.end)
            return
        opener = words[number - 1] if number else None
        if opener and opener.low in _OPENERS and text[opener.end : word.start] == " ":
            take(opener.start, word.end, "place")
            return
    if (
        right
        and left is None
        and after == " "
        and bare in _OPENERS
        and (words[number + 1].low in SOMETIMES or _INTO.search(low[max(0, word.start - 12) : word.start]))
    ):
        take(word.start, word.end, "place")
        return
    if "-" in (after, between) and word.low not in _BEHIND_HYPHEN:
        other = right if after == "-" else left
        if other is None:
            return
        capital = word.case == "capital" and other.case == "capital"
        rare = word.low in gather_words().census or word.low not in lists.clinical
        loose = rare and word.low not in lists.kept and (word.case == other.case or other.case == "capital")
        if len(word.low) > 1 and (capital or loose) and word.low not in _BEFORE_HYPHEN and other.low not in _EPONYM:
            take(word.start, word.end)
            return
    _take_beside(word, text, low, left, right, (after, between), known, shouting, take)


def _take_beside(
    word: Word,
    text: str,
    low: str,
    left: Word | None,
    right: Word | None,
    gaps: tuple[str, str],
    known: Collection[str],
    shouting: bool,
    take: Callable[..., None],
) -> None:
    """A word a space away from a name: another name of the patient, a small word in capitals, a short surname."""
    lists, bare, (after, between) = load_lists(), fold(text[word.start : word.end]), gaps
    beside = right if right and after == " " else left if left and between == " " else None
    if beside is None:
        return
    if (word.low in known and word.low not in ("and", "i", "is", "a")) or (
        word.case == "capital"
        and not word.first
        and not shouting
        and word.low in _SMALL
        and beside.case == "capital"
    ):
        take(word.start, word.end)
    elif word.low in _PLAIN:
        return
    elif (
        len(bare) == 2
        and bare not in _ROMAN
        and left
        and between == " "
        and _VOWEL.fullmatch(bare)
        and word.case != "shout"
    ):
        follow = re.match(r"\s*(?:[,.;:)\n/]|$|'s)", low[word.end :])
        if (
            bare not in lists.kept
            and bare not in lists.titles
            and (word.case == "capital" or (bare not in lists.clinical and follow))
        ):
            take(word.start, word.end)
    elif (
        word.low in lists.kept
        and word.low in gather_words().usual_names
        and word.low not in lists.stops
        and (right or (word.case == "capital" and not shouting))
    ):
        if word.low in ("ella", "dolores", "sun", "mora", "rosa", "paz", "luz", "sol", "solo") and not (
            right and right.low == "may"
        ):
            take(word.start, word.end)
    elif (
        left
        and word.case == "lower"
        and word.low in gather_words().census
        and word.low not in lists.kept
        and (
            word.low not in lists.clinical
            and word.low not in lists.common
            and is_dictionary(word.low) is False
            and not word.low.endswith("ing")
        )
    ):
        take(word.start, word.end)
