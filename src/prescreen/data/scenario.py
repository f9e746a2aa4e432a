"""Scenario: who is ill, with what, how badly and what will be said of it, before any word is chosen.

Knows the tables and chance (`random.Random` only). Knows nothing about sentences, cases or drafts.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Vitals
from prescreen.data.tables import Condition, Modifier, Profile, Tables

T = TypeVar("T")
Sex = Literal["female", "male"]
MODIFIED = 0.15  # share of cases whose level comes from a modifier, where the level has such conditions
MAX_EXTRA, MAX_DENIED, MIN_FINDINGS = 1, 2, 3
PARTS = (
    "heart_rate",
    "respiratory_rate",
    "systolic",
    "diastolic",
    "temperature",
    "spo2",
    "consciousness",
    "pain",
)
SPOKEN_FOR = {
    "drowsy": 1.0,
    "not_waking": 1.0,
    "confusion": 0.85,
    "knocked_out": 0.5,
}  # share told by relatives
SIGNS = {"confusion": "confused", "drowsy": "voice", "seizure": "unresponsive"}


class Duration(NamedTuple):
    """How long it has lasted."""

    number: int
    unit: str
    short: str

    @property
    def long(self) -> str:
        """Such as "2 days"."""
        return f"{self.number} {self.unit}{'s' if self.number != 1 else ''}"


@dataclass(frozen=True)
class Scenario:
    """The truth of one case. `present` is in order of weight: keys, what raises the level, then the rest."""

    condition: Condition
    modifier: Modifier | None
    acuity: Acuity
    age: float
    sex: Sex
    pregnant: bool | None
    background: tuple[str, ...]
    medications: tuple[str, ...]
    allergies: tuple[str, ...]
    present: tuple[str, ...]
    denied: tuple[str, ...]
    unasked: tuple[str, ...]
    vitals: Vitals
    duration: Duration | None
    relative: bool


def deal(rng: random.Random, items: Sequence[T]) -> Iterator[T]:
    """Endless draws without replacement: every item once before any twice."""
    while True:
        yield from rng.sample(items, len(items))


def draw_plan(
    rng: random.Random, tables: Tables, conditions: Sequence[Condition]
) -> Iterator[tuple[Condition, str]]:
    """Endless (condition, modifier name or ""), balanced over levels and over conditions inside a level."""
    plain = {level: deal(rng, [c for c in conditions if c.acuity is level]) for level in Acuity}
    raised = {}
    for level in Acuity:
        pairs = [(c, name) for c in conditions for name, to in c.step_up.items() if to is level]
        raised[level] = deal(rng, pairs) if pairs else None
    for level in deal(rng, list(Acuity)):
        steps = raised[level]
        yield next(steps) if steps and rng.random() < MODIFIED else (next(plain[level]), "")


def _draw_age(rng: random.Random, low: float, high: float) -> float:
    age = rng.uniform(low, high)
    if age < 0.25:
        return round(max(2, round(age * 52)) / 52, 2)
    return round(round(age * 12) / 12, 2) if age < 2 else float(int(age))


def _draw_symptoms(
    rng: random.Random, condition: Condition, modifier: Modifier | None
) -> tuple[tuple[str, ...], ...]:
    """Present, denied, not asked. Keys and fixed denials always; the rest by chance, within limits."""
    raised = [modifier.symptom] if modifier and modifier.symptom else []
    present = [*condition.keys, *raised]
    for symptom, chance in condition.options.items():
        if len(present) < len(condition.keys) + len(raised) + MAX_EXTRA and rng.random() < 0.7 * chance:
            present.append(symptom)
    denied = [s for s in condition.denies if s not in present]
    unasked: list[str] = []
    asks = [s for s in condition.asks if s not in present]
    for position, symptom in enumerate(rng.sample(asks, len(asks))):
        short = len(present) + len(denied) < MIN_FINDINGS
        if short or (len(denied) < MAX_DENIED and ((position == 0 and not denied) or rng.random() < 0.35)):
            denied.append(symptom)
        elif not unasked and len(present) + len(denied) < 5 and rng.random() < 0.5:
            unasked.append(symptom)
    return tuple(present), tuple(denied), tuple(unasked)


def _draw_background(
    rng: random.Random,
    tables: Tables,
    age: float,
    condition: Condition,
    modifier: Modifier | None,
    present: tuple[str, ...],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Long-term conditions and their medicines: what the case needs first, then what is likely at this age."""
    names = list(condition.needs)
    if modifier:
        names += modifier.needs
    elif "blood_thinner" in present:
        names.append("atrial fibrillation on a blood thinner")
    likely = [b for b in condition.background if rng.random() < 0.45]
    common = [n for n, b in tables.background.items() if not b.special and b.start <= age]
    chance = [rng.choice(common)] if common and rng.random() < (0.45 if age >= 40 else 0.2) else []
    for name in (*likely, *chance):
        diabetic = "diabetes" in name and any("diabetes" in n for n in names)
        known = name == "asthma" and condition.id in ("bronchitis", "allergic_rhinitis")
        if name not in names and len(names) < 3 and not diabetic and not known:
            names.append(name)
    medications = [rng.choice(m) for m in (tables.background[n].medications for n in names) if m]
    return tuple(names), tuple(medications)


