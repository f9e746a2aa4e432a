"""Names and towns that are words, by their cue: `my son precious`, `dr sun`, `stone's garage`, `lives in reading`.

Names with letters no English, Spanish, French or German word has, too. Knows no patient; the chains of cues.py use
the same lists.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from prescreen.records.deid.lexicon import gather_words
from prescreen.records.deid.name_words import read_words
from prescreen.records.deid.spans import Span
from prescreen.records.deid.vocabulary import Word
from prescreen.records.deid.wordlists import is_safe, load_lists

_VIRTUES: Final = read_words("virtues")
_KIN: Final = (
    r"(?:husband|wife|ex-wife|ex-husband|partner|son|daughter|mum|mom|mother|dad|father|brother|sister|uncle|"
    r"aunt|auntie|aunty|cousin|nephew"
    r"|niece|nan|gran|granny|grandma|grandad|grandpa|grandson|granddaughter|baby|lad|lass|boy|girl|friend|mate|"
    r"neighbou?r|flatmate"
    r"|boyfriend|girlfriend|fiancee?|carer|colleague|boss|relative|twins?|lodger|called|named|hija|hijo|"
    r"hermano|hermana|esposo"
    r"|esposa|amigo|amiga|primo|prima|dear|hi|hello|cheers|thanks|hca|sn|nurse|interpreter)"
)
_KIN_WORD: Final = re.compile(
    rf"\b{_KIN},?\s+(?P<v>[a-z]{{3,12}})(?=(?:'s)?(?:\s+(?:\w{{2,}}(?:[^s]s|ed|ing)|got|has|is|was|and|who|"
    rf"will|came|rang|can|must|said|had|thinks|still|also|never|always|cannot|not|just)\b"
    r"|\s*(?:[,.;:)\n]|$)))"
)
_POSSESSED: Final = re.compile(
    r"\b(?:for|at|to|with|from|outside|of|and)\s+(?P<v>[a-z]{3,12})'?s\s+(?:wedding|house|place|birthday|party|"
    r"funeral|number|phone|car|mum"
    r"|dad|school|naming|room|flat|baby|christening|shop|bakery|garage|gym|cafe|salon|farm|barbers?|butchers?|"
    r"coaches)\b"
)
_BUSINESS: Final = re.compile(
    r"(?:\b(?:at|for|by|from|outside|of|near|with|employer|drives for|works for)\b:?|"
    r"\|)\s+(?P<v>[^\W\d_]{3,})(?:'?s)?\s+(?:bakery|garage|gym|cafe"
    r"|salon|haulage|freight|coaches|foods?|poultry|shipbuilders|builders|motors|ltd|construction|logistics|"
    r"transport|butchers|bakers"
    r"|plc|inc|llc|gmbh|& sons?|and sons|solicitors|engineering|plumbing|electrical|catering|farms?|brewery|"
    r"steel|textiles)\b"
)
_NO_FIRM: Final = read_words("no_firm")
_TITLE: Final = re.compile(
    r"\b(?:mr|mrs|ms|miss|mx|dr|prof|professor|doctor)\b\.?\s+(?:\b[^\W\d_]\b(?:\.\s?|"
    r"\s)){0,3}(?P<v>[^\W\d_]{2,})\b"
)
_ROLE: Final = re.compile(
    r"\b(?:leader|assessor|hca|sn|rn|cns|sw|interpreter|supervisor|relative|tutor|warden|solicitors?|registrar|"
    r"consultant|carer|lodger|key worker"
    r"|manager|(?:pcp|gp|referrer|surname|consultant):)\s+(?P<v>[^\W\d_]{2,12})(?=\s*(?:[.,;)\n]|$)|\s+(?:must|"
    r"told|informed|rang|aware|present)\b)"
)
_TWO_GIVEN: Final = re.compile(r"\b(?P<v>ella\s(?P<w>[^\W\d_]{3,}))\b")
_FOLLOW: Final = re.compile(
    r"\s*(?:[,.;:)\n/(]|$)|'s|\s+(?:and|to|on|who|is|was|says|said|has|told|rang|with|at|for|from|in|saw|phoned|will|would|wants|wrote|gave|did)\b"
)
TOWNS: Final = read_words("towns")
_IN_TOWN: Final = re.compile(
    r"\b(?:(?:liv\w+|born|staying|based|resid\w+|stayed|work\w*|school|nan \w+|family|clinic|hospital|dr \w+|"
    r"camp\w*|holiday|relatives) (?:in|near|at)"
    r"|near|past|outside|around|(?:moved|going|drove|back|goes|gone|travel\w*|transferred) (?:from|to)"
    r"|(?:rang|call\w*|phoned|came|comes|visiting|down|up|originally|over|is|are|here|flying in) from|attends|"
    r"follow up:|student health,|site"
    r"|cerca de|vive en|vivo en|desde|town:)\s+(?P<v>[a-z]{3,})"
)
_AFTER_TOWN: Final = re.compile(
    r"\s*(?:[,.;:)\n|]|$)|'s\b|\s+(?:high|primary|grammar|nursery|hospital|clinic|campus|college|university|"
    r"rfc|fc|afc|unit|station|and|with|then|last|next"
    r"|on|where|since|do|does|at|this|yesterday|today|by|to|for|but|who)\b"
)
_PREFIXED: Final = re.compile(
    r"\b(?:in|from|to|near|past|outside|at|of|around|attends|for)\s+(?P<v>(?:al|las|los|san|santa|port|fort|"
    r"bad|kuala|ras|mar|puerto|nueva|nuevo"
    r"|ciudad)\s(?:(?:de|del|la|las|los|el)\s){0,2}(?P<w>[^\W\d_]{3,}))\b"
)
_OWN_LETTERS: Final = frozenset("áéíóúüñäößàâçèêëîïôûùœæ")


def spot_word_names(text: str, words: Sequence[Word], low: str) -> list[Span]:
    """Words taken as names or towns for what stands around them."""
    lists, spans = load_lists(), []
    names = _VIRTUES | lists.given
    for regex in (_KIN_WORD, _POSSESSED):
        for match in regex.finditer(low):
            strange = regex is _POSSESSED and not is_safe(match["v"]) and match["v"] not in lists.titles
            plural = (
                regex is _POSSESSED
                and is_safe(match["v"] + "s")
                and "'" not in low[match.start("v") : match.end("v") + 1]
            )
            if (match["v"] in names or strange) and not plural:
                spans.append(Span(match.start("v"), match.end("v"), "name", "cue"))
    for match in _BUSINESS.finditer(low):
        word = match["v"]
        if low[match.end("v") : match.end("v") + 1] == "-":
            continue
        capital = text[match.start("v")].isupper() and not text[match.start("v") :].isupper()
        doubtful = word in lists.kept or word in lists.titles or word in lists.plain or word in lists.generic
        if (
            not doubtful
            and word not in _NO_FIRM
            and (capital or word in gather_words().census or not is_safe(word))
        ):
            spans.append(Span(match.start("v"), match.end("v"), "name", "cue"))
    for match in _ROLE.finditer(low):
        word = match["v"]
        doubtful = word in lists.kept or word in lists.titles or word in lists.stops
        named = word in gather_words().census or word in lists.function_names or not is_safe(word)
        if not doubtful and named and (len(word) > 2 or ":" in match[0]) and word not in lists.plain:
            spans.append(Span(match.start("v"), match.end("v"), "name", "cue"))
    for match in _TWO_GIVEN.finditer(low):
        if match["w"] in gather_words().census and match["w"] not in lists.kept:
            spans += [
                Span(match.start("v"), match.start("v") + 4, "name", "cue"),
                Span(match.start("w"), match.end("w"), "name", "cue"),
            ]
    for match in _TITLE.finditer(low):
        if _is_titled(match["v"], text[match.start("v") : match.end("v")], low, match.end("v")):
            spans.append(Span(match.start("v"), match.end("v"), "name", "cue"))
    for match in _IN_TOWN.finditer(low):
        word = match["v"]
        strange = not is_safe(word) and word not in lists.titles and word not in lists.kept
        if (word in TOWNS or strange) and _AFTER_TOWN.match(low, match.end("v")):
            spans.append(Span(match.start("v"), match.end("v"), "place", "cue"))
    for match in _PREFIXED.finditer(low):
        if match["w"] not in lists.kept and match["w"] not in lists.clinical:
            spans.append(Span(match.start("v"), match.end("v"), "place", "cue"))
    return spans + _spot_foreign(text, words)


def _is_titled(word: str, raw: str, low: str, end: int) -> bool:
    """After Mr or Dr: a census word that is a weekday besides, or two letters with a vowel."""
    lists, gathered = load_lists(), gather_words()
    capital = raw[0].isupper()
    follows = bool(_FOLLOW.match(low, end))
    if word in lists.stops or word in lists.titles or word in ("call", "on", "phone", "appointment", "surgery"):
        return False
    if len(word) == 2:
        return word not in lists.kept and bool(re.search("[aeiouy]|ng", word)) and (capital or follows)
    if word in lists.kept or is_safe(word):
        return (
            word in gathered.census
            and (capital or follows)
            and (word not in gathered.often or capital or word in read_words("small"))
        )
    return follows or capital


def is_foreign(raw: str) -> bool:
    """Whether a word has a Latin letter that English, Spanish, French and German lack."""
    return not raw.isascii() and any(
        not c.isascii() and c not in _OWN_LETTERS and unicodedata.name(c, "").startswith("LATIN")
        for c in unicodedata.normalize("NFC", raw.lower())
    )


def _spot_foreign(text: str, words: Sequence[Word]) -> list[Span]:
    """Words with such letters, in a text most of whose words have none."""
    found = [word for word in words if is_foreign(text[word.start : word.end])]
    if len(found) * 3 > len(words) + 6:
        return []
    return [Span(word.start, word.end, "name", "cue") for word in found]
