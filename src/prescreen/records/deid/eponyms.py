"""Names in clinical sense: Crohn's, Lachman test, rocky mountain spotted fever, Malarone, but not Mr Lachman.

What follows or precedes decides: a clinical noun, a dose, a term that holds both words. A title, a cue or a verb of
speech says person, and so does a given name that may have what the noun names (Sarah's fever). Knows no patient.
"""

import re
from collections.abc import Sequence
from typing import Final

from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.spans import fold
from prescreen.records.deid.wordlists import is_safe, load_lists
from prescreen.records.deid.words import Word

REACH: Final = 3  # a clinical noun this many words on; the words between are part of the name
_PERSON: Final = re.compile(
    r"(?:\b(?:name|names|surname|forename|named|called|am|i'm|im|this is|name is|it's|llamo|llama|soy|by|dear|hi"
    r"|hello|hey|thanks|regards|wishes|signed|nok|kin|patient|client|told|asked|informed|spoke to)\b[:,]?"
    r"|\b(?:mrs?|ms|miss|dr|prof|nurse|sister|sra?|dra?|mx)\.?)\s*$"
)
_SAYS: Final = re.compile(
    r"(?:'s)?\s+(?:says|said|told|tells|thinks|rang|calls|called|speaking|calling|here|reports|states|asked|asks|came"
    r"|attended|lives)\b"
)
DOSE: Final = re.compile(
    r",?\s+\d+(?:[.,]\d+)?\s?(?:mg|mcg|micrograms?|g|ml|units?|iu|%|puffs?|tabs?|mm|cm|mmol)\b"
    r"|\s+(?:tablets?|tabs|capsules?|sachets?|inhaler|nebules?|ointment|cream|gel|syrup|infusion|eye ?drops"
    r"|nasal spray|bd|tds|qds|bid|tid|qid|nocte|prn)\b", re.I,
)  # fmt: skip
_TAKES: Final = re.compile(
    r"\b(?:prescribed|allerg(?:y|ic) to|alergic[oa] a|intoleran(?:t|ce) (?:of|to)|started on|commenced on|course of"
    r"|doses? of|tablets? of|mg of|ml of)\s+$"
)
_ALONE: Final = re.compile(r"'s\s*(?:[.,;:)\n]|$|(?:diagnosed|negative|positive|neg|pos)\b)")
_MEDS: Final = re.compile(
    r"(?:^|[\n.;(])\s*(?:current )?(?:meds?|medications?|drugs?|dh|ttos?|rx|allerg(?:y|ies)|allergic to|medicacion"
    r"|tratamiento|alergias?)\s*:(?P<list>[^.\n;:]{0,100})$"
)
_OTHER: Final = re.compile(r"\b(?:by|per|dr|mrs?|ms|nurse|nok|with|from|told|name|contact)\b")
_GRADED: Final = re.compile(r"\s+(?:II|III|[IV]{1,3}[AB])\b", re.I)
_OUTCOME: Final = re.compile(
    r"(?:['’]s)?\s*(?:(?:positiv[eo]|negativ[eo]|pos|neg)\b(?!\s+for\b)|[+-]ve\b|\+(?=[\s.,;)]|$))", re.I
)
_STAFF: Final = re.compile(r"\s+(?:clinic|results?|came|was|is|nurse|unit|ward)\b")


def is_eponym(words: Sequence[Word], number: int, text: str) -> bool:
    """Whether a word stands in a clinical sense: Crohn's, Bell's palsy, but not Mr Bell."""
    lists, word = load_lists(), words[number]
    if number and words[number - 1].low in lists.titles and words[number - 1].end + 2 >= word.start:
        return False
    if _is_listed(words, number, text):
        return not _is_person(word, text)
    if word.low in lists.kept or len(word.low) < 3:
        return False
    clinical = _in_phrase(words, number, text) or _before_noun(words, number, text) or _is_possessive(word, text)
    clinical = clinical or _has_outcome(words, number, text)
    gathered = gather_words()
    if not clinical and word.low not in lists.names and word.low not in gathered.usual_names:
        before = fold(text[max(0, word.start - 120) : word.start])
        clinical = word.low in gathered.terms.technical or bool(
            DOSE.match(text, word.end) or _TAKES.search(before) or _is_graded(words, number, text)
        )
        if not clinical and (line := _MEDS.search(before)):
            clinical = word.low not in gathered.census and not _OTHER.search(line["list"])
    return clinical and not _is_person(word, text)


