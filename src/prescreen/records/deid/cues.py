"""Names by what stands before or after them: titles, kinship, "I am", "named", greetings, signatures, labels.

A cue makes a doubtful word a name, and a name found once is searched for in all texts of the record. Knows no
patient.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from prescreen.records.deid.particles import PARTICLES
from prescreen.records.deid.spans import Span, fold
from prescreen.records.deid.vocabulary import Word, is_eponym, suspect_words
from prescreen.records.deid.wordcues import spot_word_names
from prescreen.records.deid.wordlists import is_safe, is_typing_error, load_lists
from prescreen.records.deid.words import list_words

_KIN: Final = (
    r"(?:(?:son|daughter|mother|father|brother|sister)-in-law|husband|wife|partner|son|daughter|mum|mom"
    r"|mother|dad|father|brother|sister|uncle|aunt|auntie|aunty|cousin"
    r"|nephew|niece|nan|nana|gran|granny|grandma|grandmother|grandad|grandpa|grandfather|grandson"
    r"|granddaughter|baby"
    r"|boy|girl|child|friend|mate|neighbou?r|flatmate|roommate|boyfriend|girlfriend|fiancee?|carer|colleague|boss"
    r"|teacher|landlord|hija|hijo|madre|padre|hermano|hermana|esposo|esposa|marido|mujer|abuela|abuelo|amigo|amiga"
    r"|twins?|stepson|stepdaughter|stepmum|stepdad|relative)"
)
_TITLES: Final = re.compile(
    r"\b(?:mrs?|miss|ms|mx|drs?|doctor|prof(?:essor)?|nurse|sister|matron|midwife|sir|dame|rev|fr"
    r"|constable|officer|pc|\w+ologist|\w+iatrist|\w+ician|\w+therapist"
    r"|paramedic|physio|pharmacist|consultant|surgeon|firefighter|sergeant|herr|frau|senora?|sra?|sres"
    r"|don|dona|mme|mlle"
    r"|monsieur|madame|m\.|shri|smt)\b\.?\s+(?=[^\W\d_])"
)
_WEAK: Final = re.compile(
    r"\b(?:i am|i'm|im|this is|it is|it's|its|here is|my name is|my names|name is|name's|names|named"
    r"|called|known as"
    r"|nickname|me llamo|se llama|mi nombre es|soy|ich bin|ich heisse|je m'appelle|je suis|signed|signed by|"
    rf"{_KIN}(?:\s(?:is\s)?(?:called|named))?|with|and|told|asked|informed|spoke to|says|seen by"
    rf"|reviewed by|driver|hca|sn|rn|cns|sw|cpn|interpreter|therapist|"
    rf"operator|assist|accepting md|teammate|classmate|coworker|anaesthetist|anesthesiologist|sonographer|"
    rf"supervisor|assessor|leader|warden|solicitors?|"
    rf"tutor|manager|coordinator|witness|bystander"
    r"|registrar|med reg|locum|secretary|receptionist|porter|volunteer|dentist|chaperone|lodger|pcp|guarantor|"
    r"spokesperson|surnames?|nee|maiden name"
    r"|formerly|aka|alias|married name|also known as|goes by|prefers|"
    r"referred by|by|patient|pt|client|child|baby of|bracelet|dear|hi|hello|hey|thanks|thx|cheers|regards|wishes"
    r"|sincerely|faithfully|love|from|saludos|gruss(?:en)?|cordialement|for)\b[,:\s]*[\s:]\s*(?=[^\W\d_])"
)
_LABEL: Final = re.compile(
    r"(?:^|[\n.;(])\s*(?:patient(?:'s)?(?: name)?|name|full name|surname|first name|last name|family name|forename|"
    r"next of kin|nok|kin|mother|father|partner|spouse|contact|emergency contact|gp|doctor|nurse|signed"
    r"|cc|attn|triage|"
    r"child|guardian|carer|previous surname|previous name|maiden name|former name|known as|likes to be called|"
    r"preferred name"
    r"|guarantor|subscriber|policy ?holder|referrer|referred by|spokesperson|pcp|consultant|completed by|"
    r"assessor|interpreter|witness"
    r"|supervisor|line manager|key worker|social worker|signed by|dictated by|author|from|to|driver|forenames?|"
    r"given names?|surnames?|nombre|apellidos?|nachname|vorname|nom|prenom)\s*:\s*(?=[^\W\d_])"
)
_AFTER: Final = re.compile(
    rf",?\s+(?:(?:\(?(?:my|his|her|our|the|their)\s+|la\s+|el\s+|mi\s+|\(){_KIN}\b|(?:speaking|calling"
    rf"|here|writing)\b"
    r"|is (?:my|his|her)\b)"
)
_FOLLOW: Final = re.compile(
    r"\s*(?:[,.)\n:;!?]|$|(?:has|is|was|says|said|had|and|who|here|speaking|calling|from|thinks|told|rang"
    r"|came|gives|gave|reports|states|present|translat\w+|i|btw)\b)"
)
_SURE_VERB: Final = re.compile(r"\s+(?:is|has|was|says|said|had)\b")
_BED: Final = re.compile(r"\b(?:bed|bay|cubicle|room|chair) \d{1,2}[a-d]?\s*[:,-]?\s+(?=[^\W\d_])")
_SELF: Final = re.compile(r"(?:name is|names|i am|i'm|im|this is|named|called|llamo|soy)\s+$")
_REGARDS: Final = re.compile(
    r"(?:regards|wishes|sincerely|faithfully|thanks|thank you|thx|cheers|saludos|gr[uü]ssen?|cordialement|love|xx?)"
    r"[,.!\s]*\n\s*(?=[^\W\d_])"
)
_NEVER: Final = frozenset(
    [
        "will",
        "may",
        "an",
        "so",
        "do",
        "see",
        "can",
        "be",
        "has",
        "my",
        "son",
        "soon",
        "good",
        "free",
        "early",
        "still",
        "some",
    ]
)
_PLACE: Final = re.compile(
    r"\b(?:liv(?:e|es|ed|ing) in|moved (?:here )?(?:from|to)|based in|resid(?:es|ent) (?:in|of)|born in"
    r"|home in|vivo en"
    r"|vive en|wohn\w* in|habite a|town of|city of|village of|visiting from|staying in|station in)\s+(?=[^\W\d_])"
)
_GLUE: Final = frozenset({" ", "-", "' "})


class Names(NamedTuple):
    """Spans of names and suspected words of one text, and the name words to search for elsewhere."""

    spans: list[Span]
    words: frozenset[str]
    shy: frozenset[str]  # name words that are words besides: elsewhere names only in capitals within a sentence


@lru_cache(maxsize=4096)
def spot_names(text: str) -> Names:
    """Names by cue, and every word the vocabulary suspects."""
    words, low, lists = list_words(text), fold(text), load_lists()
    at = {word.start: number for number, word in enumerate(words)}
    cued: set[int] = set()
    for regex, strong in ((_TITLES, True), (_LABEL, True), (_REGARDS, True), (_BED, False), (_WEAK, False)):
        for match in regex.finditer(low):
            number = first = at.get(match.end())
            title = regex is _TITLES
            number = first = _skip_initials(number, words, text, cued if strong else set())
            while number is not None and _accept(number, words, text, low, strong, title):
                if regex is _TITLES and first is not None and number > first and slips(words[number]):
                    break
                cued.add(number)
                gap = text[words[number].end : words[number + 1].start] if number + 1 < len(words) else ""
                joined = (
                    gap in _GLUE
                    or (gap == ", " and (regex is _LABEL or match[0].startswith("surnames")))
                    or (gap == ". " and len(words[number].low) == 1)
                )
                number = number + 1 if joined else None
                strong = strong and regex is not _TITLES
            strong = regex is not _WEAK
    for number, word in enumerate(words):
        if _AFTER.match(low, word.end) and _accept(number, words, text, low, word.low not in lists.clinical, False):
            cued.add(number)
    for match in _PLACE.finditer(low):
        number = at.get(match.end())
        if number is not None and words[number].case == "capital" and words[number].low not in lists.kept:
            cued.add(number)
    told = spot_word_names(text, words, low)
    cued |= {number for span in told if span.kind == "name" and (number := at.get(span.start)) is not None}
    suspected = suspect_words(text, words) | cued
    suspected -= {n for n in suspected - cued if words[n].low == "of" and not _joins(n, words, text)}
    suspected = suspect_beside(suspected, words, text)
    spans = [
        Span(words[n].start, words[n].end, "name", "cue" if n in cued else "vocabulary") for n in sorted(suspected)
    ]
    spans += [span for span in told if span.kind == "place"]
    sure = {words[n].low for n in cued if len(words[n].low) > 2}
    shy = {words[n].low for n in cued if words[n].case == "capital"} & sure - lists.kept
    plain = {low for low in sure if is_safe(low)}
    return Names(spans, frozenset(sure - plain), frozenset(shy & plain))


def _joins(number: int, words: Sequence[Word], text: str) -> bool:
    """Whether a glue word has nothing but a space between its neighbours and itself: not `Bell of 12 Xway`."""
    if not 0 < number < len(words) - 1:
        return False
    left, word, right = words[number - 1 : number + 2]
    return text[left.end : word.start] == " " == text[word.end : right.start]


def _skip_initials(number: int | None, words: Sequence[Word], text: str, cued: set[int]) -> int | None:
    """The first word behind a title's initials and particles: `Dr P. K. de la X`."""
    start = number
    while number is not None and number + 1 < len(words):
        word = words[number]
        gap = text[word.end : words[number + 1].start]
        low = fold(text[word.start : word.end])
        initial = len(low) == 1 and (
            gap in (". ", ".") or (gap == " " and word.case != "lower" and low not in "iaoyeux")
        )
        particle = (
            low in PARTICLES and len(low) > 1 and (gap in (" ", "-") or (low in ("st", "ste") and gap == ". "))
        )
        if not (initial or particle):
            break
        number += 1
    if number != start and start is not None and number is not None and not is_safe(words[number].low):
        cued |= set(range(start, number))
    return number


