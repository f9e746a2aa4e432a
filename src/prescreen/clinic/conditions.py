"""What a rule asks about numbers: age, sex, pregnancy and measurements, and whether what is known meets it.

Knows no words and no rule table.
"""

from typing import Any, Literal, NamedTuple

from prescreen.clinic.case import Vitals
from prescreen.config import Strict


class Where(Strict):
    """Conditions on age, sex, pregnancy and measurements; all given ones must hold. Bounds are inclusive.

    `words_min` is the weight of the words taken together, see `weighed`.
    """

    age_min: float | None = None
    age_max: float | None = None
    child: bool | None = None
    sex: Literal["female", "male"] | None = None
    pregnant: bool | None = None
    heart_rate_min: float | None = None
    heart_rate_max: float | None = None
    respiratory_rate_min: float | None = None
    respiratory_rate_max: float | None = None
    systolic_min: float | None = None
    systolic_max: float | None = None
    diastolic_min: float | None = None
    temperature_min: float | None = None
    temperature_max: float | None = None
    spo2_max: float | None = None
    glucose_min: float | None = None
    glucose_max: float | None = None
    news2_min: int | None = None
    shock_index_min: float | None = None
    child_danger_signs_min: int | None = None
    pain_min: float | None = None
    words_min: float | None = None
    consciousness: tuple[str, ...] | None = None


class Facts(NamedTuple):
    """What `where` asks about: name to the values known; none is unknown, and several ages are several persons."""

    values: dict[str, tuple[Any, ...]]

    def meet(self, where: Where, *, unknown: bool) -> bool:
        """Whether all conditions hold for some value; `unknown` is the answer for a value nobody knows."""
        for name in where.model_fields_set:
            wanted = getattr(where, name)
            values = self.values[name.removesuffix("_min").removesuffix("_max")]
            if not (any(_meets(name, value, wanted) for value in values) if values else unknown):
                return False
        return True


def _meets(name: str, value: Any, wanted: Any) -> bool:
    if name.endswith("_min"):
        return value >= wanted
    if name.endswith("_max"):
        return value <= wanted
    return value in (wanted if isinstance(wanted, tuple) else (wanted,))


def shock_index(vitals: Vitals) -> float | None:
    """Heart rate over systolic pressure."""
    return round(vitals.heart_rate / vitals.systolic, 2) if vitals.heart_rate and vitals.systolic else None


def name_measurement(where: Where, facts: Facts) -> str:
    """The measurements that fired a rule without words, as its evidence."""
    names = [name.removesuffix("_min").removesuffix("_max") for name, wanted in where if wanted is not None]
    return ", ".join(f"{name.replace('_', ' ')} {facts.values[name][0]}" for name in dict.fromkeys(names))
