"""Places with a shape: streets of five countries, postcodes, post boxes, and institutions by their noun.

Town names alone are words, not shapes: vocabulary.py suspects them. Knows no patient.
"""

import re
from typing import Final

from prescreen.records.deid.spans import Span
from prescreen.records.deid.wordcues import TOWNS
from prescreen.records.deid.wordlists import is_medical, is_safe, load_lists

_AREA: Final = (
    r"(?:ab|al|b|ba|bb|bd|bh|bl|bn|br|bs|bt|ca|cb|cf|ch|cm|co|cr|ct|cv|cw|da|dd|de|dg|dh|dl|dn|dt|dy|e|ec"
    r"|eh|en|ex|fk|fy|g"
    r"|gl|gu|gy|ha|hd|hg|hp|hr|hs|hu|hx|ig|im|ip|iv|je|ka|kt|kw|ky|l|la|ld|le|ll|ln|ls|lu|m|me|mk|ml|n|ne"
    r"|ng|nn|np|nr|nw"
    r"|ol|ox|pa|pe|ph|pl|po|pr|rg|rh|rm|s|sa|se|sg|sk|sl|sm|sn|so|sp|sr|ss|st|sw|sy|ta|td|tf|tn|tq|tr|ts"
    r"|tw|ub|w|wa|wc|wd"
    r"|wf|wn|wr|ws|wv|yo|ze)"
)
_NOT: Final = (
    r"(?!\s?(?:days?|weeks?|months?|years?|yrs?|hours?|hrs?|mins?|minutes?|times?|x|mg|mcg|ml|m|km|cm|mm"
    r"|metres?|meters?"
    r"|miles?|steps?|of|in|on|per|out|and|tablets?|tabs?|puffs?|units?|st|nd|rd|th|am|pm|yo|y)\b)"
)
_NUMBER: Final = rf"\b\d{{1,5}}(?:\s?[a-d])?(?:[/-]\d{{1,4}})?,?\s{_NOT}"
_STRONG: Final = (
    r"(?:street|road|avenue|lane|crescent|terrace|boulevard|blvd|gardens|grove|mews|nagar|marg|colony|rd"
    r"|ave|ln|cres)"
)
_WEAK: Final = (
    r"(?:st|close|drive|dr|court|ct|place|pl|way|parade|square|sq|hill|row|walk|yard|park|rise|view|green"
    r"|vale|gate|wharf|quay|highway|hwy|circle|loop|trail|extension|cross|main|sector|layout)"
)
_FLAT: Final = (
    r"(?:(?:flat|apartment|apt|unit|suite|room|house|plot|door|block|no|floor)\.?\s?#?\d+\s?[a-z]?,?\s+)?"
)
_AFTER: Final = r"(?:,?\s+(?:apt|unit|suite|flat|#|no)\.?\s?#?\d*[a-z]?\b|,\s?\d+\s?[ºo°]\s?[a-z]?\b)?"
_WORD: Final = r"[^\W\d_][\w'.-]*"
_FUNCTION: Final = (
    r"(?:the|my|our|his|her|a|an|to|was|is|and|then|with|for|down|up|along|off|across|from|near|at|in|of"
    r"|this|that|your)"
)

