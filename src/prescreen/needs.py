"""What each training recipe of a folder needs, memory and time, and which settings make it fit; loads no model.

Recipes and a base's `config.json` in, plans for `prescreen.sizing` and `prescreen.work` out. Torch-free.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.devices import Speed
from prescreen.errors import WeightsError
from prescreen.model.files import TWIN, locate_model
from prescreen.model.shape import TwinShape
from prescreen.pipeline import Step
from prescreen.run import MANIFEST
from prescreen.sizing import GIB, GPT_OSS_20B, Memory, Plan, Precision, Trained, estimate
from prescreen.train.preference import PreferenceRecipe
from prescreen.train.settings import TuningRecipe
from prescreen.train.supervised import SupervisedRecipe
from prescreen.work import count_forward, count_step, decoded_bytes

BYTES_PER_TOKEN = 5.5  # of a data run's files, names and licences of rows included: 5.3 to 5.9 in recipes/tiny
LABELLED = {"pretrain": 1.0, "cpt": 1.0, "sft": 0.5, "instruct": 0.6, "dpo": 0.8}  # share of tokens, seen there
ROOM = 0.9  # share of a device's memory that advice fills: predictions are right to about a tenth
SHORTEST = 512  # no advice goes below rows of so many tokens


class Base(NamedTuple):
    """The sizes of the model a recipe starts from, and where they were found."""

    config: Mapping[str, Any]
    origin: str


class Schedule(NamedTuple):
    """What decides a stage's time besides its plan; `tokens` is None before the data run is there."""

    rows: int = 1
    length: int = 2048
    labelled: float = 1.0
    epochs: int = 1
    max_steps: int = 0
    tokens: float | None = None


class Need(NamedTuple):
    """What one training recipe needs, and a word on how we know its base."""

    step: str
    plan: Plan
    config: Mapping[str, Any]
    base: str
    schedule: Schedule = Schedule()

    @property
    def memory(self) -> Memory:
        return estimate(self.config, self.plan)

    @property
    def peak(self) -> int:
        return self.memory.peak

    @property
    def longest(self) -> int:
        """Tokens of the longest unit that must fit into one row: a document, or a pair's two."""
        return self.schedule.length * (2 if self.plan.preference else 1)

    @property
    def step_tokens(self) -> int:
        return self.plan.tokens * self.schedule.rows

    def step_seconds(self, speed: Speed) -> float:
        """Arithmetic of a step's rows, and decoding the base once or more for each."""
        each = count_step(self.config, self.plan, self.schedule.length, self.schedule.labelled)
        decoding = decoded_bytes(self.config, self.plan) / speed.memory
        return self.schedule.rows * (self.plan.tokens * each / speed.products + decoding)

    def stage_seconds(self, speed: Speed) -> float | None:
        """All steps, and a preference stage's one pass for its reference; None while the tokens are not known."""
        schedule, reference = self.schedule, 0.0
        if schedule.tokens is None:
            return None
        steps = max(1.0, schedule.epochs * schedule.tokens / self.step_tokens)
        steps = min(steps, schedule.max_steps) if schedule.max_steps else steps
        if self.plan.preference:
            forward = count_forward(self.config, self.plan, schedule.length)
            reference = schedule.tokens * (forward.layers + schedule.labelled * forward.head) / speed.products
        return steps * self.step_seconds(speed) + reference


def plan_of(recipe: TuningRecipe, precision: Precision) -> Plan:
    """A training recipe's plan."""
    trained: Trained = "all" if recipe.method == "full" else "experts" if recipe.lora.experts else "attention"
    return Plan(
        recipe.optimisation.tokens_per_row,
        precision,
        trained,
        recipe.lora.rank if recipe.method == "lora" else 0,
        recipe.base_experts == "mxfp4",
        recipe.optimisation.recompute,
        isinstance(recipe, PreferenceRecipe),
        recipe.host_embeddings,
    )


def schedule_of(recipe: TuningRecipe, runs: Path | None) -> Schedule:
    """A training recipe's schedule; the tokens from the size of its rows in a finished data run below `runs`."""
    o = recipe.optimisation
    data = runs / recipe.inputs["data"] if runs else None
    tokens = count_tokens(recipe, data) if data and (data / MANIFEST).exists() else None
    return Schedule(
        o.rows_per_step, recipe.max_length, LABELLED.get(recipe.stage, 1.0), o.epochs, o.max_steps, tokens
    )


