"""Exact attention for packed rows: learnable sinks, sliding window, and documents that cannot see each other.

Registered through transformers' own registry under the name `packed`; transformers then builds no mask, and the
collator's `documents` lengths reach this function through the model's keyword arguments. Stock transformers
ignores `position_ids` when it builds gpt-oss masks, so its packed rows leak (tests/model/test_attention.py shows
it). On a CUDA card whole rows by `blocks`; elsewhere part by part, with torch's flash kernel for float32 and plain
products for other types; the parts' results are joined by their log-sum-exp, exactly. Knows nothing about loss
or data.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prescreen.errors import GuardError
from prescreen.model.blocks import attend_blocks, plan_blocks
from prescreen.model.keeping import keep
from prescreen.model.parts import Group, Part, plan_parts

NAME, CACHED = "packed", "cached"
_FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_FLASH_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


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
    documents: Sequence[int] | None = None,
    parents: Sequence[int] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """transformers' attention signature. query [1, H, N, d]; `documents` are D lengths summing to N; `parents` D
    numbers of the document each one continues, -1 for none, which is the default. Plain numbers: a card that is
    asked for a tensor's values in every layer would stop each time."""
    if documents is None:
        raise GuardError("packed attention needs document lengths; without them documents would see each other")
    if s_aux is None:
        raise GuardError("attention without sinks is not gpt-oss; load the model with its sinks")
    if dropout or attention_mask is not None or query.shape[0] != 1:
        raise GuardError("packed attention takes one row, no padding mask and no dropout")
    lengths = tuple(documents)
    roots = (-1,) * len(lengths) if parents is None else tuple(parents)
    q, k, v = (t[0].transpose(0, 1) for t in (query, key, value))  # [N, H, d]
    if query.is_cuda:
        mask = plan_blocks(lengths, roots, sliding_window, query.device)
        return attend_blocks(q, k, v, s_aux, mask, scaling)[None], None
    parts = plan_parts(lengths, roots, sliding_window, query.device)
    flash = query.dtype == torch.float32
    attended = (_FlashWithSinks.apply if flash else attend_dense)(q, k, v, s_aux, parts, scaling)
    return attended[None], None


def gather(rows: Tensor, group: Group) -> Tensor:
    """[N, H, d] -> [D, H, L, d]; padding repeats some other token and is never used."""
    return rows.index_select(0, group.index.flatten()).unflatten(0, group.index.shape).transpose(1, 2)


def gather_keys(rows: Tensor, part: Part, repeats: int) -> Tensor:
    """[N, Hkv, d] -> [D, H, K, d]: the queries' own documents, or one ancestor for all of them."""
    if part.keys is None:
        return gather(rows, part.group).repeat_interleave(repeats, 1)
    shared = rows.index_select(0, part.keys).transpose(0, 1).repeat_interleave(repeats, 0)
    return shared.expand(len(part.group.index), *shared.shape)


def scattered(attended: Tensor, group: Group) -> Tensor:
    """[D, H, L, ...] -> the rows of the group's real tokens, [n, H, ...]."""
    return attended.transpose(1, 2).flatten(0, 1).index_select(0, group.real)


