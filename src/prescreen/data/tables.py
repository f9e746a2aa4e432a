"""Our own clinical knowledge as frozen records: symptoms, conditions, modifiers, vitals, history, frames.

Knows the YAML tables in `knowledge/` and that every name in them resolves. Knows nothing about cases or text.
Written from general medical knowledge; each condition names the textbook or guideline behind its urgency.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from pydantic import Field

from prescreen.clinic.acuity import Acuity
from prescreen.config import Strict, read_yaml

FOLDER = Path(__file__).with_name("knowledge")
Split = Literal["train", "test"]
Range = tuple[float, float]


class Symptom(Strict):
    """One thing a person can feel or report. `lay` are first-person clauses; `ask` follows "any" and "no"."""

    name: str
    ask: str
    note: str = ""
    kind: Literal["symptom", "state", "told"] = "symptom"
    alarm: bool = False
    lay: list[str] = Field(min_length=6)


class LookAlike(Strict):
    """The condition most easily confused with this one, what points to it and what points away from it."""

    name: str
    points: str = Field(alias="for")
    against: str


class Condition(Strict):
    """One presentation with its urgency. Symptoms are keys of the symptom table."""

    id: str
    acuity: Acuity
    name: str
    source: str
    held_out: bool = False
    sex: Literal["female", "male"] | None = None
    pregnant: bool = False
    ages: Range
    keys: list[str] = Field(min_length=1, max_length=3)
    denies: list[str] = []
    options: dict[str, float] = {}
    asks: list[str] = Field(min_length=1)
    flags: list[str] = []
    vitals: list[str] = Field(min_length=1)
    pain: Range | None = None
    onset: list[str]
    relative: float = 0.2
    needs: list[str] = []
    background: list[str] = []
    why: str
    steps: list[str] = Field(min_length=2, max_length=3)
    alike: LookAlike
    step_up: dict[str, Acuity] = {}

    @property
    def symptoms(self) -> list[str]:
        """Every symptom this condition mentions."""
        return [*self.keys, *self.denies, *self.options, *self.asks]


class Modifier(Strict):
    """One circumstance that raises the level of the conditions that name it."""

    flag: str
    symptom: str | None = None
    vitals: str | None = None
    ages: Range | None = None
    pregnant: bool = False
    needs: list[str] = []


class Band(Strict):
    """Normal vital signs below an age in years."""

    below: float
    heart_rate: Range
    respiratory_rate: Range
    systolic: Range


class Profile(Strict):
    """A pattern of vital signs: offsets from the age's normal, absolute for temperature and saturation."""

    heart_rate: Range = (0, 0)
    respiratory_rate: Range = (0, 0)
    systolic: Range = (0, 0)
    temperature: Range = (36.3, 37.2)
    spo2: Range = (96, 99)
    consciousness: Literal["alert", "confused", "voice", "pain", "unresponsive"] = "alert"


class Background(Strict):
    """A long-term condition, the age it is drawn from and its usual medicines."""

    start: float = Field(alias="from", default=0)
    special: bool = False
    medications: list[str]


class Onset(Strict):
    """How a duration class is counted and abbreviated."""

    unit: str
    short: str
    range: tuple[int, int]
    step: int


class Tables(NamedTuple):
    """All knowledge; read it through `load_tables`."""

    symptoms: Mapping[str, Symptom]
    conditions: Mapping[str, Condition]
    modifiers: Mapping[str, Modifier]
    bands: tuple[Band, ...]
    profiles: Mapping[str, Profile]
    background: Mapping[str, Background]
    allergies: tuple[str, ...]
    onsets: Mapping[str, Onset]
    frames: Mapping[str, Mapping[str, list[str]]]


def _read_conditions(folder: Path) -> dict[str, Condition]:
    conditions: dict[str, Condition] = {}
    for level in Acuity:
        for key, row in read_yaml(folder / f"{level.value}.yaml").items():
            assert key not in conditions, f"condition {key} appears twice"
            conditions[key] = Condition.model_validate({"id": key, "acuity": level, **row})
    return conditions


def _check_names(tables: Tables) -> None:
    """Every name resolves, and chance never produces what would raise a level unseen."""
    for condition in tables.conditions.values():
        where = f"condition {condition.id}"
        unknown = [s for s in condition.symptoms if s not in tables.symptoms]
        unknown += [m for m in condition.step_up if m not in tables.modifiers]
        unknown += [p for p in condition.vitals if p not in tables.profiles]
        unknown += [o for o in condition.onset if o not in tables.onsets]
        unknown += [b for b in (*condition.needs, *condition.background) if b not in tables.background]
        assert not unknown, f"{where}: unknown {unknown}"
        told = [*condition.keys, *condition.options]
        assert len({*condition.keys, *condition.denies, *condition.asks}) >= 3, f"{where}: too little to report"
        assert len(set(told)) == len(told), f"{where}: a symptom is listed twice"
        for name, level in condition.step_up.items():
            modifier = tables.modifiers[name]
            assert level > condition.acuity, f"{where}: {name} does not raise the level"
            assert modifier.symptom not in told, f"{where}: {name} can appear without raising the level"
            assert modifier.vitals not in condition.vitals, f"{where}: {name} is among its usual vitals"
    for name, modifier in tables.modifiers.items():
        assert modifier.symptom is None or modifier.symptom in tables.symptoms, f"modifier {name}: symptom"
        assert modifier.vitals is None or modifier.vitals in tables.profiles, f"modifier {name}: vitals"


@cache
def load_tables(folder: Path = FOLDER) -> Tables:
    """Read and check all tables once; a mistake in them is a fault of ours, not of the user."""
    vitals, history = read_yaml(folder / "vitals.yaml"), read_yaml(folder / "history.yaml")
    frames = read_yaml(folder / "frames.yaml")
    tables = Tables(
        symptoms={k: Symptom.model_validate(v) for k, v in read_yaml(folder / "symptoms.yaml").items()},
        conditions=_read_conditions(folder),
        modifiers={k: Modifier.model_validate(v) for k, v in read_yaml(folder / "modifiers.yaml").items()},
        bands=tuple(Band.model_validate(band) for band in vitals["bands"]),
        profiles={k: Profile.model_validate(v) for k, v in vitals["profiles"].items()},
        background={k: Background.model_validate(v) for k, v in history["conditions"].items()},
        allergies=tuple(history["allergies"]),
        onsets={k: Onset.model_validate(v) for k, v in history["onset"].items()},
        frames=MappingProxyType(frames),
    )
    _check_names(tables)
    return tables
