"""Dates as people write them: found, read and written again in the same form, shifted by some days.

Reads English, German, French and Spanish month names on folded text. A year alone, a weekday alone, a time of day
and a duration are no dates here. Knows no patient.
"""

import datetime
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from prescreen.records.deid.spans import Span, fold

_TABLES: Final = tuple(
    tuple(line.split())
    for line in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sept oct nov dec",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    )
)
MONTHS: Final = {fold(w): (number, t) for t in reversed(_TABLES) for number, w in enumerate(t, 1)}
_FULL: Final = sorted({fold(w) for t in (_TABLES[0], *_TABLES[3:]) for w in t}, key=len, reverse=True)
_ANY: Final = "|".join(sorted(MONTHS, key=len, reverse=True))
_DOUBTFUL: Final = ("may", "march", "mayo", "mars", "mai")  # words of their own: need a cue
_SURE: Final = "|".join(m for m in _FULL if m not in _DOUBTFUL)
_CUE: Final = (
    r"(?:since|in|until|till|from|last|next|early|late|mid|by|of|during|through|before|after|around|desde"
    r"|en|de|hasta|seit|im|bis|ab|depuis|fin|debut|between)"
)
_WEEKDAY: Final = (
    r"(?:\b(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|lunes|martes|miercoles|jueves|viernes"
    r"|sabado|domingo|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag)\b,?\s+(?:(?:the|den|el)\s+)?)?"
)
_UNIT: Final = (
    r"(?!\d|[.:,/]\d|\s?(?:mg|mcg|ml|g|%|x|tab\w*|times|days?|weeks?|hours?|hrs?|doses?|months?|puffs?)\b|/)"
)
_VERB: Final = r"(?!\s+(?:be|have|not|need|also|cause|get|go|feel|hurt)\b)"
_YEAR: Final = r"(?P<y>(?:19|20)\d\d)"
_ORDINAL: Final = r"(?P<o>\s?(?:st|nd|rd|th)\b|\.|er\b)?"
_PATTERNS: Final = tuple(
    re.compile(p)
    for p in (
        rf"{_WEEKDAY}(?<![\d./-]){_YEAR}[-/.](?P<m>\d\d?)[-/.](?P<d>\d\d?)(?!\d)",
        rf"{_WEEKDAY}(?<![\d./-])(?P<d>\d\d?)(?P<sep>[./-])\s?(?P<m>\d\d?)(?P=sep)\s?(?P<y>(?:19|20)\d\d"
        rf"|\d\d)(?![\d])",
        rf"{_WEEKDAY}\b(?P<d>[0-3]?\d){_ORDINAL}[\s-]*(?:of\s+|de\s+)?(?P<w>{_ANY})\b{_VERB}\.?"
        r"(?:,?[\s-]*(?:de\s+|del\s+|of\s+)?(?P<y>(?:19|20)\d\d)\b|[-'](?P<z>\d\d)\b)?",
        rf"{_WEEKDAY}\b(?P<w>{_ANY})\.?\s+(?:the\s+)?(?P<d>[0-3]?\d){_UNIT}(?P<o>\s?(?:st|nd|rd|th)\b)?"
        rf"(?!\d)(?:,?\s*{_YEAR}\b)?",
        rf"\b(?P<w>{_ANY})\.?,?[\s-]+(?:of\s+|de\s+|del\s+)?{_YEAR}\b",
        rf"\b(?P<w>{_SURE})\b",
        rf"\b(?P<w>{'|'.join(_DOUBTFUL)})\b{_VERB}",
        rf"\b{_CUE}[\s-]+(?P<w>{_ANY})\b{_VERB}",
        rf"\b(?:is|was|been|stopped|started|began|due|done|given|expires)[\s-]+(?P<w>{'|'.join(_DOUBTFUL)})\b"
        r"(?=\s*(?:[.,;!?)\n]|$))",
        rf"(?<![\d./-])(?P<m>0?[1-9]|1[0-2])/{_YEAR}(?!\d)",
        r"\b(?:on|since|from|until|till|by|dated?|el|dia|desde|am|seit|happened|due|lmp|edd|appointment"
        r"|appt|jab|op|surgery|it"
        r"|given|seen|done|taken|(?!scor|rat|grad|report|describ|improv|reduc|need|gain"
        r"|us)\w{3,}ed)\s+(?:the\s+)?(?P<d>\d\d?)"
        r"[/.](?P<m>\d\d?)(?![\d%]|[./]\d|\s?(?:mg|ml|mmol|c|deg\w*|kg|g|l|out|ago|later)\b)",
        r"(?<![\w./-])(?<!pain )(?!24/7)(?P<d>1[3-9]|2\d|3[01])/(?P<m>0?[1-9]|1[0-2])(?![\d%/]|\.\d"
        r"|\s?(?:mmhg|mg|ml|ago)\b)",
        r"(?:^|[.!?\n]\s*)(?P<d>\d\d?)/(?P<m>\d\d?)(?=\s+[a-z]|:)(?!\s*(?:pain|pulses?|power|today|ago"
        r"|days?|weeks?)\b)",
        r"\b(?:review|clinic|scan|mri|ct|ecg|ekg|x-?ray|cxr|cbc|bmp|bloods?|labs?|letter|report|results?|entry|next"
        r"|recheck|repeat|leaving|returns?|visit|admission|admitted|f/u|before|(?:mon|tues?|"
        r"wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
        r"|birthday|bday|b-?day|anniversary|expir\w*|booster|vaccine|delivery|exam|wedding|holiday|flight|"
        r"funeral|party|lunes|martes|miercoles"
        r"|jueves|viernes|sabado|domingo|cita|montag|dienstag|mittwoch|donnerstag|freitag|termin)\s+(?:was\s|"
        r"is\s|on\s|of\s|for\s|del?\s|am\s)?"
        r"(?P<d>\d\d?)[/.](?P<m>\d\d?)\.?(?=\s*(?:[.,;:)\n]|$)|\s+(?:at|by|and|with|for|in|to|was|is|no|she|he|"
        r"i)\b)(?!\.?\d)",
        r"\b(?:am|vom|bis|seit|zum|ab|den)\s+(?P<d>\d\d?)\.\s?(?P<m>\d\d?)\.(?!\d)",
        r"\b(?:(?:book|schedul|arrang|list|plann|fix|mov|postpon|rebook|defer|cancel)\w*\s(?:for|to|on)|w/?c|"
        r"week of|clinic|discharge|theatre"
        r"|(?:gave|saw|seen|met|given|rang|phoned|visited)\s+(?!pain|power|score|"
        r"gcs)[^\W\d_]{3,})\s+(?P<d>\d\d?)/(?P<m>\d\d?)"
        r"(?=\s*(?:[.,;:)\n]|$)|\s+(?:at|by|and|with|for|am|pm|in|to)\b)(?!\.\d)",
        r"\b(?:on|since|until|from|by)\s+the\s+(?P<d>[0-3]?\d)(?P<o>st|nd|rd|th)\b"
        r"(?=\s*(?:[.,;)!?\n]|$|and\b|i\b|he\b|she\b|we\b|it\b|at\b|when\b|but\b))",
        # More than a whole, and no days, weeks or months of a course (5/7, 3/52): a day and a month.
        r"(?<![\w./-])(?<!va )(?<!vision )(?<!acuity )(?<!od )(?<!os )(?<!pain )(?<!power )(?<!bp )(?<!eye )"
        r"(?!24/7)"
        r"(?=(?P<d>\d\d?)/(?P<m>[1-689]|1[0-2])(?![\d%/]|[.]\d))"
        r"(?:(?:[2-9]|[12]\d|3[01])/1|(?:[3-9]|[12]\d|3[01])/2|(?:[4-9]|[12]\d|3[01])/3|(?:[5-9]|[12]\d|3[01])/4"
        r"|(?:[6-9]|[12]\d|3[01])/5|(?:[7-9]|[12]\d|3[01])/6|(?:9|[12]\d|3[01])/8|(?:1\d|2\d|3[01])/9"
        r"|(?:1[1-9]|2\d|3[01])/10|(?:1[2-9]|2\d|3[01])/11|(?:1[3-9]|2\d|3[01])/12|[1-8]/8|[1-9]/9|[1-9]/11)"
        r"(?!\d|\s?(?:mg|mcg|ml|inch|in\b|points?|tablets?|tabs?|strength|mmhg|mmol|ago|fast\w*|diet|breaths?))",
        r"\b(?:dob|d\.o\.b\.?|born|nacid[oa]|geb\.?)\s*:?\s*(?P<x>\d{6}|\d{8})\b",
        r"\b(?P<x>christmas(?:\s(?:eve|day))?|xmas|boxing day|new year'?s?\s?(?:eve|day)?|easter(?:\s\w+day)?"
        r"|thanksgiving|halloween|diwali|eid|ramadan|hanukkah|valentine'?s(?:\sday)?|navidad|nochebuena|weihnachten"
        r"|noel|semana santa|ostern|silvester)\b",
    )
)


