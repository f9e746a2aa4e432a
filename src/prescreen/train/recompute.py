"""What a backward pass recomputes instead of keeping: nothing, what is cheap, or every layer.

torch's own activation checkpointing, reached through transformers' switch. `selective` keeps the outputs of matrix
products and of attention and recomputes the rest, which memory limits, not arithmetic. Values do not change.
"""

from functools import partial
from typing import Any, Literal

import torch
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

Recompute = Literal["none", "selective", "full"]
_ATEN = torch.ops.aten
DEAR = frozenset(
    {
        _ATEN.mm.default,
        _ATEN.addmm.default,
        _ATEN.bmm.default,
        _ATEN._grouped_mm.default,
        _ATEN._scaled_dot_product_flash_attention_for_cpu.default,
    }
)


def keep_dear(context: Any, operation: Any, *_: Any, **__: Any) -> CheckpointPolicy:
    """torch's policy callback: keep what is dear to compute."""
    return CheckpointPolicy.MUST_SAVE if operation in DEAR else CheckpointPolicy.PREFER_RECOMPUTE


def checkpoint_arguments(recompute: Recompute) -> dict[str, Any]:
    """The policy as transformers' TrainingArguments take it."""
    if recompute == "none":
        return {"gradient_checkpointing": False}
    how: dict[str, Any] = {"use_reentrant": False}
    if recompute == "selective":
        how["context_fn"] = partial(create_selective_checkpoint_contexts, keep_dear)
    return {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": how}