def _measure(rng: random.Random, tables: Tables, scenario_age: float, profile: Profile) -> dict[str, float | str]:
    band = next(b for b in tables.bands if scenario_age < b.below)
    systolic = round(rng.uniform(*band.systolic) + rng.uniform(*profile.systolic))
    return {
        "heart_rate": round(rng.uniform(*band.heart_rate) + rng.uniform(*profile.heart_rate)),
        "respiratory_rate": round(rng.uniform(*band.respiratory_rate) + rng.uniform(*profile.respiratory_rate)),
        "systolic": systolic,
        "diastolic": round(systolic * rng.uniform(0.58, 0.66)),
        "temperature": round(rng.uniform(*profile.temperature), 1),
        "spo2": round(rng.uniform(*profile.spo2)),
        "consciousness": profile.consciousness,
    }


def _draw_vitals(
    rng: random.Random,
    tables: Tables,
    age: float,
    condition: Condition,
    modifier: Modifier | None,
    present: tuple[str, ...],
    denied: tuple[str, ...],
) -> Vitals:
    """All, some or no vital signs, in keeping with what is said; what decides the level is always measured."""
    forced = modifier.vitals if modifier and modifier.vitals else None
    profile = tables.profiles[forced or rng.choice(condition.vitals)]
    values = _measure(rng, tables, age, profile)
    if "fever" in present and float(values["temperature"]) < 38:
        values["temperature"] = round(rng.uniform(38.1, 38.9), 1)
    if "fever" in denied:
        values["temperature"] = round(rng.uniform(36.3, 37.2), 1)
    for symptom, sign in SIGNS.items():
        if symptom in present:
            values["consciousness"] = sign
    if condition.pain and age >= 4:
        values["pain"] = round(rng.uniform(*condition.pain))
    deciding = set(profile.model_fields_set) if forced else set()
    if "systolic" in deciding:
        deciding.add("diastolic")
    keep = rng.choices([1.0, 0.5, 0.0], [0.35, 0.35, 0.3])[0]
    kept = {k for k in PARTS if k in values and (k in deciding or rng.random() < keep)}
    if "systolic" not in kept or "diastolic" not in kept:
        kept -= {"systolic", "diastolic"}
    return Vitals.model_validate({k: v for k, v in values.items() if k in kept})


def _draw_duration(rng: random.Random, tables: Tables, condition: Condition) -> Duration | None:
    if not condition.onset:
        return None
    onset = tables.onsets[rng.choice(condition.onset)]
    low, high = onset.range
    return Duration(rng.randrange(low, high + 1, onset.step), onset.unit, onset.short)


def draw_scenario(rng: random.Random, tables: Tables, condition: Condition, name: str) -> Scenario:
    """One consistent patient for a condition and, where named, the modifier that raises its level."""
    modifier = tables.modifiers[name] if name else None
    pregnant = condition.pregnant or bool(modifier and modifier.pregnant)
    low, high = modifier.ages if modifier and modifier.ages else condition.ages
    age = _draw_age(rng, max(low, 18) if pregnant else low, min(high, 43) if pregnant else high)
    sexes: tuple[Sex, ...] = ("female", "male")
    sex: Sex = rng.choice(sexes) if condition.sex is None else condition.sex
    sex = "female" if pregnant else sex
    present, denied, unasked = _draw_symptoms(rng, condition, modifier)
    background, medications = _draw_background(rng, tables, age, condition, modifier, present)
    fertile = sex == "female" and 14 <= age <= 50 and condition.id != "ectopic"
    told_by_others = max([condition.relative, *(SPOKEN_FOR.get(s, 0) for s in present)])
    return Scenario(
        condition=condition,
        modifier=modifier,
        acuity=condition.step_up[name] if name else condition.acuity,
        age=age,
        sex=sex,
        pregnant=pregnant or (rng.choice((False, None)) if fertile else None),
        background=background,
        medications=medications,
        allergies=(rng.choice(tables.allergies),) if rng.random() < 0.25 else (),
        present=present,
        denied=denied,
        unasked=unasked,
        vitals=_draw_vitals(rng, tables, age, condition, modifier, present, denied),
        duration=_draw_duration(rng, tables, condition),
        relative=age < 12 or rng.random() < told_by_others,
    )