_FOLDED: Final = tuple(
    re.compile(p)
    for p in (
        rf"{_FLAT}{_NUMBER}(?:(?!{_FUNCTION}\b){_WORD}\s){{1,3}}{_STRONG}\b\.?{_AFTER}",
        rf"{_FLAT}{_NUMBER}the\s{_WORD}\b(?=\s*(?:[,.;\n]|$))(?<!moment)(?<!time)",
        rf"(?<=\bat\s){_FLAT}{_NUMBER}(?:(?:the\s)?(?!{_FUNCTION}\b){_WORD}\s){{0,3}}{_WEAK}\b\.?{_AFTER}",
        rf"(?:(?<=address\s)|(?<=address:\s)|(?<=lives\s)){_FLAT}{_NUMBER}(?:{_WORD}\s){{1,3}}{_WEAK}\b{_AFTER}",
        rf"{_FLAT}{_NUMBER}(?:(?!{_FUNCTION}\b){_WORD}\s){{1,3}}{_WEAK}\b\.?{_AFTER}(?=\s*[,\n]|\s+(?:apt|flat)\b)",
        rf"(?P<flat>(?:flat|apartment|apt|unit|suite|plot"
        rf"|house no)\.?\s?#?\d+\s?[a-z]?),\s+(?:{_WORD}\s?){{1,3}}(?=[,.;\n]|$)",
        r"\b(?:apt|apartment|flat)\b\.?\s?(?:no\.?\s?)?#?\d{1,5}[a-z]?\b(?!\s?(?:feet|foot|arch\w*|mg|ml|days?|"
        r"weeks?))",
        rf"\bplot\s\d+\s\w+\s\d+\b|{_NUMBER}(?:{_WORD}\s)?sector\s\d+\b",
        r"\b(?:p\.?\s?o\.?\s?box|postfach|apartado)\s?\d+\b",
        r"\b[^\W\d_]{3,}(?:straße|strasse|str\.|strase|weg|platz|allee|gasse)\s\d{1,4}(?:\s?[a-d])?\b",
        rf"\b\d{{1,4}}(?:\s?(?:bis|ter)\b)?,?\s(?:rue|avenue|av\.?|boulevard|bd|place|allee|chemin|impasse"
        rf"|quai|cours|route)"
        rf"(?:\s(?:de|du|des|la|le|les)|\s[ld]')*\s?{_WORD}(?:\s(?!\d){_WORD}(?=[,.;\n]|$))?",
        rf"\b(?:calle\b|c/(?!o\b)|avenida|avda\.?|plaza|paseo|camino|carretera|ronda)\s?(?:(?:de|la|el|los|las"
        rf"|del)\s)*(?:{_WORD}\s){{0,2}}"
        rf"{_WORD},?\s(?:n[ºo°.]*\s?)?\d{{1,4}}\b(?:,?\s?\d+\s?[ºo°]\s?[a-z]?\b)?",
        rf"(?<![\w.]){_AREA}\d[a-z\d]?\s?(?!\d(?:th|hr|hs|wk|yr|st|nd|rd))\d[abd-hjlnp-uw-z]{{2}}\b",
        r"(?<![\w.])(?:[a-z]{2}\d[a-z\d]?)\s\d[abd-hjlnp-uw-z]{2}\b(?=\s*(?:[,.;)\n]|$)|\s(?:please|ok|and|thanks)\b)(?<=[a-z]{2})",
        r"\b(?:zip|zip code|postcode|post code|postal code|plz|cp|c\.p\.|codigo postal|pin(?:\s?code)?)[\s:]{1,3}"
        r"(?P<v>\d{5}(?:-\d{4})?|\d{3}\s?\d{3})\b",
        r"\b\d{5}-\d{4}\b",
        r"(?:^|\n)\s*(?P<v>\d{3}\s\d{3})\s*(?=\n|$)",
    )
)
_NOUN: Final = (
    r"(?:[Hh]ospital|HOSPITAL|[Ii]nfirmary|INFIRMARY|[Mm]edical [Cc]ent(?:er|re)|MEDICAL CENTER"
    r"|[Cc]are [Hh]ome|CARE HOME"
    r"|[Nn]ursing [Hh]ome|[Hh]ealth [Cc]ent(?:re|er)|HEALTH CENTRE|[Hh]ospice|[Cc]linic|[Ss]urgery"
    r"|SURGERY|[Pp]ractice"
    r"|[Pp]harmacy|[Ss]chool|[Cc]ollege|[Uu]niversity|[Pp]rimary|[Aa]cademy|[Cc]hurch|[Pp]rison|[Bb]arracks)"
)
_CASED: Final = tuple(
    re.compile(p)
    for p in (
        rf"(?<![\w.])(?i:{_AREA})\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{{2}}\b",
        r"(?<![\w.])[ABCEGHJ-NPRSTVXY]\d[A-Z]\s\d[A-Z]\d\b|(?<![\w.])[ACDEFHKNPRTVWXY]\d[\dW]\s(?=[A-Z\d]*\d)(?=[A-Z\d]*[A-Z])(?!\d+M[GL])"
        r"[A-Z\d]{4}\b",
        r"\b(?:Am|An der|Auf der|Im|Zum|Zur|In der|AM|IM)\s[A-ZÄÖÜ][\w-]+\s\d{1,3}[a-z]?\b",
        r"\b\d{1,5}\s(?:[A-Z]\.?\s)?(?:[A-Z0-9][\w'.-]*\s){1,3}"
        r"(?:St|Close|Drive|Dr|Court|Ct|Place|Pl|Way|Parade|Square|Hill|Row|Walk|Yard|Park|Rise|View"
        r"|Green|Gate)\b\.?"
        r"(?:,?\s(?:Apt|Unit|Suite|Flat|#)\.?\s?#?\d+\w?)?",
        rf"\b(?:St\.?\s|Saint\s)?(?:[A-Z][\w'’.-]+\s(?:of\s|and\s|&\s)?){{0,3}}[A-Z][\w'’.-]+\s{_NOUN}\b",
        r"\b(?:Klinikum|Krankenhaus|Hospital|Clínica|Clinica|CHU|Hôpital|Hopital|Uniklinik"
        r"|Universitätsklinikum|Residencia)"
        r"(?:\s(?:de|del|la|San|St\.?|der|am))*(?:\s[A-ZÁÉÍÓÚÄÖÜ][\w'-]+)+",
    )
)
_NAMED: Final = 4  # the row of institutions by their noun
_LOWER: Final = re.compile(
    r"(?P<left>(?:[^\W\d_][\w'.-]*\s){1,3})(?P<noun>hospital|infirmary|medical cent(?:er|re)|care home|nursing home"
    r"|health cent(?:re|er)|hospice|surgery|clinic|practice|pharmacy|klinikum|krankenhaus|high school|"
    r"primary school|grammar school"
    r"|primary|nursery|campus|college|university|academy|rfc|fc|afc|prison|barracks|airport|church|mosque|"
    r"temple|school)\b"
)
_SURE: Final = frozenset(["hospital", "infirmary", "hospice", "klinikum", "krankenhaus"]) | {
    f"{a} {b}" for a in ("medical", "care", "nursing", "health") for b in ("centre", "center", "home")
}
_BEFORE: Final = re.compile(
    r"\b(?:hospital|klinikum|clinica|hopital|residencia)\s(?P<name>(?:san|santa|st|de|del|la)\s\w+|\w+)\b"
)


