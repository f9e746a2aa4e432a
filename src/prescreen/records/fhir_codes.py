"""The codes the FHIR reader understands: vital signs, their units, statements of absence, who is awake.

A code or unit that is not listed here is ignored, never guessed at. Sources: LOINC and SNOMED CT code lists, UCUM,
and the absent-or-unknown codes of the International Patient Summary.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, get_args

from prescreen.records.fhir_values import LOINC, SNOMED, UCUM, as_number, as_object, as_text, read_codes, read_label

Consciousness = Literal["alert", "confused", "voice", "pain", "unresponsive"]

VITALS: Final = {
    "8867-4": "heart_rate",
    "9279-1": "respiratory_rate",
    "8480-6": "systolic",
    "8462-4": "diastolic",
    "8310-5": "temperature",
    "2708-6": "spo2",
    "59408-5": "spo2",
    "72514-3": "pain",
    "80288-4": "consciousness",
}
COMPLAINTS: Final = {"8661-1", "10154-3", "46239-0", "29299-5"}  # chief complaint, reason for visit
HISTORIES: Final = {"11348-0", "10157-6", "29762-2", "57133-1"}  # past, family and social history; referral
ESI: Final = "75636-1"
PREGNANCY: Final = "82810-3"
PREGNANT: Final = {"LA15173-0", "77386006", "72892002"}
NOT_PREGNANT: Final = {"LA26683-5", "60001007"}

_SAME: Callable[[float], float] = float
_RATE = {"/min": _SAME, "{beats}/min": _SAME, "{Beats}/min": _SAME, "{breaths}/min": _SAME, "1/min": _SAME}
_PRESSURE = {"mm[Hg]": _SAME, "kPa": lambda value: value * 7.50062}
_UNITS: Final[dict[str, dict[str, Callable[[float], float]]]] = {
    "heart_rate": _RATE,
    "respiratory_rate": _RATE,
    "systolic": _PRESSURE,
    "diastolic": _PRESSURE,
    "temperature": {"Cel": _SAME, "[degF]": lambda value: (value - 32) / 1.8, "K": lambda value: value - 273.15},
    "spo2": {"%": _SAME},
    "pain": {"{score}": _SAME, "{Score}": _SAME, "1": _SAME, "": _SAME},
}
_POSSIBLE: Final = {
    "heart_rate": (0, 350),
    "respiratory_rate": (0, 150),
    "systolic": (0, 350),
    "diastolic": (0, 250),
    "temperature": (15, 47),
    "spo2": (0, 100),
    "pain": (0, 10),
}
_AWAKE: Final[dict[str, Consciousness]] = {
    "248234008": "alert",
    "130987000": "confused",
    "300202002": "voice",
    "450847001": "pain",
    "422768004": "unresponsive",
    "mentally alert": "alert",
    "awake": "alert",
    "a": "alert",
    "new confusion": "confused",
    "acute confusion": "confused",
    "c": "confused",
    "verbal": "voice",
    "responds to voice": "voice",
    "v": "voice",
    "responds to pain": "pain",
    "p": "pain",
    "u": "unresponsive",
    **{name: name for name in get_args(Consciousness)},
}
_ABSENT = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
_NONE_KNOWN: Final = {
    "allergies": {"716186003", "160244002", "409137002", "no-known-allergies", "no-known-medication-allergies"},
    "conditions": {"160245001", "no-known-problems"},
    "medications": {"787481004", "1287211007", "no-known-medications"},
}
_SILENT: Final = {"no-allergy-info", "no-problem-info", "no-medication-info"}
_NONE_TEXTS: Final = {
    "allergies": {"no known allergies", "no known allergy", "no known drug allergies", "nka", "nkda"},
    "conditions": {"no known problems", "no known conditions"},
    "medications": {"no known medications", "no current medications"},
}


def states_none(concept: Any, what: str) -> bool:
    """Whether a concept says that there are no allergies, conditions or medications."""
    codes = read_codes(concept, (*SNOMED, _ABSENT))
    return bool(codes & _NONE_KNOWN[what]) or read_label(concept).lower().rstrip(".") in _NONE_TEXTS[what]


def states_nothing(concept: Any) -> bool:
    """Whether a concept says only that nobody asked."""
    return bool(read_codes(concept, (_ABSENT,)) & _SILENT)


def read_vital(part: dict[str, Any]) -> tuple[str, float | Consciousness] | None:
    """The vital sign an Observation or one of its components measured, in our unit."""
    name = next((VITALS[code] for code in sorted(read_codes(part.get("code"), LOINC)) if code in VITALS), None)
    if name is None:
        return None
    if name == "consciousness":
        value = part.get("valueCodeableConcept") or {"text": part.get("valueString")}
        answers = [*read_codes(value, SNOMED), read_label(value).lower().removesuffix(" (finding)")]
        level = next((_AWAKE[answer] for answer in answers if answer in _AWAKE), None)
        return (name, level) if level else None
    number = _read_quantity(part, name)
    low, high = _POSSIBLE[name]
    return (name, round(number, 2)) if number is not None and low <= number <= high else None


def _read_quantity(part: dict[str, Any], name: str) -> float | None:
    quantity = as_object(part.get("valueQuantity"))
    if name == "pain" and not quantity:
        return as_number(part.get("valueInteger"))
    number = as_number(quantity.get("value"))
    if number is None or quantity.get("comparator") is not None:
        return None
    if as_text(quantity.get("system")) not in ("", *UCUM):
        return None
    convert = _UNITS[name].get(as_text(quantity.get("code")) or as_text(quantity.get("unit")))
    return convert(number) if convert else None
