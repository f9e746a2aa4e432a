"""Exact attention for packed rows: learnable sinks, sliding window, and documents that cannot see each other.

Registered through transformers' own registry under the name `packed`; transformers then builds no mask, and the
collator's `documents` lengths reach this function through the model's keyword arguments. Stock transformers
ignores `position_ids` when it builds gpt-oss masks, so its packed rows leak (tests/model/test_attention.py shows
it). This is the dense path for CPUs and the reference: documents of similar length are attended together, so no
document pays for another's length. Knows nothing about loss or data.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prescreen.errors import GuardError

NAME = "packed"
LENGTH_STEP = 64  # documents are grouped by length in steps of this many tokens


class Group(NamedTuple):
    """Documents of similar length in one row: `index` [D, L] into the row, `valid` [D, L]."""

    index: Tensor
    valid: Tensor


def group_documents(lengths: Tensor) -> list[Group]:
    """Gather plans for a row whose documents have these lengths, in row order."""
    starts = torch.cumsum(lengths, 0) - lengths
    buckets: dict[int, list[int]] = {}
    for number, length in enumerate(lengths.tolist()):
        buckets.setdefault(-(-length // LENGTH_STEP), []).append(number)
    groups = []
    for members in buckets.values():
        chosen = lengths[members]
        offsets = torch.arange(int(chosen.max()), device=lengths.device)
        valid = offsets[None, :] < chosen[:, None]
        index = starts[members][:, None] + offsets[None, :]
        groups.append(Group(index.clamp(max=int(lengths.sum()) - 1), valid))
    return groups


def allowed_keys(length: int, window: int | None, device: torch.device) -> Tensor:
    """[L, L] booleans: causal, and at most `window` keys including the query itself."""
    position = torch.arange(length, device=device)
    distance = position[:, None] - position[None, :]
    allowed = distance >= 0
    return allowed & (distance < window) if window else allowed


def attend_documents(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, window: int | None, scale: float
) -> Tensor:
    """Softmax attention with a sink per head. query [D, H, L, d], key and value [D, Hkv, L, d] -> [D, H, L, d].

    The sink takes part in the normalisation and contributes no value. Padding sits at the end of a document, so
    the causal mask alone keeps it out of every real query.
    """
    repeats = query.shape[1] // key.shape[1]
    key, value = (t.repeat_interleave(repeats, dim=1) for t in (key, value))
    scores = (query @ key.transpose(2, 3)) * scale
    length = scores.shape[-1]
    scores = scores.masked_fill(~allowed_keys(length, window, scores.device), float("-inf"))
    sink = sinks.reshape(1, -1, 1, 1).expand(*scores.shape[:3], 1).to(scores.dtype)
    weights = torch.cat([scores, sink], dim=-1).float().softmax(dim=-1)[..., :-1]
    return weights.to(value.dtype) @ value


def attend_packed(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    s_aux: Tensor | None = None,
    documents: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """transformers' attention signature. query [1, H, N, d]; `documents` [D] lengths summing to N."""
    if documents is None:
        raise GuardError("packed attention needs document lengths; without them documents would see each other")
    if s_aux is None:
        raise GuardError("attention without sinks is not gpt-oss; load the model with its sinks")
    if dropout or attention_mask is not None or query.shape[0] != 1:
        raise GuardError("packed attention takes one row, no padding mask and no dropout")
    output = torch.zeros_like(query.transpose(1, 2))  # [1, N, H, d]
    for index, valid in group_documents(documents):
        q, k, v = (t[0][:, index].transpose(0, 1) for t in (query, key, value))
        attended = attend_documents(q, k, v, s_aux, sliding_window, scaling).transpose(1, 2)
        output = output.index_put((torch.zeros_like(index[valid]), index[valid]), attended[valid])
    return output, None


def register_attention() -> str:
    """Make `packed` known to transformers; returns the name to put into a config."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend_packed)
    return NAME