def spot_places(text: str, low: str) -> list[Span]:
    """Streets, postcodes and named institutions; `low` is the folded text."""
    spans = []
    for regex in _FOLDED:
        group = "v" if "v" in regex.groupindex else 0
        for match in regex.finditer(low):
            end = match.end(group)
            if "flat" in regex.groupindex and all(
                map(is_safe, re.findall(r"[^\W\d_]+", low[match.end("flat") : end]))
            ):
                end = match.end("flat")  # what follows is a sentence, not a house's name
            spans.append(Span(match.start(group), end, "place", "pattern"))
    for number, regex in enumerate(_CASED):
        for match in regex.finditer(text):
            words = low[match.start() : match.end()].split()
            if number != _NAMED or not all(map(_is_kind, words[:-1])):
                spans.append(Span(match.start(), match.end(), "place", "pattern"))
    spans += [Span(match.start(), match.end(), "place", "pattern") for match in _ABROAD.finditer(text)]
    return spans + _spot_lower(low)


def _is_kind(word: str) -> bool:
    """Whether a word before a clinic or a surgery says of what kind it is: health, anticoag, BP, Dear."""
    lists = load_lists()
    known = any(word in words for words in (lists.plain, lists.clinical, lists.kept, lists.titles, _KINDS))
    return known or is_medical(word) or not re.search(r"[aeiouy]", word)


_KINDS: Final = frozenset({"health", "care", "medical", "nursing", "travel", "dear", "memory", "pain", "virtual"})
_HOUSE: Final = re.compile(r"\s\d{1,5}\s?[a-zA-Z]?(?:/\d{1,4})?,\s?(?=[^\W\d_])")
_CODE: Final = re.compile(
    r",?\s(?=[\w -]*\d)(?:[A-Z]{1,2}-?\s?)?\d{2,6}(?:[ -]\d{2,4})?(?:\s[A-Z]{2})?\b"
    r"(?!\s?(?:%|/|m?c?g\b|ml|units?\b|iu\b|mm|days?\b|weeks?\b|months?\b|years?\b|hours?\b|min|times\b)|[.,/]\d)"
)
_HOP: Final = 24  # characters between a house number's comma and the end of the town


