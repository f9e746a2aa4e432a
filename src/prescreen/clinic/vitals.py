"""Vital signs in plain words, with what is abnormal about them.

The limits are the outer bands of NEWS2 (Royal College of Physicians, 2017: two or more points for one sign),
for adults; it does not score and it decides nothing.
"""

from typing import NamedTuple

from prescreen.clinic.case import Vitals


class Sign(NamedTuple):
    """One vital sign: field, its name in words, unit, and the limits beyond which it is named abnormal."""

    field: str
    words: str
    unit: str
    low: float
    high: float


SIGNS = (
    Sign("respiratory_rate", "breathing rate", "/min", 9, 20),
    Sign("spo2", "oxygen saturation", " %", 94, 100),
    Sign("systolic", "systolic blood pressure", " mmHg", 101, 219),
    Sign("heart_rate", "heart rate", "/min", 41, 110),
    Sign("temperature", "temperature", " °C", 35.1, 39.0),
)
SEVERE_PAIN = 7  # numeric rating scale 0-10


def mark_abnormal(vitals: Vitals) -> dict[str, str]:
    """`low` or `high` for each measured sign beyond its limits, by field."""
    values = {sign: getattr(vitals, sign.field) for sign in SIGNS}
    return {
        sign.field: "low" if value < sign.low else "high"
        for sign, value in values.items()
        if value is not None and not sign.low <= value <= sign.high
    }


def describe_vitals(vitals: Vitals) -> list[str]:
    """Each abnormal sign in a few words, e.g. `oxygen saturation 88 % (low)`; an empty list when none is."""
    marks = mark_abnormal(vitals)
    found = [
        f"{sign.words} {getattr(vitals, sign.field):g}{sign.unit} ({marks[sign.field]})"
        for sign in SIGNS
        if sign.field in marks
    ]
    if vitals.consciousness not in (None, "alert"):
        found.append(f"not fully alert ({vitals.consciousness})")
    if vitals.pain is not None and vitals.pain >= SEVERE_PAIN:
        found.append(f"severe pain ({vitals.pain:g} of 10)")
    return found
