"""What a backward pass recomputes instead of keeping: nothing, what is cheap, or every layer.

torch's own activation checkpointing, reached through transformers' switch. `selective` keeps the outputs of wide
matrix products and of attention and recomputes the rest, which memory limits, not arithmetic. Values do not change.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

from prescreen.train.settings import Recompute

_ATEN = torch.ops.aten
PRODUCTS = {  # which argument's last dimension is summed over
    _ATEN.mm.default: 0,
    _ATEN.addmm.default: 1,
    _ATEN.bmm.default: 0,
    _ATEN._grouped_mm.default: 0,
}
ATTENTION = _ATEN._scaled_dot_product_flash_attention_for_cpu.default
NARROW = 32  # a product over fewer numbers, as an adapter's second one, costs less than keeping it


def is_dear(operation: Any, arguments: Sequence[Any]) -> bool:
    """Whether computing it again would cost more than memory is worth."""
    if operation in PRODUCTS:
        return arguments[PRODUCTS[operation]].shape[-1] >= NARROW
    return operation == ATTENTION


def keep_dear(context: Any, operation: Any, *arguments: Any, **_: Any) -> CheckpointPolicy:
    """torch's policy callback: keep what is dear to compute."""
    return CheckpointPolicy.MUST_SAVE if is_dear(operation, arguments) else CheckpointPolicy.PREFER_RECOMPUTE


def checkpoint_arguments(recompute: Recompute) -> dict[str, Any]:
    """The policy as transformers' TrainingArguments take it."""
    if recompute == "none":
        return {"gradient_checkpointing": False}
    how: dict[str, Any] = {"use_reentrant": False}
    if recompute == "selective":
        how["context_fn"] = partial(create_selective_checkpoint_contexts, keep_dear)
    return {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": how}