_HOUSE_BEFORE: Final = re.compile(r"(?<![\w.,/-])\d{1,5}\s?[a-zA-Z]?,?\s{1,2}$")
_OPENS: Final = re.compile(r"(?:^|\n\s*|[?>/]\s?|\b(?:address|at|lives|live in|to)(?: is)?:?\s)$", re.I)
_ABROAD: Final = re.compile(
    r"(?<!\w)(?:ul\.|ulica|al\.|viale|corso|piazza|largo|rua|trg|(?:(?<=\d\s)|(?<=address: ))(?:via|place|r|c/))\s?"
    r"[A-Z\u00c0-\u017f][^\W\d_]+(?:\s[A-Z\u00c0-\u017f][^\W\d_]+){0,2}(?:,?\s\d{1,4}\b)?"
    r"|\b[A-Z\u00c0-\u017f][^\W\d_]{2,}(?:vej|veien|vegen|gatan|gata|katu|straat|laan|utca|plein|v[aä]gen|tie)\b(?:\s\d{1,4}\b)?"
    r"|\b[A-Z\u00c0-\u017f][^\W\d_]{2,}\s(?:utca|út|tér|u\.)(?=\s\d)(?:\s\d{1,4}\b)?"
)  # streets of Poland, Italy, Portugal, the Balkans, Scandinavia, the Low Countries, Hungary


def grow_addresses(text: str, spans: list[Span]) -> list[Span]:
    """House numbers and postcodes beside found names: `Xstreet 62, Ytown 8362`, `62 Xvej`."""
    return _grow_behind(text, spans) + _grow_before(text, spans)


def _grow_before(text: str, spans: list[Span]) -> list[Span]:
    grown = []
    for span in spans:
        house = (
            _HOUSE_BEFORE.search(text[max(0, span.start - 9) : span.start])
            if span.kind in ("place", "name")
            else None
        )
        if house is None:
            continue
        start = span.start - len(house[0])
        if span.kind == "place" or _OPENS.search(text[max(0, start - 12) : start]):
            grown.append(Span(start, span.start, "place", "pattern"))
    return grown


def _grow_behind(text: str, spans: list[Span]) -> list[Span]:
    starts = {span.start for span in spans}
    ends = {span.end for span in spans}
    streets = {span.end for span in spans if span.kind == "place"}
    grown: list[Span] = []
    for end in ends:
        house = _HOUSE.match(text, end)
        start = house.end() if house else end + 2 if end in streets and text[end : end + 2] == ", " else None
        if start not in starts:
            continue
        grown += [Span(end, start, "place", "pattern")] if house else []
        towns = [e for e in ends if start < e <= start + _HOP]
        codes = [code for town in towns if (code := _CODE.match(text, town))]
        grown += [Span(code.start(), code.end(), "place", "pattern") for code in codes]
    return grown


def _spot_lower(low: str) -> list[Span]:
    """Institutions in chats: the noun and what stands before it, where that is no plain word."""
    lists, spans = load_lists(), []
    for match in _LOWER.finditer(low):
        start, unknown = match.start("noun"), False
        for word in reversed(list(re.finditer(r"\S+", match["left"]))):
            bare = word[0].strip("'.-").removesuffix("'s")
            saint = bare in ("st", "saint")
            if (
                not saint
                and bare not in TOWNS
                and (bare in lists.kept or bare in lists.clinical or bare in lists.plain or bare in lists.titles)
            ):
                break
            start = match.start("left") + word.start()
            unknown |= any(not is_safe(p) or p in lists.names for p in bare.split("-")) or bare in TOWNS
        sure = match["noun"] in _SURE
        if start < match.start("noun") and (unknown or sure):
            spans.append(Span(start, match.end(), "place", "pattern"))
    for match in _BEFORE.finditer(low):
        words = match["name"].split()
        if not any(is_safe(word) or word in lists.names for word in words[-1:]) or words[0] in ("san", "santa"):
            spans.append(Span(match.start(), match.end(), "place", "pattern"))
    return spans