def count_tokens(recipe: TuningRecipe, data: Path) -> float:
    """About how many tokens a stage reads in an epoch."""
    rows = recipe.rows if isinstance(recipe, SupervisedRecipe) else "preference"
    tasks = recipe.tasks if isinstance(recipe, SupervisedRecipe) else []
    path = data / "train" / f"{rows}.jsonl"
    if not path.exists():
        return 0.0
    with path.open("rb") as lines:
        wanted = (line for line in lines if not tasks or json.loads(line).get("task") in tasks)
        return sum(map(len, islice(wanted, recipe.max_rows or None))) / BYTES_PER_TOKEN


def cheaper(plan: Plan, longest: int = SHORTEST) -> Iterator[tuple[dict[str, object], Plan]]:
    """Settings that need less memory, gentlest first, each on top of those before it.

    A row holds the longest document, `longest` tokens, until the last resort leaves longer ones out.
    """
    if plan.trained == "all":
        plan = plan._replace(trained="experts", rank=8)
        yield {"method": "lora"}, plan
    if not plan.packed:
        plan = plan._replace(packed=True)
        yield {"base_experts": "mxfp4"}, plan
    for recompute in ("selective", "full"):
        if plan.recompute != recompute and plan.recompute != "full":
            plan = plan._replace(recompute=recompute)
            yield {"optimisation.recompute": recompute}, plan
    while plan.tokens // 2 >= max(longest, SHORTEST):
        plan = plan._replace(tokens=plan.tokens // 2)
        yield {"optimisation.tokens_per_row": plan.tokens}, plan
    if plan.rank > 8:
        plan = plan._replace(rank=8)
        yield {"lora.rank": 8}, plan
    if plan.precision == "bfloat16" and not plan.host_embeddings:
        plan = plan._replace(host_embeddings=True)
        yield {"host_embeddings": "true"}, plan
    if plan.trained == "experts":
        plan = plan._replace(trained="attention")
        yield {"lora.experts": "false"}, plan
    while plan.tokens // 2 >= SHORTEST:
        plan = plan._replace(tokens=plan.tokens // 2)
        length = plan.tokens // (2 if plan.preference else 1)
        yield {"optimisation.tokens_per_row": plan.tokens, "max_length": length}, plan


def advise(need: Need, memory: int) -> str:
    """The settings that would make a recipe fit into `memory` bytes with room to spare, as `run` takes them."""
    settings: dict[str, object] = {}
    for more, plan in cheaper(need.plan, need.longest):
        settings |= more
        peak = estimate(need.config, plan).peak
        if peak < ROOM * memory:
            said = " ".join(f"{key}={value}" for key, value in settings.items())
            return f"{said} would need {peak / GIB:.1f} GiB"
    return "no setting makes it fit"


def size_steps(steps: Sequence[Step], precision: Precision, runs: Path | None = None) -> list[Need]:
    """Every training recipe of a folder; one without a base of its own has its parent's."""
    bases: dict[str, Base] = {}
    needs = []
    for step in steps:
        if isinstance(step.recipe, TuningRecipe):
            config, origin = bases[step.name] = find_base(step.recipe, bases)
            plan, schedule = plan_of(step.recipe, precision), schedule_of(step.recipe, runs)
            needs.append(Need(step.name, plan, config, origin, schedule))
    return needs


def find_base(recipe: TuningRecipe, bases: Mapping[str, Base]) -> Base:
    """Where a recipe starts; gpt-oss-20b's published sizes stand in for a folder that is not here."""
    parent = recipe.inputs.get("parent", "")
    if parent in bases:
        return bases[parent]
    if isinstance(recipe, SupervisedRecipe) and recipe.twin is not None:
        return Base(describe_twin(recipe.twin), "a new twin")
    where = recipe.base or "gpt-oss-20b"
    try:
        config = json.loads((locate_model(where) / "config.json").read_text(encoding="utf-8"))
    except (WeightsError, OSError):
        if where == TWIN:
            return Base(describe_twin(TwinShape()), "the twin, not built yet")
        return Base(GPT_OSS_20B, f"{where} is not here, taken as gpt-oss-20b")
    return Base(config, where)


def describe_twin(shape: TwinShape) -> dict[str, int]:
    """A new twin's sizes in the words of config.json; its vocabulary is not known before its data run."""
    sizes = (shape.hidden, shape.intermediate, shape.layers, shape.heads, shape.kv_heads, shape.head_dim)
    chosen = (shape.experts, shape.experts_per_token, 8192, shape.window)
    return dict(zip(GPT_OSS_20B, (*sizes, *chosen), strict=True))
