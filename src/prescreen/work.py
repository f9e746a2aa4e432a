"""How much arithmetic a training step is: operations per token from the sizes in `config.json`, nothing loaded.

Counts matrix products and attention's sums, two operations for each multiplication and addition; norms, gates,
sorting and the optimiser move memory rather than calculate and are left to the share of a device's speed one
assumes. Torch-free; knows no recipe and no device.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prescreen.sizing import MXFP4_BYTES, Plan, count_parameters

DECODE_BYTES = {"float32": 60, "bfloat16": 2}  # written for each value decoded: on a CPU look-ups, halves, a copy


class Forward(NamedTuple):
    """Operations of a token's forward pass, by what they are for."""

    products: float
    attention: float
    head: float
    adapter: float

    @property
    def layers(self) -> float:
        """All but the head: what recomputation repeats."""
        return self.products + self.attention + self.adapter


def keys_seen(length: int, window: int | None = None) -> float:
    """How many keys a token of a document attends to on average, itself included."""
    if window is None or length <= window:
        return (length + 1) / 2
    return window - window * (window - 1) / (2 * length)


def count_forward(config: Mapping[str, Any], plan: Plan, length: int) -> Forward:
    """Operations of a labelled token in documents of `length` tokens; every other layer sees a window only."""
    hidden, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    chosen, experts = config["num_experts_per_tok"], config["num_local_experts"]
    weights = hidden * (2 * queries + 2 * keys + experts) + chosen * 3 * hidden * inner
    narrow = 0
    if plan.trained != "all":
        narrow = plan.rank * (4 * hidden + 2 * queries + 2 * keys)
    if plan.trained == "experts":
        narrow += plan.rank * chosen * (2 * hidden + 3 * inner)
    sliding = -(-layers // 2)
    seen = sliding * keys_seen(length, config["sliding_window"]) + (layers - sliding) * keys_seen(length)
    return Forward(
        products=2 * layers * weights,
        attention=4 * queries * seen,
        head=2 * config["vocab_size"] * hidden,
        adapter=2 * layers * narrow,
    )


def count_step(config: Mapping[str, Any], plan: Plan, length: int, labelled: float = 1.0) -> float:
    """Operations a token costs in a training step, of which `labelled` meet the vocabulary.

    A frozen weight's backward is one product, for its input; a trained one's is two, and so is attention's.
    Recomputing everything adds a forward. `selective` repeats the second factor of an adapter. The head is frozen
    beside an adapter and has its gradient in the forward; preferences score the vocabulary again where it trains.
    """
    forward = count_forward(config, plan, length)
    frozen = plan.trained != "all"
    cost = forward.products * (2 if frozen else 3) + 3 * (forward.attention + forward.adapter)
    cost += {"none": 0.0, "selective": forward.adapter / 2, "full": forward.layers}[plan.recompute]
    return cost + labelled * forward.head * (2 if frozen else 3 + plan.preference)


def decoded_bytes(config: Mapping[str, Any], plan: Plan) -> float:
    """Bytes moved to decode a packed base's experts for one row: each pass decodes all of them."""
    if not plan.packed:
        return 0.0
    passes = 2 if plan.recompute == "none" else 3
    return passes * count_parameters(config).experts * (MXFP4_BYTES + DECODE_BYTES[plan.precision])
