"""Cases written by hand: YAML files of conditions, each with its level, its source and the contacts that show it.

The case bank (`evals/bank/`) and the voices (`data/voices/`) are such folders. Knows files and cases, neither
metrics nor training.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import Field, ValidationError, model_validator

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label, Turn, Vitals
from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError

LICENCE = "Apache-2.0 (project)"

Trap = Literal[
    "comorbidity",  # an illness or medicine hides or sharpens the danger
    "atypical age",  # very young or very old, told as such ages show it
    "minimised",  # the patient or a relative plays it down
    "anxious",  # a harmless case told with alarm
    "contradictory",  # measurements and words disagree
    "missing",  # what matters most was not asked or measured
    "ambiguous",  # a range of levels is right
]


class Contact(Strict):
    """One authored contact, in short words. Vitals by the names of `clinic.case.Vitals`."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    style: Literal["patient", "relative", "note"]
    traps: tuple[Trap, ...] = ()
    accepted: tuple[Acuity, ...] = ()
    flags: tuple[str, ...] = ()
    age: float | None = None
    sex: Literal["female", "male", "other"] | None = None
    pregnant: bool | None = None
    conditions: tuple[str, ...] | None = None
    medications: tuple[str, ...] | None = None
    allergies: tuple[str, ...] | None = None
    history: str = ""
    vitals: Vitals = Vitals()
    language: str = "en"
    complaint: str = Field(min_length=1)
    turns: tuple[tuple[Literal["assistant", "patient", "relative", "nurse"], str], ...] = ()


class Condition(Strict):
    """A condition at one level, the published ground for the level, and its contacts."""

    condition: str
    level: Acuity
    source: str = Field(min_length=8, description="guideline or textbook, with year and place")
    why: str = Field(min_length=8, description="why this level, in one sentence")
    also_in_training: tuple[str, ...] = Field((), description="conditions of the synthesizer that are the same")
    cases: tuple[Contact, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ranges_hold_the_level(self) -> "Condition":
        for case in self.cases:
            if case.accepted and self.level not in case.accepted:
                raise ValueError(f"{case.id}: accepted must hold the level itself, {self.level.value}")
            if bool(case.accepted) != ("ambiguous" in case.traps):
                raise ValueError(f"{case.id}: a range of levels and the trap `ambiguous` go together")
        return self


class Told(Protocol):
    """Anyone a written case is about, in the short words of our files."""

    @property
    def age(self) -> float | None: ...
    @property
    def sex(self) -> Literal["female", "male", "other"] | None: ...
    @property
    def pregnant(self) -> bool | None: ...
    @property
    def conditions(self) -> tuple[str, ...] | None: ...
    @property
    def medications(self) -> tuple[str, ...] | None: ...
    @property
    def allergies(self) -> tuple[str, ...] | None: ...


def describe_person(told: Told) -> dict[str, Any]:
    """Who it is about, and under which licence, as the fields of `Case`."""
    return {
        "licence": LICENCE,
        "age_years": told.age,
        "sex": told.sex,
        "pregnant": told.pregnant,
        "conditions": told.conditions,
        "medications": told.medications,
        "allergies": told.allergies,
    }


class Entry(NamedTuple):
    """A case with what its author says about it."""

    case: Case
    style: str
    traps: tuple[str, ...]
    why: str
    topic: str
    trained: bool = False  # the synthesizer shows the condition to those who train, in other words


def read_authored(folder: Path, prefix: str, source: str, version: str) -> tuple[Entry, ...]:
    """All cases, topic by topic; RecipeError names the file, the place and the mend."""
    entries: list[Entry] = []
    for path in sorted(folder.glob("*.yaml")):
        listed = read_yaml(path).get("conditions", [])
        for number, raw in enumerate(listed):
            try:
                condition = Condition.model_validate(raw)
            except ValidationError as error:
                first = error.errors()[0]
                name = raw.get("condition", number) if isinstance(raw, dict) else number
                raise RecipeError(f"{path}: {name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
            entries += _write_entries(condition, path.stem, prefix, source, version)
    ids = [entry.case.id for entry in entries]
    if len(set(ids)) < len(ids):
        raise RecipeError(f"{folder}: doubled ids: {', '.join(sorted({i for i in ids if ids.count(i) > 1}))}")
    return tuple(entries)


def _write_entries(condition: Condition, topic: str, prefix: str, source: str, version: str) -> Iterator[Entry]:
    for told in condition.cases:
        label = Label(
            acuity=condition.level,
            accepted=told.accepted or (condition.level,),
            origin=f"{source} {version}; {condition.source}",
            condition=condition.condition,
            red_flags=told.flags,
        )
        case = Case(
            id=f"{prefix}-{told.id}",
            patient_id=f"{prefix}-pt-{told.id}",
            source=source,
            language=told.language,
            **describe_person(told),
            history_text=told.history,
            complaint=told.complaint,
            vitals=told.vitals,
            turns=tuple(Turn(speaker=speaker, text=text) for speaker, text in told.turns),
            label=label,
        )
        yield Entry(case, told.style, told.traps, condition.why, topic, bool(condition.also_in_training))