class Found(NamedTuple):
    """One date in a text: what is known of it, and its pieces with their places (for writing it again)."""

    start: int
    end: int
    day: int | None
    month: int | None
    year: int | None
    pieces: tuple[tuple[int, int, str], ...]


def find_dates(text: str, *, day_first: bool = True) -> list[Found]:
    """Every date, longest reading first, none overlapping another."""
    low = fold(text)
    found: list[Found] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(low):
            if (date := _read(match, text, day_first)) and not any(
                date.start < other.end and other.start < date.end for other in found
            ):
                found.append(date)
    return sorted(found)


def spot_dates(text: str) -> list[Span]:
    """Every date as a span."""
    return [Span(date.start, date.end, "date", "pattern") for date in find_dates(text)]


def _read(match: re.Match[str], text: str, day_first: bool) -> Found | None:
    got = {k: v for k, v in match.groupdict().items() if v is not None}
    day, month = int(got.get("d", 0)), int(got.get("m", 0))
    swapped = "sep" in got and got["sep"] == "/" and (month > 12 or (not day_first and day <= 12))
    if swapped:
        day, month = month, day
    if "w" in got:
        month = MONTHS[got["w"]][0]
        if "d" not in got and "y" not in got and not _is_month(match, text):
            return None
    if day > 31 or month > 12 or ("d" in got and not day) or ("m" in got and not month):
        return None
    year = got.get("y") or got.get("z")
    places = {k: ("m" if k == "d" else "d") if swapped and k in "dm" else k for k in got if k != "sep"}
    start = match.start()
    if "w" in got and "d" not in got and "y" not in got:
        start = match.start("w")
    elif not set(got) & {"y", "w", "z"}:
        start = min(match.start(k) for k in places)
    pieces = tuple(sorted((match.start(k), match.end(k), name) for k, name in places.items()))
    return Found(start, match.end(), day or None, month or None, _full_year(year), pieces)


