"""Task "stability": the same facts in five wordings; does the level hold, and does agreement tell right from wrong.

Decoding is greedy, so the same words always get the same answer and there is nothing to learn from seeds: wordings
are what varies. Reads `probes/stability.yaml`. Knows levels; the figures of confidence are those of `calibration`.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from pydantic import Field, ValidationError

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label
from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError
from prescreen.evals.calibration import (
    ENOUGH,
    Agreement,
    Point,
    agree,
    decide,
    find_threshold,
    score_confidence,
)
from prescreen.evals.levels import ask_levels
from prescreen.evals.prediction import VIEWS, Prediction, View
from prescreen.evals.rate import Measure, bootstrap
from prescreen.evals.task import Found, Item, Task, Verdict, count_items

if TYPE_CHECKING:
    from prescreen.model.engine import Engine

PROBES = Path(__file__).with_name("probes") / "stability.yaml"
SOURCE, LICENCE = "stability probes", "Apache-2.0 (project)"
WORDINGS = 5
HARMS = frozenset({"stability_flips", "stability_flips_served", "stability_lost", "selective_missed"})


class Told(Strict):
    """One authored case in several wordings of the same facts."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    level: Acuity
    accepted: tuple[Acuity, ...] = ()
    age: int
    sex: Literal["female", "male"]
    wordings: tuple[str, ...] = Field(min_length=WORDINGS)

    @property
    def right(self) -> tuple[Acuity, ...]:
        """The levels a grader takes as right."""
        return self.accepted or (self.level,)


class Heard(NamedTuple):
    """A case with the answer to each wording."""

    told: Told
    answers: Sequence[Prediction]

    def levels(self, view: View = "alone") -> list[Acuity | None]:
        return [answer.answer(view).predicted for answer in self.answers]

    @property
    def spread(self) -> int:
        """Highest less lowest level of the model's own; 0 when it gave none."""
        ranks = [level.rank for level in self.levels() if level is not None]
        return max(ranks, default=0) - min(ranks, default=0)

    @property
    def agreement(self) -> Agreement:
        return agree(self.levels())


@cache
def read_told(path: Path = PROBES) -> tuple[Told, ...]:
    """The authored cases; RecipeError names the place and the mend."""
    told = []
    for number, row in enumerate(read_yaml(path).get("cases", [])):
        try:
            told.append(Told.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            raise RecipeError(
                f"{path}: case {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            ) from None
    return tuple(told)


def write_cases(told: Told) -> list[Case]:
    """One case a wording."""
    label = Label(acuity=told.level, accepted=told.right, origin=SOURCE)
    return [
        Case(
            id=f"stable-{told.id}-{number}",
            patient_id=f"stable-pt-{told.id}",
            source=SOURCE,
            licence=LICENCE,
            age_years=told.age,
            sex=told.sex,
            complaint=words,
            label=label,
        )
        for number, words in enumerate(told.wordings, 1)
    ]


def run(engine: "Engine", seed: int) -> Found:
    """Ask every wording once, then judge case by case."""
    told = read_told()
    answers = iter(ask_levels(engine, [case for one in told for case in write_cases(one)]))
    heard = [Heard(one, [next(answers) for _ in one.wordings]) for one in told]
    points = [Point(one.agreement.confidence, one.agreement.level in one.told.right) for one in heard]
    sure_from = find_threshold([point.confidence for point in points])
    items = [item for one in heard for item in judge(one, sure_from)]
    measures = count_items(items, HARMS) | {"stability_spread": measure_spread(heard, seed)}
    figures = score_confidence(points, seed)
    return Found(measures | figures, [*items, note_size(len(points))], {"confidence": points})


def judge(heard: Heard, sure_from: float) -> Iterator[Item]:
    """Did the level hold over the wordings, alone and served; was an emergency lost; what would abstaining do."""
    told, own = heard.told, heard.levels()
    asked = " | ".join(told.wordings)
    for view in VIEWS:
        levels = heard.levels(view)
        known = any(levels) and not any(answer.error for answer in heard.answers)
        verdict: Verdict = ("right" if len(set(levels)) > 1 else "wrong") if known else "unscored"
        metric = "stability_flips" if view == "alone" else "stability_flips_served"
        why = f"{heard.spread} levels apart" if view == "alone" else "behind the rules"
        yield Item(told.id, metric, verdict, asked, _say(levels), why)
    if told.right != (Acuity.EMERGENCY,):
        return
    lost: Verdict = "right" if any(level is not Acuity.EMERGENCY for level in own) else "wrong"
    yield Item(told.id, "stability_lost", lost, asked, _say(own), "an emergency in every wording")
    level, abstained = decide(own, None, sure_from)
    missed: Verdict = "right" if level is not Acuity.EMERGENCY else "wrong"
    how = "left to a nurse" if abstained else "as agreed"
    yield Item(told.id, "selective_missed", missed, asked, f"{level.value}, {how}", f"sure from {sure_from:.0%}")


def measure_spread(heard: Sequence[Heard], seed: int) -> Measure:
    """Mean levels between the highest and the lowest answer to the same facts."""
    spreads = [one.spread for one in heard if any(one.levels())]
    values, counts = np.unique(spreads, return_counts=True)
    estimate = bootstrap(counts, lambda tables: tables @ values / tables.sum(axis=1), seed=seed)
    return Measure(estimate, tuple(one.told.id for one in heard if one.spread))


def note_size(cases: int) -> Item:
    """A reader of the calibration error must know how few cases it stands on."""
    few = f"{cases} cases: too few, the error comes out too large below {ENOUGH}"
    verdict: Verdict = "wrong" if cases < ENOUGH else "right"
    return Item("number of cases", "ece", verdict, "", few if cases < ENOUGH else f"{cases} cases", "")


def _say(levels: Sequence[Acuity | None]) -> str:
    return ", ".join(level.value if level else "no level" for level in levels)


TASK = Task("stability: the same facts in other words", run)