def join_parts(
    parts: list[Part], found: list[tuple[Tensor, Tensor]], sinks: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Each part's output [n, H, d] and log-sum-exp [n, H] -> those of the whole row, [N, H, d] and [N, H].

    lse' = log(sum over parts exp(lse) + exp(sink)); each output counts with exp(lse - lse'). The sink takes part in
    the normalisation and contributes no value.
    """
    total = sinks.to(found[0][1].dtype).repeat(size, 1)
    for part, (_, lse) in zip(parts, found, strict=True):
        rows = part.group.rows
        total.index_copy_(0, rows, torch.logaddexp(total.index_select(0, rows), lse))
    output = found[0][0].new_empty(size, *found[0][0].shape[1:])
    for part, (out, lse) in zip(parts, found, strict=True):
        rows = part.group.rows
        put(output, rows, out * torch.exp(lse - total.index_select(0, rows))[..., None], part.own)
    return output, total


def put(into: Tensor, rows: Tensor, values: Tensor, first: bool) -> None:
    """Write rows, all different, or add to them. Every row of a tensor is written by one part before any adds."""
    into.index_copy_(0, rows, values if first else into.index_select(0, rows) + values)


def attend_dense(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, parts: list[Part], scale: float
) -> Tensor:
    """Plain attention over parts, any device and dtype. query [N, H, d], key and value [N, Hkv, d] -> [N, H, d].

    Scores and sums are float32, or float64 for such a query.
    """
    repeats = query.shape[1] // key.shape[1]
    precise = query.dtype if query.dtype == torch.float64 else torch.float32
    found = []
    for part in parts:
        q = gather(query, part.group)
        k, v = (gather_keys(t, part, repeats) for t in (key, value))
        scores = (q @ k.transpose(2, 3)).to(precise) * scale + part.additive
        out = scores.softmax(-1) @ v.to(precise)
        found.append((scattered(out, part.group), scattered(scores.logsumexp(-1), part.group)))
    return join_parts(parts, found, sinks, len(query))[0].to(query.dtype)


def attend_flash(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, parts: list[Part], scale: float
) -> tuple[Tensor, Tensor]:
    """torch's CPU flash attention over parts, no gradients: output [N, H, d] and log-sum-exp [N, H]."""
    repeats = query.shape[1] // key.shape[1]
    found = []
    for part in parts:
        q = gather(query, part.group)
        k, v = (gather_keys(t, part, repeats) for t in (key, value))
        out, lse = _FLASH(q, k, v, 0.0, part.causal, attn_mask=part.mask, scale=scale)
        found.append((scattered(out, part.group), scattered(lse, part.group)))
    return join_parts(parts, found, sinks, len(query))


class _FlashWithSinks(torch.autograd.Function):
    """torch's CPU flash attention over parts.

    The flash backward of each part, run on the joined output and log-sum-exp, is its exact gradient, because the
    sink's value is zero. The sink's own gradient is -exp(sink - lse') (dO . O) summed over queries.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, parts: list[Part], scale: float
    ) -> Tensor:
        output, total = keep(attend_flash, query, key, value, sinks, parts, scale)
        ctx.parts, ctx.scale = parts, scale
        ctx.save_for_backward(query, key, value, sinks, output, total)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        d_output = gradients[0].contiguous()
        query, key, value, sinks, output, total = ctx.saved_tensors
        repeats = query.shape[1] // key.shape[1]
        d_query, d_key, d_value = (torch.empty_like(t) for t in (query, key, value))
        for part in ctx.parts:
            group = part.group
            q, out = gather(query, group), gather(output, group)
            lse = gather(total[..., None], group)[..., 0]
            k, v = (gather_keys(t, part, repeats) for t in (key, value))
            d_out = torch.zeros_like(out.transpose(1, 2)).flatten(0, 1)
            d_out = d_out.index_copy_(0, group.real, d_output.index_select(0, group.rows))
            d_out = d_out.unflatten(0, group.index.shape).transpose(1, 2)
            d_q, d_k, d_v = _FLASH_BACKWARD(
                d_out, q, k, v, out, lse, 0.0, part.causal, attn_mask=part.mask, scale=ctx.scale
            )
            put(d_query, group.rows, scattered(d_q, group), part.own)
            for d, found in ((d_key, d_k), (d_value, d_v)):
                shared = found.unflatten(1, (-1, repeats)).sum(2)
                if part.keys is None:
                    put(d, group.rows, scattered(shared, group), True)
                else:
                    put(d, part.keys, shared.sum(0).transpose(0, 1), False)
        d_sinks = -(torch.exp(sinks - total) * (d_output * output).sum(-1)).sum(0)
        return d_query, d_key, d_value, d_sinks, None, None


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

    query [B, H, S, d], key and value [B, Hkv, T, d], additive mask [B, 1, S, T] -> [B, S, H, d]. On a CPU
    torch's flash kernel reads a prompt several times as fast; for a single token plain products are faster.
    """
    batch, heads, length, size = query.shape
    shared = key.shape[1]
    if length > 1 and query.device.type == "cpu" and query.dtype == torch.float32:
        k, v = (t.repeat_interleave(heads // shared, 1) for t in (key, value))
        out, lse = _FLASH(query, k, v, 0.0, False, attn_mask=attention_mask, scale=scaling)
        return (out * torch.sigmoid(lse - s_aux[:, None])[..., None]).transpose(1, 2), None
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
