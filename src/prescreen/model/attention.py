"""Exact attention for packed rows: learnable sinks, sliding window, and documents that cannot see each other.

Registered through transformers' own registry under the name `packed`; transformers then builds no mask, and the
collator's `documents` lengths reach this function through the model's keyword arguments. Stock transformers
ignores `position_ids` when it builds gpt-oss masks, so its packed rows leak (tests/model/test_attention.py shows
it). Documents of similar length are attended together, so none pays for another's length: by torch's flash kernel
on a CPU, by the dense reference elsewhere. Knows nothing about loss or data.
"""

from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prescreen.errors import GuardError

NAME, CACHED = "packed", "cached"
_FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_FLASH_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
LENGTH_STEP = 64  # documents are grouped by length in steps of this many tokens


class Group(NamedTuple):
    """Documents of similar length in one row. `index` [D, L] into the row; `real` and `rows` pair the flat
    positions that are no padding with the rows they came from."""

    index: Tensor
    real: Tensor
    rows: Tensor


@lru_cache(maxsize=16)
def group_documents(lengths: tuple[int, ...], device: torch.device) -> list[Group]:
    """Gather plans for a row whose documents have these lengths, in row order."""
    starts = [0, *accumulate(lengths)]
    buckets: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        buckets.setdefault(-(-length // LENGTH_STEP), []).append(number)
    groups = []
    for members in buckets.values():
        sizes = torch.tensor([lengths[m] for m in members])
        offsets = torch.arange(int(sizes.max()))
        index = (torch.tensor([starts[m] for m in members])[:, None] + offsets).clamp(max=starts[-1] - 1)
        real = (offsets < sizes[:, None]).flatten().nonzero().squeeze(1)
        groups.append(Group(*(t.to(device) for t in (index, real, index.flatten()[real]))))
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
    groups = group_documents(tuple(documents.tolist()), query.device)
    rows = [t[0].transpose(0, 1) for t in (query, key, value)]  # [N, H, d]
    if query.device.type == "cpu" and query.dtype == torch.float32:
        return _FlashWithSinks.apply(*rows, s_aux, groups, sliding_window, scaling)[None], None
    output = torch.zeros_like(rows[0])
    for group in groups:
        q, k, v = (gather(t, group) for t in rows)
        attended = attend_documents(q, k, v, s_aux, sliding_window, scaling)
        output = output.index_copy(0, group.rows, scattered(attended, group))
    return output[None], None


def gather(rows: Tensor, group: Group) -> Tensor:
    """[N, H, d] -> [D, H, L, d]; padding repeats some other token and is never used."""
    return rows.index_select(0, group.index.flatten()).unflatten(0, group.index.shape).transpose(1, 2)


def scattered(attended: Tensor, group: Group) -> Tensor:
    """[D, H, L, d] -> the rows of the group's real tokens, [n, H, d]."""
    return attended.transpose(1, 2).flatten(0, 1).index_select(0, group.real)


class _FlashWithSinks(torch.autograd.Function):
    """torch's CPU flash attention with a sink folded in afterwards, exactly.

    With lse' = log(exp(lse) + exp(sink)) the output is scaled by exp(lse - lse'), and the flash backward run on
    that output and lse' is the exact gradient, because the sink's value is zero. The sink's own gradient is
    -exp(sink - lse') (dO . O) summed over queries.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, groups: list[Group], window: int | None,
        scale: float,
    ) -> Tensor:  # fmt: skip
        output = torch.empty_like(query)
        ctx.saved, ctx.sinks, ctx.scale, ctx.kv_shape = [], sinks, scale, key.shape
        repeats = query.shape[1] // key.shape[1]
        for group in groups:
            q = gather(query, group)
            k, v = (gather(t, group).repeat_interleave(repeats, 1) for t in (key, value))
            length = q.shape[2]
            mask = None
            if window and length > window:
                mask = torch.zeros(length, length).masked_fill_(
                    ~allowed_keys(length, window, q.device), float("-inf")
                )
            out, lse = _FLASH(q, k, v, 0.0, mask is None, attn_mask=mask, scale=scale)
            total = torch.logaddexp(lse, sinks[:, None])
            out = out * torch.exp(lse - total)[..., None]
            output.index_copy_(0, group.rows, scattered(out, group))
            ctx.saved.append((group, q, k, v, out, total, mask))
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        d_output = gradients[0]
        d_query, d_sinks = torch.empty_like(d_output), torch.zeros_like(ctx.sinks)
        d_key, d_value = d_output.new_empty(ctx.kv_shape), d_output.new_empty(ctx.kv_shape)
        for group, q, k, v, out, total, mask in ctx.saved:
            d_out = torch.zeros_like(out.transpose(1, 2)).flatten(0, 1)
            d_out = d_out.index_copy_(0, group.real, d_output.index_select(0, group.rows))
            d_out = d_out.unflatten(0, group.index.shape).transpose(1, 2)
            d_q, d_k, d_v = _FLASH_BACKWARD(
                d_out, q, k, v, out, total, 0.0, mask is None, attn_mask=mask, scale=ctx.scale
            )
            d_sinks -= (torch.exp(ctx.sinks[:, None] - total) * (d_out * out).sum(-1)).sum((0, 2))
            d_query.index_copy_(0, group.rows, scattered(d_q, group))
            for d, part in ((d_key, d_k), (d_value, d_v)):
                shared = part.unflatten(1, (ctx.kv_shape[1], -1)).sum(2)
                d.index_copy_(0, group.rows, scattered(shared, group))
        return d_query, d_key, d_value, d_sinks, None, None, None


def attend_cached(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    s_aux: Tensor,
    **_: Any,
) -> tuple[Tensor, None]:
    """Generation with a cache: the same sums as transformers' eager path, without copying keys for every head.

    query [B, H, S, d], key and value [B, Hkv, T, d], additive mask [B, 1, S, T] -> [B, S, H, d].
    """
    batch, heads, length, size = query.shape
    shared = key.shape[1]
    grouped = query.reshape(batch, shared, heads // shared * length, size)
    scores = (grouped @ key.transpose(2, 3)).view(batch, heads, length, -1) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    sink = s_aux.reshape(1, -1, 1, 1).expand(batch, -1, length, 1).to(scores.dtype)
    weights = torch.cat([scores, sink], dim=-1).softmax(dim=-1)[..., :-1]
    attended = weights.reshape(batch, shared, heads // shared * length, -1) @ value
    return attended.view(batch, heads, length, size).transpose(1, 2), None


def register_attention() -> str:
    """Make `packed` known to transformers; returns the name to put into a config."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend_packed)
    return NAME


def register_cached_attention() -> str:
    """Make `cached` known to transformers, with its eager mask; returns the name to put into a config."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(CACHED, attend_cached)
    AttentionMaskInterface.register(CACHED, eager_mask)
    return CACHED