def _is_month(match: re.Match[str], text: str) -> bool:
    """Whether a month's name without day and year is one: `may` and `march` are words too."""
    start = match.start("w")
    if match.start() < start or match["w"] not in _DOUBTFUL:
        return True
    return text[start].isupper() and text[start + 1].islower() and text[:start].endswith(" ")


def _full_year(year: str | None) -> int | None:
    if year is None:
        return None
    return int(year) if len(year) == 4 else int(year) + (1900 if int(year) > 40 else 2000)


def shift_date(found: Found, text: str, days: int, *, base_year: int) -> str | None:
    """The same form `days` later, without its weekday; None where the form has no day and month to shift."""
    if found.month is None:
        return None
    try:
        old = datetime.date(found.year or base_year, found.month, found.day or 15)
    except ValueError:
        return None
    new = old + datetime.timedelta(days=days)
    parts, at = [], found.pieces[0][0]
    for start, end, name in found.pieces:
        parts += [text[at:start], _write(name, text[start:end], new)]
        at = end
    return "".join((*parts, text[at : found.end]))


def _write(name: str, old: str, new: datetime.date) -> str:
    if name in "dm":
        return f"{new.day if name == 'd' else new.month:0{len(old)}d}" if old[0] == "0" else str(
            new.day if name == "d" else new.month
        )  # fmt: skip
    if name in "yz":
        return str(new.year) if len(old) == 4 else f"{new.year % 100:02}"
    if name == "w":
        word = MONTHS[fold(old)][1][new.month - 1]
        return word.upper() if old.isupper() and len(old) > 1 else word.capitalize() if old[0].isupper() else word
    if old.strip().lower() in ("st", "nd", "rd", "th"):
        return {1: "st", 2: "nd", 3: "rd"}.get(new.day % 10 if new.day not in (11, 12, 13) else 0, "th")
    return old


def list_years(text: str) -> Iterator[tuple[int, int, int]]:
    """Every four-digit year that stands alone, with its place."""
    for match in re.finditer(
        r"(?<![\d.,/-])(?:19|20)\d\d(?![\d%]|[.,/-]\d|\s?(?:mg|ml|units?|hrs?|hours|h)\b)", text
    ):
        yield match.start(), match.end(), int(match[0])
