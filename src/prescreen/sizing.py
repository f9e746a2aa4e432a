"""How much memory a training step needs: arithmetic on the sizes in `config.json`, nothing loaded.

What a layer keeps for its backward was counted from autograd's saved tensors (tests/test_sizing.py counts again)
and the whole was compared with measured peaks (benchmarks/memory.py), without what a C library's allocator keeps
back on a CPU (docs/log.md). Torch-free; knows no recipe.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Precision = Literal["float32", "bfloat16"]
Trained = Literal["all", "attention", "experts"]  # every weight, or an adapter on attention, or on experts too
Recompute = Literal["none", "selective", "full"]
GIB = 1024**3
RUNTIME = {"float32": 0.42 * GIB, "bfloat16": 0.6 * GIB}  # Python and libraries on a CPU; a CUDA context
MXFP4_BYTES = 17 / 32  # 32 four-bit values and one shared exponent
BACKWARD = {"float32": 2.0, "bfloat16": 1.25}  # a layer's backward, in what was recomputed for it; 1.18 on an H200
DECODED_COPIES = 4  # fp32 intermediates while a CPU decodes one expert
MOST_DECODED = 2**28  # values a card decodes at a time: half a GiB, all experts of gpt-oss-20b's down_proj
MOST_ROWS, MOST_LOGITS = 1024, 2**26  # of a chunk of positions whose logits exist at a time
LOGIT_COPIES = 2  # fp32 copies of a chunk's logits that are alive together; one more where a trained head prefers

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
    "sliding_window": 128,
}


class Plan(NamedTuple):
    """What decides the memory of a training step besides the model."""

    tokens: int
    precision: Precision
    trained: Trained
    rank: int = 0
    packed: bool = False  # experts stay in MXFP4
    recompute: Recompute = "none"
    preference: bool = False  # pairs; a head that trains scores the vocabulary again in the backward
    host_embeddings: bool = False  # input embeddings stay in the host's memory


class Memory(NamedTuple):
    """Bytes of a training step at its peak, by what they are for."""

    runtime: int
    weights: int
    adapter: int
    optimiser: int
    activations: int
    loss: int
    scratch: int

    @property
    def peak(self) -> int:
        return sum(self)


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


def kept_per_token(config: Mapping[str, Any], plan: Plan) -> tuple[float, float]:
    """Bytes a token leaves behind in each layer until the backward, and those recomputed for one layer at a time.

    With everything kept: the residual stream, norms and the experts' rows; gate and up; queries, keys, values,
    attention's output and normaliser; an adapter's inner products.
    """
    hidden, inner, chosen = config["hidden_size"], config["intermediate_size"], config["num_experts_per_tok"]
    heads = config["num_attention_heads"]
    queries, keys = heads * config["head_dim"], config["num_key_value_heads"] * config["head_dim"]
    width = 4 if plan.precision == "float32" else 2
    attention = 2 * queries + 2 * keys + heads * 4 / width
    streams, gates, inside = {
        "all": (6 + 3 * chosen, 3 * chosen, 0),
        "attention": (3 + 2 * chosen, 2 * chosen, 4),
        "experts": (3 + 3 * chosen, 3 * chosen, 4 + 2 * chosen),
    }[plan.trained]
    everything = (streams * hidden + gates * inner + attention + inside * plan.rank) * width
    if width == 2:  # norms work in fp32 and keep what they read there
        everything += hidden * (8 if plan.trained == "all" else 4)
    else:  # a CPU adds up experts' rows without keeping them, and keeps four numbers of each choice
        everything += chosen * (32 - hidden * width)
    if plan.recompute == "none":
        return everything, 0
    if plan.recompute == "full":
        return hidden * width, everything
    products = (2 + chosen) * hidden + 2 * chosen * inner + attention
    products += inside * plan.rank
    return (hidden + products) * width, everything


def estimate(config: Mapping[str, Any], plan: Plan) -> Memory:
    """Memory of a training step at its peak, which is at the loss, in a layer's backward, or at its end."""
    sizes = count_parameters(config)
    width = 4 if plan.precision == "float32" else 2
    kept, again = kept_per_token(config, plan)
    layers, vocabulary, hidden = config["num_hidden_layers"], config["vocab_size"], config["hidden_size"]
    per_expert = MXFP4_BYTES if plan.packed else width
    embeddings = sizes.embeddings / (2 if plan.host_embeddings else 1)
    weights = sizes.experts * per_expert + (sizes.attention + embeddings) * width
    copies = LOGIT_COPIES + (plan.preference and plan.trained == "all")
    loss = copies * min(plan.tokens, chunk_rows(vocabulary)) * vocabulary * 4
    if plan.trained == "all":
        trained = sizes.total
        adapter, gradients, moments = 0, trained * width, trained * 2 * width
        loss += 2 * vocabulary * hidden * width
    else:
        trained = count_lora(config, plan.rank, experts=plan.trained == "experts")
        adapter, gradients, moments = trained * 4, trained * 4, trained * 8
    activations = plan.tokens * layers * kept
    backward = plan.tokens * (BACKWARD[plan.precision] * again or kept)  # its gradients too; a card fuses
    left = 0 if again else activations  # what a backward has given back by the time all gradients are there
    moving = max(loss, backward, backward + gradients - left)
    return Memory(
        runtime=int(RUNTIME[plan.precision]),
        weights=int(weights),
        adapter=int(adapter),
        optimiser=int(moments),
        activations=int(activations),
        loss=int(moving),
        scratch=int(count_decoded(config, plan)) if plan.packed else 0,
    )


def chunk_rows(vocabulary: int) -> int:
    """Positions whose logits exist at a time."""
    return max(1, min(MOST_ROWS, MOST_LOGITS // vocabulary))


def count_decoded(config: Mapping[str, Any], plan: Plan) -> float:
    """Bytes of experts decoded from MXFP4 at a time: one expert on a CPU, a slice of all on a card."""
    layer = count_parameters(config).experts / config["num_hidden_layers"]
    if plan.precision == "float32":
        return layer / config["num_local_experts"] * DECODED_COPIES * 4
    return min(layer * 2 / 3, MOST_DECODED) * 2
