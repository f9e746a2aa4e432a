"""Numbers said or written in free text: vital signs, glucose, age.

Structured fields always win; the text only fills what was not measured. Knows units and shorthand
("BP 80/50", "sats 86 on air", "39.5 C", "102 F", "78F"); implausible numbers are ignored, not guessed at.
"""

import re
from typing import Any, NamedTuple

from prescreen.clinic.case import Case, Vitals
from prescreen.clinic.numerals import NUMBERS

_SEP = (
    r"(?: ?(?:is|are|was|going|beating|running"
    r"|of|at|reading|rate|level|to|up to|down to|showing|around|about|only|were|now"
    r"|[:=~-]|,))*\s*"
)
_PATTERNS = {
    "heart_rate": rf"\b(?:hr|heart rate|pulse|p)\b{_SEP}(\d{{2,3}})(?![\d/.])(?! ?%)",
    "respiratory_rate": r"\b(?:rr|resps?|resp(?:iratory)? rate|breathing rate|breaths(?: per minute)?)\b"
    rf"{_SEP}(\d{{1,2}})\b(?![/.])",
    "spo2": r"\b(?:spo2|sp02|sao2|o2 sats?|sats?|saturations?|oxygen(?: level| sats?| saturation)?|o2)\b"
    rf"{_SEP}(\d{{2,3}})\b(?! ?(?:l|litres?)\b)",
    "temperature": r"\b(?:temp|temps|temperature|fever|thermometer(?: (?:says|said|reads|read|shows|showed))?|t)\b"
    rf"{_SEP}(\d{{2,3}}(?:[.,]\d)?)(?! ?(?:day|hour|hr|week|/))",
    "bare_decimal": r"(?<![\d/.])(?<!bmi )(?<!bmi of )(?<!a1c )(?<!bm )(?<!sugar )"
    r"((?:3[6-9]|4[01])\.\d)(?![\d/])(?! ?(?:kg|kilos?|mmol|%|weeks|wks|cm|mm|st\b|lbs?|miles|km|years|yrs))",
    "bare_celsius": r"\b((?:3[4-9]|4[0-2])(?:\.\d)?) ?(?:°|degrees|deg)? ?c(?:elsius)?\b",
}
_COMPILED = {name: re.compile(pattern, re.I) for name, pattern in _PATTERNS.items()}
_PRESSURE = re.compile(r"\b(?:bp|blood pressure|pressure)\b[^\d\n]{0,25}(\d{2,3}) ?(?:/|over) ?(\d{2,3})\b", re.I)
_SYSTOLIC = re.compile(rf"\b(?:sbp|systolic)\b{_SEP}(\d{{2,3}})\b", re.I)
_GLUCOSE = re.compile(rf"\b(?:bm|bms|bgl?|cbg|glucose|(?:blood )?sugars?)\b{_SEP}(\d{{1,3}}(?:\.\d)?)\b", re.I)
_COMA = re.compile(rf"\bgcs\b{_SEP}(\d{{1,2}})\b", re.I)
_PLAUSIBLE = {
    "heart_rate": (20, 260),
    "respiratory_rate": (3, 80),
    "spo2": (40, 100),
    "temperature": (30, 43),
    "systolic": (40, 280),
    "diastolic": (20, 180),
}
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_YEARS = NUMBERS | {word: number for number, word in enumerate(_TEENS, start=13)}
_UNIT = {"d": 365.25, "w": 52.18, "m": 12.0, "y": 1.0}
_AGE = re.compile(
    r"\b(\d{1,3}|" + "|".join(NUMBERS) + r")[ -]*"
    r"(days?|weeks?|wks?|months?|mths?|mo|years?|yrs?|y)[ -]*(?:old|o|/o)\b",
    re.I,
)
_FRACTION_AGE = re.compile(r"\b(\d{1,2}) ?/ ?(7|52|12) (?:old|of age|baby|infant)\b", re.I)
_SHORT_AGE = re.compile(r"(?:^|[\s,(])(\d{1,3}) ?(?:m|f|yom|yof|yo|y/o)\b(?!\s*\d)(?!')", re.I)
_BABY_AGE = re.compile(
    r"\b(?:baby|newborn|infant|little one|son|daughter|he|she|he'?s|she'?s|bubs?|boy|girl)"
    r"(?: (?:is|was|only|just|now|aged?))*"
    r"[ ,]+(\d{1,2}|" + "|".join(NUMBERS) + r") (days?|weeks?|wks?|months?|mths?)\b"
    r"(?! (?:pregnan|gone|ago|after|since|along))",
    re.I,
)
_STATED_AGE = re.compile(
    r"\b(?:aged?|i'?m|i am|he'?s|she'?s|he is|she is) (\d{1,3}|" + "|".join(_YEARS) + r")\b"
    r"(?! ?(?:weeks?|wks?|months?|days|hours|min|%|/|of|o'clock|foot|feet|stone|times|pints|st|kilo|miles|in|out"
    r"|to|\d))",
    re.I,
)


