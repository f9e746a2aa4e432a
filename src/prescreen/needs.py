"""What each training recipe of a folder needs, and which settings would make it fit; loads no model.

Recipes and a base's `config.json` in, plans for `prescreen.sizing` out. Torch-free.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from prescreen.errors import WeightsError
from prescreen.model.files import TWIN, locate_model
from prescreen.model.shape import TwinShape
from prescreen.pipeline import Step
from prescreen.sizing import GIB, GPT_OSS_20B, Plan, Precision, Trained, estimate
from prescreen.train.settings import TuningRecipe
from prescreen.train.supervised import SupervisedRecipe


class Base(NamedTuple):
    """The sizes of the model a recipe starts from, and where they were found."""

    config: Mapping[str, Any]
    origin: str


class Need(NamedTuple):
    """What one training recipe needs, and a word on how we know its base."""

    step: str
    plan: Plan
    config: Mapping[str, Any]
    base: str

    @property
    def peak(self) -> int:
        return estimate(self.config, self.plan).peak


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
    )


def cheaper(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Settings that need less memory, gentlest first, each on top of those before it."""
    if plan.trained == "all":
        plan = plan._replace(trained="experts", rank=8)
        yield "method: lora", plan
    if not plan.packed:
        plan = plan._replace(packed=True)
        yield "base_experts: mxfp4", plan
    for recompute in ("selective", "full"):
        if plan.recompute != recompute and plan.recompute != "full":
            plan = plan._replace(recompute=recompute)
            yield f"optimisation.recompute: {recompute}", plan
    while plan.tokens > 512:
        plan = plan._replace(tokens=plan.tokens // 2)
        yield f"optimisation.tokens_per_row: {plan.tokens}", plan
    if plan.trained == "experts":
        yield "lora.experts: false", plan._replace(trained="attention")


def advise(need: Need, memory: int) -> str:
    """The settings that would make a recipe fit into `memory` bytes, in one clause."""
    said: list[str] = []
    for setting, plan in cheaper(need.plan):
        name = setting.partition(":")[0]
        said = [one for one in said if one.partition(":")[0] != name] + [setting]
        peak = estimate(need.config, plan).peak
        if peak < memory:
            return f"{', '.join(said)} would need {peak / GIB:.1f} GiB"
    return "no setting makes it fit"


def size_steps(steps: Sequence[Step], precision: Precision) -> list[Need]:
    """Every training recipe of a folder; one without a base of its own has its parent's."""
    bases: dict[str, Base] = {}
    needs = []
    for step in steps:
        if isinstance(step.recipe, TuningRecipe):
            config, origin = bases[step.name] = find_base(step.recipe, bases)
            needs.append(Need(step.name, plan_of(step.recipe, precision), config, origin))
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
    return dict(zip(GPT_OSS_20B, (*sizes, shape.experts, shape.experts_per_token, 8192), strict=True))
