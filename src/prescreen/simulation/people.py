"""Who comes to the invented clinic: nobody who exists, drawn from the project's own knowledge tables.

Knows tables and chance; the same seed and week bring the same people. Knows no model, no nurse and no store. The
words are those of the synthesizer, never of a test bank: what the clinic learns here tests nothing elsewhere.
"""

import datetime
import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Vitals
from prescreen.config import Strict
from prescreen.data.scenario import draw_scenario
from prescreen.data.synthesize import write_case
from prescreen.data.tables import Condition, Tables, load_tables

T = TypeVar("T")
MONDAY: Final = datetime.datetime(2025, 1, 6, 8, 0, tzinfo=datetime.UTC)
OPEN_HOURS: Final = 10
OPEN_DAYS: Final = 5
LEVELS: Final = {Acuity.EMERGENCY: 0.14, Acuity.HIGH: 0.24, Acuity.MEDIUM: 0.34, Acuity.LOW: 0.28}
STEPPED: Final = 0.12  # share whose level comes from a circumstance, where the condition has such
SETTLERS: Final = frozenset(
    {
        "dog_bite",
        "nappy_rash",
        "septic_joint",
        "temporal_arteritis",
        "tonsillitis",
        "hives_simple",
        "diverticulitis",
    }
)
FLU: Final = frozenset(
    {"pneumonia", "bronchitis", "viral_child", "cold", "throat_virus", "sinusitis", "asthma_moderate", "sepsis"}
)
_GIVEN: Final = ("Arno", "Belia", "Corin", "Dunja", "Elio", "Fenna", "Goran", "Hedda", "Ismo", "Jorun", "Kelda")
_FAMILY: Final = (
    "Aldermoor",
    "Brackwater",
    "Corvane",
    "Dunnerby",
    "Elsgard",
    "Fallowmere",
    "Grimsholt",
    "Harrowin",
)


class Crowd(Strict):
    """Who comes in a week. Shares are between 0 and 1; `unknown` is the share of conditions never trained on."""

    contacts: int = 40
    unknown: float = 0.2
    flu: float = 0.0
    newcomers: float = 0.0  # a new population: another language, conditions never trained on
    vitals: bool = True  # whether the devices' values arrive
    consent: float = 0.9


class Arrival(NamedTuple):
    """One patient at the door. `case` carries its true label, which neither model nor store is ever given."""

    at: datetime.datetime
    case: Case
    language: str
    channel: str
    consent: bool
    given: str
    family: str

    @property
    def told(self) -> Case:
        """The case without the truth."""
        return self.case.model_copy(update={"label": None})

    @property
    def truth(self) -> Acuity:
        """How urgent it really is."""
        assert self.case.label is not None
        return self.case.label.acuity


def meet_week(seed: int, week: int, crowd: Crowd) -> list[Arrival]:
    """Everybody of one week, in order of arrival."""
    rng = random.Random(f"clinic/{seed}/{week}")
    tables = load_tables()
    minutes = sorted(rng.sample(range(OPEN_DAYS * OPEN_HOURS * 60), crowd.contacts))
    return [
        _meet(rng, tables, crowd, _moment(week, minute), f"s{seed}-w{week:02d}-{n:03d}")
        for n, minute in enumerate(minutes)
    ]


def moment_of(week: int) -> datetime.datetime:
    """When a week begins."""
    return MONDAY + datetime.timedelta(weeks=week)


def _moment(week: int, minute: int) -> datetime.datetime:
    day, rest = divmod(minute, OPEN_HOURS * 60)
    return MONDAY + datetime.timedelta(weeks=week, days=day, minutes=rest)


def _meet(rng: random.Random, tables: Tables, crowd: Crowd, at: datetime.datetime, name: str) -> Arrival:
    is_new = rng.random() < crowd.newcomers
    condition = _draw_condition(rng, tables, crowd, is_new)
    steps = sorted(condition.step_up)
    modifier = rng.choice(steps) if steps and not is_new and rng.random() < STEPPED else ""
    scenario = draw_scenario(rng, tables, condition, modifier)
    case = write_case(rng, tables, scenario, rng.choice(("train", "test")), name)
    case = case.model_copy(update={"source": "simulation"} | ({} if crowd.vitals else {"vitals": Vitals()}))
    languages = {"ar": 1.0} if is_new else {"en": 0.78, "es": 0.12, "de": 0.08, "ar": 0.02}
    return Arrival(
        at=at,
        case=case,
        language=_draw(rng, languages),
        channel=_draw(rng, {"phone": 0.7, "tablet": 0.3}),
        consent=rng.random() < crowd.consent,
        given=rng.choice(_GIVEN),
        family=rng.choice(_FAMILY),
    )


def _draw_condition(rng: random.Random, tables: Tables, crowd: Crowd, is_new: bool) -> Condition:
    """First what kind of trouble, then how urgent, then which."""
    every: Sequence[Condition] = tuple(tables.conditions.values())
    if is_new:
        pool = [c for c in every if c.id in SETTLERS]
    elif rng.random() < crowd.flu:
        pool = [c for c in every if c.id in FLU]
    else:
        unknown = rng.random() < crowd.unknown
        pool = [c for c in every if c.held_out == unknown]
    level = _draw(rng, {level: share for level, share in LEVELS.items() if any(c.acuity is level for c in pool)})
    return rng.choice([c for c in pool if c.acuity is level])


def _draw(rng: random.Random, shares: Mapping[T, float]) -> T:
    return rng.choices(list(shares), list(shares.values()))[0]