def slips(word: Word) -> bool:
    """A lower-case word that a typing error made strange: after a name, most likely a verb."""
    return word.case == "lower" and is_typing_error(word.low)


def suspect_beside(found: set[int], words: Sequence[Word], text: str) -> set[int]:
    """A word of the name list beside a name is part of it, in any letter case: `grace okafor`."""
    lists, grown = load_lists(), set(found)
    for number in found:
        for other in (number - 1, number + 1):
            if 0 <= other < len(words) and other not in grown and words[other].low in lists.names:
                first, second = sorted((number, other))
                word = words[other]
                plain = (
                    word.case == "lower"
                    and is_safe(word.low)
                    and word.low
                    not in ((lists.given | lists.function_names) - _NEVER if other > number else lists.given)
                )
                beside = text[words[first].end : words[second].start] in (" ", ", ")
                if beside and not plain and not is_eponym(words, other, text):
                    grown.add(other)
    return grown


def _accept(number: int, words: Sequence[Word], text: str, low: str, strong: bool, title: bool) -> bool:
    """Whether the word after a cue is a name there."""
    lists, word = load_lists(), words[number]
    if word.low in lists.kept or word.low in lists.titles or len(word.low) < 2:
        return False
    if is_eponym(words, number, text) and not title:
        return False
    if not is_safe(word.low):
        if (
            not strong
            and slips(word)
            and len(word.low) > 3
            and not _SELF.search(low[max(0, word.start - 12) : word.start])
        ):
            return False
        return len(word.low) > 2 or word.case != "lower" or title
    named = word.low in lists.names or word.low in lists.function_names or word.low in lists.given
    if word.case == "capital" and (named or word.low not in lists.clinical):
        return True
    if not named:
        return title and word.low not in lists.clinical
    if word.low in lists.given or title:
        return word.low not in _NEVER and (title or strong or bool(_FOLLOW.match(low, word.end)))
    if word.low in lists.function_names:
        return bool(_SURE_VERB.match(low, word.end)) and word.low not in _NEVER
    return strong or bool(_FOLLOW.match(low, word.end))
