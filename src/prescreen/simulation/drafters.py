"""What drafts a week's cases at once: the tiny model in two processes, or a stand-in with set error rates.

Knows a model by its folder and the hash of its weights. Knows no store and no calendar.
"""

import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.report import Draft
from prescreen.simulation.people import Arrival

if TYPE_CHECKING:
    from prescreen.evals.drafting import Cache

THINKING, BATCH, WORKERS = 96, 120, 2
LEVELS = list(Acuity)


class Drafted(NamedTuple):
    """What the model said of one case, before the rules: nothing, and why, where it gave no report."""

    draft: Draft | None
    why: str


class Model(NamedTuple):
    """Weights that draft: where they lie and their hash."""

    folder: str
    weights: str


class Drafter(Protocol):
    """What turns cases into drafts, in the order given."""

    def draw(self, model: Model, arrivals: Sequence[Arrival], then: Sequence[Arrival] = ()) -> list[Drafted]:
        """`then`: who comes next. Whoever drafts many at once may draft them along, and remember it."""

    def close(self) -> None: ...


class TwinDrafter:
    """The real model, a process for each core; what was drafted once by the same weights is remembered."""

    def __init__(self, cache: Path, workers: int = WORKERS) -> None:
        self.cache, self.workers = cache, workers
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"))
        self._memories: dict[str, Cache] = {}

    def draw(self, model: Model, arrivals: Sequence[Arrival], then: Sequence[Arrival] = ()) -> list[Drafted]:
        from prescreen.evals.drafting import Cache, read_draft
        from prescreen.evals.parallel import Job, carry_out

        settings = {"thinking": THINKING}
        if model.weights not in self._memories:
            self._memories[model.weights] = Cache(self.cache, model.weights, settings)
        memory = self._memories[model.weights]
        new = [arrival.told for arrival in arrivals if memory.recall(arrival.told) is None]
        new += [arrival.told for arrival in then if new and memory.recall(arrival.told) is None]
        size = min(BATCH, -(-len(new) // self.workers) or 1)
        pieces = [new[start : start + size] for start in range(0, len(new), size)]
        jobs = [
            Job(model.folder, model.weights, self.cache, settings, size, [case.model_dump_json() for case in piece])
            for piece in pieces
        ]
        for piece, drafts in zip(pieces, self._pool.map(carry_out, jobs), strict=True):
            memory.keep(piece, drafts)
        rows = [memory.recall(arrival.told) for arrival in arrivals]
        return [Drafted(read_draft(row), row["error"]) if row else Drafted(None, "no draft") for row in rows]

    def close(self) -> None:
        self._pool.shutdown()


class Skill(NamedTuple):
    """How often a stand-in is wrong: on what it was trained on, and on conditions it never met."""

    known: float = 0.08
    unknown: float = 0.55
    lowers: float = 0.3  # of its mistakes, those below the truth
    muddles: float = 0.6  # the likelier condition named second


class StandIn:
    """A model made of chance: the gold draft, its level moved with set rates; `skills` by the hash of weights."""

    def __init__(self, skills: Mapping[str, Skill], unknown: frozenset[str], later: Skill | None = None) -> None:
        """`later` is the skill of weights that were trained since."""
        self.skills, self.unknown, self.later = skills, unknown, later or Skill()

    def draw(self, model: Model, arrivals: Sequence[Arrival], then: Sequence[Arrival] = ()) -> list[Drafted]:
        return [self._draw(model, arrival) for arrival in arrivals]

    def close(self) -> None:
        """Nothing is held."""

    def _draw(self, model: Model, arrival: Arrival) -> Drafted:
        label, skill = arrival.case.label, self.skills.get(model.weights, self.later)
        assert label is not None and label.draft is not None
        rng = random.Random(f"{model.weights}/{arrival.case.id}")
        wrong = skill.unknown if label.condition in self.unknown else skill.known
        draft = label.draft
        if rng.random() < skill.muddles:
            draft = draft.model_copy(update={"differential": draft.differential[::-1]})
        if rng.random() >= wrong:
            return Drafted(draft, "")
        rank = label.acuity.rank + (-1 if rng.random() < skill.lowers else 1)
        level = LEVELS[min(max(rank, 0), 3)]
        told = {"acuity": level, "rationale": "The words point elsewhere.", "next_steps": ["Advise by telephone."]}
        return Drafted(Draft.model_validate(draft.model_dump() | told), "")
