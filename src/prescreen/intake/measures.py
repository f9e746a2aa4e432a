"""Measurements taken at home: read, checked against what is possible, told in English. Draws no conclusion.

What is not possible is asked once more and then kept as text, so that it neither counts nor is lost.
"""

import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from prescreen.intake.state import Values


class Measure(NamedTuple):
    """One measurement: its field, its English name, its units, and what is possible in each of them."""

    field: str
    words: str
    units: Mapping[str, tuple[float, float]]


MEASURES = (
    Measure("temperature", "Temperature", {"°C": (30, 43), "°F": (86, 109.4)}),
    Measure("heart_rate", "Pulse", {"/min": (20, 260)}),
    Measure("spo2", "Oxygen saturation", {"%": (40, 100)}),
    Measure("systolic", "Systolic blood pressure", {"mmHg": (40, 280)}),
    Measure("diastolic", "Diastolic blood pressure", {"mmHg": (20, 180)}),
    Measure("glucose", "Blood glucose", {"mmol/L": (0.5, 70), "mg/dL": (9, 1260)}),
)
LONGEST = 40  # characters
_VITALS = ("temperature", "heart_rate", "spo2", "systolic", "diastolic")


def read_number(text: str) -> float | None:
    """A number as people write it, in any digits, with a comma or a point; None when it is none."""
    digits = "".join(str(unicodedata.digit(c, c)) for c in text.strip())
    plain = digits.replace("\u066b", ".").replace(",", ".")
    if not plain.isascii() or not plain.replace(".", "", 1).isdigit() or len(plain) > 8:
        return None
    return float(plain)


def unit_of(measure: Measure, values: Values) -> str:
    """The chosen unit, or the first."""
    chosen = next(iter(values.get(f"{measure.field}_unit", ())), "")
    return chosen if chosen in measure.units else next(iter(measure.units))


def is_possible(measure: Measure, values: Values) -> bool:
    """Whether a field is empty or holds a value that can be."""
    raw = next(iter(values.get(measure.field, ())), "")
    number = read_number(raw)
    low, high = measure.units[unit_of(measure, values)]
    return not raw or (number is not None and low <= number <= high)


def read_home(values: Values) -> dict[str, float]:
    """The vital signs among the possible values, in the units of a case."""
    found: dict[str, float] = {}
    for measure in MEASURES:
        raw = next(iter(values.get(measure.field, ())), "")
        number = read_number(raw)
        if measure.field in _VITALS and number is not None and is_possible(measure, values):
            celsius = measure.field == "temperature" and unit_of(measure, values) == "°F"
            found[measure.field] = round((number - 32) / 1.8, 1) if celsius else number
    return found


def tell_home(values: Values) -> str:
    """All values in English; empty when nothing was measured."""
    told = []
    for measure in MEASURES:
        if raw := next(iter(values.get(measure.field, ())), ""):
            number, unit = read_number(raw), unit_of(measure, values)
            if number is not None and is_possible(measure, values):
                told.append(f"{measure.words} {number:g} {unit}.")
            else:
                told.append(f'{measure.words} entered as "{raw}" {unit} (not possible, not used).')
    return " ".join(told)
