"""Counterfactual cases: the same facts told of another person, where who it is does not matter clinically.

Reads `probes/bias.yaml`, where each base case says which attributes are irrelevant to its level. Knows persons and
cases; knows no model and no metric.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label, Vitals
from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError

PROBES = Path(__file__).with_name("probes") / "bias.yaml"
SOURCE, LICENCE = "counterfactual probes", "Apache-2.0 (project)"

Attribute = Literal["sex", "age", "ethnicity", "language", "insurance", "housing", "name"]
Sex = Literal["female", "male"]
BANDS = ((40, "under 40"), (60, "40 to 59"), (200, "60 and over"))


class Base(Strict):
    """One authored case, told twice: in fluent words and in a learner's."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    level: Acuity
    accepted: tuple[Acuity, ...] = ()
    sex: Sex
    ages: tuple[int, ...] = Field(min_length=1, description="one a band, the base's own first")
    swaps: tuple[Attribute, ...] = Field(min_length=1, description="what is irrelevant to this case's level")
    pregnant: bool | None = None
    conditions: tuple[str, ...] | None = None
    medications: tuple[str, ...] | None = None
    vitals: Vitals = Vitals()
    complaint: str = Field(min_length=20)
    broken: str = Field(min_length=20, description="the same facts in a learner's English")

    @model_validator(mode="after")
    def _is_sound(self) -> "Base":
        if min(self.ages) < 18 or len({name_band(age) for age in self.ages}) < len(self.ages):
            raise ValueError("ages must be adult and lie in different bands")
        if ("age" in self.swaps) != (len(self.ages) > 1):
            raise ValueError("give a second age exactly where `age` may be swapped")
        if self.accepted and self.level not in self.accepted:
            raise ValueError(f"accepted must hold the level itself, {self.level.value}")
        return self


class Probes(Strict):
    """The table: what values there are, and the cases they are put into."""

    ethnicity: tuple[str, ...] = Field(min_length=2)
    insurance: tuple[str, ...] = Field(min_length=2)
    housing: tuple[str, ...] = Field(min_length=2)
    names: dict[str, dict[Sex, str]] = Field(min_length=2, description="surname to first names")
    bases: tuple[Base, ...] = Field(min_length=1)


class Person(NamedTuple):
    """Who a case is told of; the fields are the attributes."""

    sex: Sex
    age: int
    ethnicity: str
    language: str
    insurance: str
    housing: str
    name: str


class Counterfactual(NamedTuple):
    """One base case and one attribute: the case of every group, the one others are compared with first."""

    base: str
    attribute: Attribute
    cases: Mapping[str, Case]


@cache
def read_probes(path: Path = PROBES) -> Probes:
    """The table of probes; RecipeError names the place and the mend."""
    try:
        probes = Probes.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    ids = [base.id for base in probes.bases]
    if len(set(ids)) < len(ids):
        raise RecipeError(f"{path}: doubled ids: {', '.join(sorted({i for i in ids if ids.count(i) > 1}))}")
    return probes


def build_counterfactuals(probes: Probes) -> Iterator[Counterfactual]:
    """Every base with every attribute it lets be swapped, in the order of the table."""
    for base in probes.bases:
        told = first_person(base, probes)
        for attribute in base.swaps:
            persons = {
                name_group(attribute, value): Person(**{**told._asdict(), attribute: value})
                for value in list_values(attribute, base, probes)
            }
            cases = {group: tell(base, person, told, probes) for group, person in persons.items()}
            yield Counterfactual(base.id, attribute, cases)


def first_person(base: Base, probes: Probes) -> Person:
    """The person the base is about before any swap."""
    chosen = (probes.ethnicity[0], "fluent", probes.insurance[0], probes.housing[0], next(iter(probes.names)))
    return Person(base.sex, base.ages[0], *chosen)


def list_values(attribute: Attribute, base: Base, probes: Probes) -> tuple[str | int, ...]:
    """The values of an attribute, in one order for every base; all are compared with the first."""
    if attribute == "age":
        return tuple(sorted(base.ages))
    return {
        "sex": ("male", "female"),
        "ethnicity": probes.ethnicity,
        "language": ("fluent", "broken"),
        "insurance": probes.insurance,
        "housing": probes.housing,
        "name": tuple(probes.names),
    }[attribute]


def name_band(age: int) -> str:
    return next(name for limit, name in BANDS if age < limit)


def name_group(attribute: Attribute, value: str | int) -> str:
    """`sex=female`; ages by their band."""
    return f"{attribute}={name_band(value) if isinstance(value, int) else value}"


def tell(base: Base, person: Person, told: Person, probes: Probes) -> Case:
    """The case of one person. Two swaps that give the same person give the same case."""
    differs = [
        f"{name}-{value}" for name, value, old in zip(Person._fields, person, told, strict=True) if value != old
    ]
    name = f"{probes.names[person.name][person.sex]} {person.name}"
    return Case(
        id="-".join(("bias", base.id, *differs)).replace(" ", "-").lower(),
        patient_id=f"bias-pt-{base.id}",
        source=SOURCE,
        licence=LICENCE,
        age_years=person.age,
        sex=person.sex,
        pregnant=base.pregnant,
        conditions=base.conditions,
        medications=base.medications,
        history_text=f"Registered: {name}; {person.ethnicity}; {person.insurance}; {person.housing}.",
        complaint=base.complaint if person.language == "fluent" else base.broken,
        vitals=base.vitals,
        label=Label(acuity=base.level, accepted=base.accepted or (base.level,), origin=SOURCE),
    )
