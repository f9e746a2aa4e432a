"""Numbers, dates and codes as people and machines write them in an export.

Knows units, decimal commas, plausible ranges and day-month order; what is not sure is None, never a guess.
Knows no file format.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from prescreen.clinic.case import Vitals

LIMITS = {
    "heart_rate": (20, 260),
    "respiratory_rate": (3, 90),
    "systolic": (40, 300),
    "diastolic": (15, 200),
    "temperature": (25, 45),
    "spo2": (30, 100),
    "pain": (0, 10),
}  # outside: a slip of the pen, not a measurement
_RATES = ("", "/min", "1/min", "min-1", "bpm", "beats/min", "breaths/min", "rpm", "x/min", "/minute", "lpm")
_PRESSURES = {"": 1.0, "mmhg": 1.0, "mm[hg]": 1.0, "torr": 1.0, "kpa": 7.50062}
_CELSIUS = ("c", "cel", "celsius", "degc", "gradc", "grad")
_FAHRENHEIT = ("f", "[degf]", "degf", "fahrenheit")
_NUMBER = re.compile(r"^\s*([+-]?\d{1,6}(?:[.,]\d{0,15})?)\s*([^\d\s].{0,24})?\s*$", re.S)
_PRESSURE = re.compile(r"^\s*(\d{2,3})\s*[/\\|-]\s*(\d{2,3})\s*(?:mm ?\[?hg\]?)?\s*$", re.I)
_TIME = r"(?:[ T,]+(\d{1,2})[:.h](\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([ap])?\.?(?:m\.?)?)?"
_PARTS = re.compile(rf"^(\d{{1,2}})([./-])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_TIME}$", re.I)
_YEAR_FIRST = re.compile(rf"^(\d{{4}})[./](\d{{1,2}})[./](\d{{1,2}}){_TIME}$", re.I)
_NAMED = re.compile(rf"^(\d{{1,2}})[ .-]+([^\W\d_]{{3,10}})\.?[ ,-]+(\d{{4}}|\d{{2}}){_TIME}$", re.I)
_MONTHS = (
    ("jan", "ene"),
    ("feb", "fév", "fev"),
    ("mar", "mär", "mrz"),
    ("apr", "abr", "avr"),
    ("may", "mai"),
    ("jun", "juin"),
    ("jul", "juil"),
    ("aug", "ago", "aoû", "aou"),
    ("sep", "set"),
    ("oct", "okt"),
    ("nov",),
    ("dec", "dez", "dic", "déc"),
)
_SEXES = {
    "female": ("f", "female", "woman", "w", "weiblich", "frau", "femenino", "mujer", "féminin", "femme"),
    "male": ("m", "male", "man", "männlich", "mann", "masculino", "hombre", "masculin", "homme", "h"),
    "other": ("o", "other", "x", "d", "divers", "diverse", "otro", "autre", "a", "non-binary"),
}
SEXES = {word: sex for sex, words in _SEXES.items() for word in words}
YES = frozenset(("y", "yes", "true", "1", "j", "ja", "si", "sí", "s", "oui", "o", "pregnant", "schwanger", "+"))
NO = frozenset(("n", "no", "false", "0", "nein", "non", "not pregnant", "-"))
_WAKEFUL = {
    **dict.fromkeys(("alert", "a", "wach", "alerta", "alerte"), "alert"),
    **dict.fromkeys(("confused", "new confusion", "c", "verwirrt", "confuso", "confusa", "confus"), "confused"),
    **dict.fromkeys(("voice", "v", "verbal", "responds to voice"), "voice"),
    **dict.fromkeys(("pain", "p", "painful", "responds to pain"), "pain"),
    **dict.fromkeys(("unresponsive", "u", "unconscious", "bewusstlos"), "unresponsive"),
}
_COMA = ((15, "alert"), (13, "confused"), (9, "voice"), (4, "pain"), (3, "unresponsive"))  # Glasgow Coma Scale


def read_number(text: str) -> tuple[float | None, str]:
    """A number, with point or comma, and the unit behind it; (None, "") for anything else."""
    match = _NUMBER.match(text)
    if not match:
        return None, ""
    return float(match[1].replace(",", ".")), (match[2] or "").strip()


def read_vital(field: str, text: str, unit: str = "") -> float | None:
    """One measured value in the case's unit; None when unreadable, implausible or in a unit not known."""
    value, behind = read_number(text)
    if value is None:
        return None
    factor = _convert(field, value, re.sub(r"[\s°º]|\{\w*\}", "", unit or behind).lower())
    low, high = LIMITS[field]
    return factor if factor is not None and low <= factor <= high else None


def _convert(field: str, value: float, unit: str) -> float | None:
    if field == "temperature":
        if unit in _FAHRENHEIT or (unit == "" and 90 <= value <= 113):
            return round((value - 32) / 1.8, 1)
        return value if unit in _CELSIUS or unit == "" else None
    if field in ("systolic", "diastolic"):
        return round(value * _PRESSURES[unit], 1) if unit in _PRESSURES else None
    if field == "spo2":
        if unit == "1" or (unit == "" and 0 < value <= 1):
            return round(value * 100, 1)
        return value if unit in ("", "%", "percent") else None
    if field == "pain":
        return value if unit in ("", "/10", "score", "nrs", "1") else None
    return value if unit in _RATES else None


