"""How much memory a training recipe needs: arithmetic on the sizes in `config.json`, nothing measured.

Checked against gpt-oss-20b: 20.9 B parameters, 39.0 GiB in bf16, 12.8 GiB with experts left in MXFP4.
Torch-free; reads recipes and a base model's config, loads no weights.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from prescreen.errors import WeightsError
from prescreen.model.files import TWIN, locate_model
from prescreen.model.shape import TwinShape
from prescreen.pipeline import Step
from prescreen.train.settings import TuningRecipe
from prescreen.train.supervised import SupervisedRecipe

Storage = Literal["float32", "bfloat16", "mxfp4"]
GIB = 1024**3
MXFP4_BYTES = 17 / 32  # 32 four-bit values and one shared exponent
ADAM_BYTES = 16  # fp32 weight, gradient and two moments of every trained parameter
DECODED_COPIES = 4  # fp32 intermediates while one expert is decoded
LAYER_COPIES = 6  # live intermediates of the expert layer that is being recomputed
LOGIT_CHUNK = 1024  # positions whose logits exist at a time

GPT_OSS_20B = {
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 24,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "vocab_size": 201088,
}


class Base(NamedTuple):
    """The sizes of the model a recipe starts from, and where they were found."""

    config: Mapping[str, Any]
    origin: str


class Need(NamedTuple):
    """What one training recipe needs, in bytes, and a word on how we know its base."""

    step: str
    peak: int
    base: str


class Parameters(NamedTuple):
    """How many weights there are, by where they sit."""

    experts: int
    attention: int
    embeddings: int

    @property
    def total(self) -> int:
        return sum(self)


def count_parameters(config: Mapping[str, Any]) -> Parameters:
    """Count a gpt-oss model's weights from its config."""
    hidden, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    heads, groups, width = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    experts = config["num_local_experts"]
    per_expert = hidden * 2 * inner + 2 * inner + inner * hidden + hidden
    queries, keys = heads * width, groups * width
    attention = hidden * (queries + 2 * keys) + queries + 2 * keys + queries * hidden + hidden + heads
    router_and_norms = hidden * experts + experts + 2 * hidden
    return Parameters(
        experts=layers * experts * per_expert,
        attention=layers * (attention + router_and_norms) + hidden,
        embeddings=2 * config["vocab_size"] * hidden,
    )


def count_lora(config: Mapping[str, Any], rank: int, *, experts: bool) -> int:
    """Trained parameters of a LoRA on all attention projections and, if asked, on every expert."""
    hidden, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    attention = 2 * (hidden + queries) + 2 * (hidden + keys)
    per_expert = (hidden + 2 * inner) + (inner + hidden)
    return layers * rank * (attention + (config["num_local_experts"] * per_expert if experts else 0))


def estimate_bytes(
    config: Mapping[str, Any],
    *,
    trained: int | None,
    tokens: int,
    storage: Storage,
) -> int:
    """Peak bytes of a training step over `tokens` positions; `trained` None means every weight."""
    sizes = count_parameters(config)
    width = 4 if storage == "float32" else 2
    per_expert_weight = MXFP4_BYTES if storage == "mxfp4" else width
    weights = sizes.experts * per_expert_weight + (sizes.attention + sizes.embeddings) * width
    one_expert = sizes.experts / config["num_hidden_layers"] / config["num_local_experts"]
    scratch = one_expert * DECODED_COPIES * 4 if storage == "mxfp4" else 0
    boundaries = tokens * config["num_hidden_layers"] * config["hidden_size"] * width
    layer = tokens * config["num_experts_per_tok"] * 2 * config["intermediate_size"] * width * LAYER_COPIES
    logits = min(tokens, LOGIT_CHUNK) * config["vocab_size"] * 4 * 2
    optimiser = (sizes.total if trained is None else trained) * ADAM_BYTES
    return int(weights + scratch + boundaries + layer + logits + optimiser)


def size_steps(steps: Sequence[Step], storage: Storage) -> list[Need]:
    """Estimate every training recipe of a folder; one without a base of its own has its parent's."""
    bases: dict[str, Base] = {}
    needs = []
    for step in steps:
        recipe = step.recipe
        if not isinstance(recipe, TuningRecipe):
            continue
        config, origin = bases[step.name] = find_base(recipe, bases)
        lora = recipe.lora
        trained = None if recipe.method == "full" else count_lora(config, lora.rank, experts=lora.experts)
        tokens = recipe.optimisation.tokens_per_row
        kept: Storage = "mxfp4" if recipe.base_experts == "mxfp4" else storage
        peak = estimate_bytes(config, trained=trained, tokens=tokens, storage=kept)
        needs.append(Need(step.name, peak, origin))
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