class Measured(NamedTuple):
    """Vital signs from fields, then text; glucose in mmol/L."""

    vitals: Vitals
    glucose: float | None


def read_measurements(case: Case, text: str) -> Measured:
    """Merge what was measured with what the text says was measured."""
    said: dict[str, Any] = {}
    for name, pattern in _COMPILED.items():
        for match in pattern.finditer(text):
            _put(said, "temperature" if name.startswith("bare") else name, float(match[1].replace(",", ".")))
    if pressure := _PRESSURE.search(text):
        _put(said, "systolic", float(pressure[1]))
        _put(said, "diastolic", float(pressure[2]))
    elif systolic := _SYSTOLIC.search(text):
        _put(said, "systolic", float(systolic[1]))
    if coma := _COMA.search(text):
        score = int(coma[1])
        if 3 <= score <= 15:
            levels = ((15, "alert"), (13, "confused"), (9, "voice"), (4, "pain"), (3, "unresponsive"))
            said["consciousness"] = next(level for least, level in levels if score >= least)
    merged = {**said, **case.vitals.measured}
    return Measured(Vitals.model_validate(merged) if said else case.vitals, _read_glucose(text))


def _put(said: dict[str, Any], name: str, value: float) -> None:
    if name == "temperature" and 94 <= value <= 109:
        value = round((value - 32) / 1.8, 1)
    low, high = _PLAUSIBLE[name]
    if low <= value <= high:
        said[name] = (
            min(value, said.get(name, value)) if name == "spo2" else said.get(name, value)
        )  # the worst, the first


def _read_glucose(text: str) -> float | None:
    match = _GLUCOSE.search(text)
    if not match:
        return None
    value = float(match[1])
    return round(value / 18.0, 1) if value > 35 else value  # above 35 it can only be mg/dL


def read_ages(text: str) -> tuple[float, ...]:
    """Every age in years a text states: a mother gives hers and the baby's."""
    ages = []
    for match in _AGE.finditer(text):
        word = match[1].lower()
        number = float(word) if word.isdigit() else float(NUMBERS[word])
        ages.append(number / _UNIT[match[2][0].lower()])
    for match in _BABY_AGE.finditer(text):
        word = match[1].lower()
        ages.append((float(word) if word.isdigit() else float(NUMBERS[word])) / _UNIT[match[2][0].lower()])
    ages += [float(m[1]) / {"7": 365.25, "52": 52.18, "12": 12.0}[m[2]] for m in _FRACTION_AGE.finditer(text)]
    if re.search(r"\b(?:newborn|neonate|new born)\b", text, re.I):
        ages.append(0.02)
    stated = [m[1].lower() for pattern in (_SHORT_AGE, _STATED_AGE) for m in pattern.finditer(text)]
    ages += [float(_YEARS.get(word, word)) for word in stated]
    return tuple(age for age in ages if age <= 115)
