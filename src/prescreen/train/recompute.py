"""What a backward pass recomputes instead of keeping: nothing, what is cheap, or every layer.

torch's own activation checkpointing, reached through transformers' switch. `selective` keeps the outputs of wide
matrix products and, on a CPU, of attention (`model.keeping`) and recomputes the rest, which memory limits, not
arithmetic. Values do not change.
"""

from typing import Any

from prescreen.model.keeping import note_and_recall
from prescreen.train.settings import Recompute


def checkpoint_arguments(recompute: Recompute) -> dict[str, Any]:
    """The policy as transformers' TrainingArguments take it."""
    if recompute == "none":
        return {"gradient_checkpointing": False}
    how: dict[str, Any] = {"use_reentrant": False}
    if recompute == "selective":
        how["context_fn"] = note_and_recall
    return {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": how}