def _is_listed(words: Sequence[Word], number: int, text: str) -> bool:
    """By our own short lists."""
    lists, word = load_lists(), words[number]
    if word.low not in lists.eponyms and word.low not in lists.in_context:
        return False
    near = {other.low for other in words[number + 1 : number + 4] if other.start - word.end < 25}
    if near & lists.sense:
        return True
    return word.low in lists.eponyms and (word.low not in lists.names or text[word.start : word.end].endswith("s"))


def _is_person(word: Word, text: str) -> bool:
    """Whether a cue just before, or a verb of speech behind, says that this is somebody."""
    before = fold(text[max(0, word.start - 14) : word.start])
    return bool(_PERSON.search(before) or _SAYS.match(fold(text[word.end : word.end + 14])))


def _is_possessive(word: Word, text: str) -> bool:
    """Whether a name of a disease stands in the possessive with nothing possessed: known Felty's."""
    lists, gathered = load_lists(), gather_words()
    if (
        word.low in gathered.given
        or text[word.start - 1 : word.start] == "-"
        or not _ALONE.match(fold(text[word.end - 2 : word.end + 12]))
    ):
        return False
    known = word.low in gathered.terms.technical or any(
        (word.low, noun) in gathered.terms.pairs for noun in lists.nouns
    )
    return known or (word.low not in gathered.census and text[word.end :].lstrip().lower()[:3] in ("neg", "pos"))


def _is_graded(words: Sequence[Word], number: int, text: str) -> bool:
    """Whether a Roman numeral or a stage follows a word no census knows: Mobitz II."""
    word = words[number]
    return word.low not in gather_words().census and _GRADED.match(text, word.end) is not None


def _has_outcome(words: Sequence[Word], number: int, text: str) -> bool:
    """Whether a sign's outcome follows: Lachman positive, Tinel's +; not Ann Lee positive, Lee positive for flu."""
    gathered, word = gather_words(), words[number]
    if word.low in gathered.given or not _OUTCOME.match(text, word.end):
        return False
    before = words[number - 1] if number and text[words[number - 1].end : word.start] == " " else None
    return before is None or before.low not in gathered.given


def _joins(text: str, left: Word, right: Word) -> bool:
    return text[left.end : right.start] in (" ", "-", "' ", "’ ")


def _in_phrase(words: Sequence[Word], number: int, text: str) -> bool:
    """Whether the word and its neighbour stand side by side in a term; two names need a third word or a hyphen."""
    lists, gathered = load_lists(), gather_words()
    pairs, names = gathered.terms.pairs, gathered.census
    for left in (number - 1, number):
        if left < 0 or left + 1 >= len(words):
            continue
        one, two = words[left], words[left + 1]
        other = two if left == number else one
        if text[one.end : two.start] == "-" and other.low in lists.eponyms and other.low not in lists.names:
            return True
        if (one.low, two.low) not in pairs or not _joins(text, one, two):
            continue
        if text[one.end] == "-" or one.low not in names or two.low not in names:
            return True
        after, before = words[left + 2 : left + 3], words[left - 1 : left] if left else []
        if any((two.low, next_.low) in pairs for next_ in after) or any((b.low, one.low) in pairs for b in before):
            return True
    return False


def _before_noun(words: Sequence[Word], number: int, text: str) -> bool:
    """Whether a clinical noun follows, with nothing but more of the name between."""
    lists, gathered, word = load_lists(), gather_words(), words[number]
    last = number
    while last - number < REACH and last + 1 < len(words) and _joins(text, words[last], words[last + 1]):
        low = words[last + 1].low
        if low in lists.nouns:
            return True
        if low in lists.things:
            if _STAFF.match(fold(text[words[last + 1].end : words[last + 1].end + 12])):
                return False
            owner = word.low in gathered.given or word.low in lists.given
            held = word.case == "capital" and low in lists.devices and fold(text[word.end - 2 : word.end]) != "'s"
            return not owner or held
        further = words[last + 2].low if last + 2 < len(words) else ""
        if low in lists.clinical and further in lists.scales and word.low not in gathered.given:
            return True
        if words[last + 1].case == "lower" and (is_safe(low) or word.case != "lower"):
            return False
        last += 1
    return False