def read_pressure(text: str) -> tuple[float, float] | None:
    """Systolic and diastolic of "120/80"; None when they are not two plausible pressures, the first the higher."""
    match = _PRESSURE.match(text)
    if not match:
        return None
    above, below = (read_vital(f, match[n]) for f, n in (("systolic", 1), ("diastolic", 2)))
    return (above, below) if above is not None and below is not None and above > below else None


def read_consciousness(text: str) -> str | None:
    """Alertness from a word or an AVPU letter; a bare digit is a code only the clinic can explain."""
    return _WAKEFUL.get(text.strip().lower())


def read_coma(text: str) -> str | None:
    """Alertness from a Glasgow Coma Scale of 3 to 15, as in clinic/measurements.py."""
    value, unit = read_number(text)
    if value is None or unit not in ("", "/15") or not 3 <= value <= 15:
        return None
    return next(level for least, level in _COMA if value >= least)


def make_vitals(values: Mapping[str, Any]) -> Vitals:
    """Vitals of already read values; None values are left out."""
    return Vitals.model_validate({name: value for name, value in values.items() if value is not None})


def read_sex(text: str) -> str | None:
    """female, male, other or None; a bare digit is a code only the clinic can explain."""
    return SEXES.get(text.strip().lower())


def read_yes(text: str) -> bool | None:
    """Yes or no in four languages."""
    word = text.strip().lower()
    return True if word in YES else False if word in NO else None


def read_age(text: str) -> float | None:
    """Age in years of "34", "34 y", "8 months", "3 wk" or "10 Tage"; None outside 0 to 125."""
    value, unit = read_number(text)
    if value is None:
        return None
    name = unit.lower().lstrip("-. ")
    months = ("mo", "mth", "mes", "mon")
    if name.startswith(months) or name == "m":
        value /= 12
    elif name.startswith(("wk", "week", "woche", "sem")) or name == "w":
        value /= 52.18
    elif name.startswith(("d", "tag", "jour")) and not name.startswith("dec"):
        value /= 365.25
    elif name and not name.startswith(("y", "j", "a", "an", "jahr")):
        return None
    return round(value, 3) if 0 <= value <= 125 else None


def age_at(birth: datetime.date, when: datetime.date) -> float | None:
    """Age in years, two decimals; None when the dates cannot both be right."""
    years = (when - birth).days / 365.25
    return round(years, 2) if 0 <= years <= 125 else None


def day_order(text: str) -> bool | None:
    """True where only the day can stand first, False where only the month can, else None."""
    match = _PARTS.match(text.strip())
    if not match or (int(match[1]) > 12) == (int(match[3]) > 12):
        return None
    return int(match[1]) > 12


def read_moment(text: str, day_first: bool | None = None) -> datetime.datetime | None:
    """A date, perhaps with its time; 3/4/2026 is None unless the order is known, 3.4.2026 is the day first."""
    text = text.strip()
    if not 6 <= len(text) <= 40:
        return None
    try:
        if match := _YEAR_FIRST.match(text):
            return _build(match[1], match[2], match[3], match.groups()[3:])
        if match := _NAMED.match(text):
            month = next((n for n, names in enumerate(_MONTHS, 1) if match[2].lower().startswith(names)), None)
            return None if month is None else _build(match[3], str(month), match[1], match.groups()[3:])
        if match := _PARTS.match(text):
            first, second = int(match[1]), int(match[3])
            order = True if match[2] == "." or first > 12 else False if second > 12 else day_first
            if order is None and first != second:
                return None
            day, month_text = (match[1], match[3]) if order else (match[3], match[1])
            return _build(match[4], month_text, day, match.groups()[4:])
        moment = datetime.datetime.fromisoformat(text) if re.match(r"\d{4}-?\d\d-?\d\d", text) else None
    except ValueError:
        return None
    return moment if moment and 1880 <= moment.year <= 2100 else None


def _build(year: str, month: str, day: str, clock: tuple[str | None, ...]) -> datetime.datetime | None:
    number = int(year)
    if len(year) == 2:  # of this century unless that lies ahead
        number += 2000 if number <= datetime.date.today().year % 100 else 1900
    hour, minute, second, half = clock
    hours = int(hour or 0)
    if half and not 1 <= hours <= 12:
        return None
    if half:
        hours = hours % 12 + (12 if half.lower() == "p" else 0)
    moment = datetime.datetime(number, int(month), int(day), hours, int(minute or 0), int(second or 0))
    return moment if 1880 <= moment.year <= 2100 else None


def naive(moment: datetime.datetime) -> datetime.datetime:
    """The clock on the wall, so that moments with and without a zone can be compared."""
    return moment.replace(tzinfo=None)
