"""What a nurse measures or is told, from a form into the case; and how the page tells it. Decides nothing."""

from typing import Final, NamedTuple

from pydantic import Field, ValidationError

from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.clinic.child_vitals import count_danger_signs
from prescreen.clinic.news2 import score_news2
from prescreen.clinic.vitals import SEVERE_PAIN, mark_abnormal
from prescreen.config import Strict
from prescreen.errors import RefusedError
from prescreen.service.nurse.viewer import Posted

STATES: Final = ("alert", "confused", "voice", "pain", "unresponsive")
ADULT: Final = 16


class Measure(NamedTuple):
    """A vital sign as a field: name, words, unit, least and most that may be typed, step."""

    name: str
    words: str
    unit: str
    least: float
    most: float
    step: str = "1"


VITALS: Final = (
    Measure("heart_rate", "Heart rate", "/min", 20, 260),
    Measure("respiratory_rate", "Breathing rate", "/min", 3, 80),
    Measure("systolic", "Systolic pressure", "mmHg", 40, 280),
    Measure("diastolic", "Diastolic pressure", "mmHg", 20, 180),
    Measure("temperature", "Temperature", "°C", 30, 43, "0.1"),
    Measure("spo2", "Oxygen saturation", "%", 40, 100),
    Measure("pain", "Pain", "of 10", 0, 10),
)


class Sign(NamedTuple):
    """A measured value on the page; `mark` is "", "low", "high" or a word of its own."""

    words: str
    value: str
    mark: str


class _Measured(Strict):
    heart_rate: float | None = Field(None, ge=20, le=260)
    respiratory_rate: float | None = Field(None, ge=3, le=80)
    systolic: float | None = Field(None, ge=40, le=280)
    diastolic: float | None = Field(None, ge=20, le=180)
    temperature: float | None = Field(None, ge=30, le=43)
    spo2: float | None = Field(None, ge=40, le=100)
    pain: float | None = Field(None, ge=0, le=10)


def add_measured(case: Case, form: Posted) -> tuple[Case, str]:
    """The case with what was typed, and the same in a line for the log of the visit."""
    typed = {field.name: form.text(field.name, 8).replace(",", ".") for field in VITALS if form.text(field.name, 8)}
    state, words = form.text("consciousness", 20), form.text("words", 1_000)
    try:
        measured = _Measured.model_validate(typed).model_dump(exclude_none=True)
    except ValidationError as error:
        field = next(field for field in VITALS if field.name == error.errors()[0]["loc"][0])
        raise RefusedError(
            f"{field.words}: type a number from {field.least:g} to {field.most:g} {field.unit}"
        ) from None
    if state and state not in STATES:
        raise RefusedError("consciousness: choose one of the list")
    if state:
        measured["consciousness"] = state
    if not measured and not words:
        raise RefusedError("type at least one value or what you were told")
    turns = (*case.turns, Turn(speaker="nurse", text=words)) if words else case.turns
    vitals = Vitals(**{**case.vitals.model_dump(), **measured})
    told = "; ".join(f"{sign.words} {sign.value}" for sign in list_signs(Vitals(**measured)))
    return case.model_copy(update={"vitals": vitals, "turns": turns}), "\n".join(filter(None, (told, words)))


def list_signs(vitals: Vitals) -> list[Sign]:
    """Every measured sign with what is abnormal about it."""
    marks = mark_abnormal(vitals)
    values = {name: value for name, value in vitals if value is not None}
    if vitals.pain is not None and vitals.pain >= SEVERE_PAIN:
        marks["pain"] = "severe"
    signs = [
        Sign(field.words, f"{values[field.name]:g} {field.unit}", marks.get(field.name, ""))
        for field in VITALS
        if field.name in values
    ]
    if vitals.consciousness is not None:
        mark = "" if vitals.consciousness == "alert" else "not fully alert"
        signs.append(Sign("Consciousness", vitals.consciousness, mark))
    return signs


def tell_score(case: Case) -> str:
    """NEWS2 where it is defined, the danger signs of a child where it is not; "" where nothing was measured."""
    age = case.age_years
    if age is not None and age < ADULT:
        count = count_danger_signs(case.vitals, age)
        return f"{count} danger sign{'s' if count != 1 else ''} for this age" if case.vitals.measured else ""
    if case.pregnant:
        return "NEWS2 is not defined in pregnancy" if case.vitals.measured else ""
    score = score_news2(case.vitals)
    if score is None:
        return ""
    missing = ", ".join(name.replace("_", " ") for name in score.missing)
    told = f"NEWS2 {score.score}" + (", one sign at 3" if score.highest == 3 else "") + " on air"
    told += f"; at least, not measured: {missing}" if missing else ""
    return told if age is not None else f"{told}; age unknown, holds for 16 and over"
