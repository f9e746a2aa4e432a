"""Exact attention for packed rows: learnable sinks, sliding window, and documents that cannot see each other.

Registered through transformers' own registry under the name `packed`; transformers then builds no mask, and the
collator's `documents` lengths reach this function through the model's keyword arguments. Stock transformers
ignores `position_ids` when it builds gpt-oss masks, so its packed rows leak (tests/model/test_attention.py shows
it). On a CUDA card whole rows by `blocks`; elsewhere part by part, with torch's flash kernel for float32 and plain
products for other types. Knows nothing about loss or data.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prescreen.errors import GuardError
from prescreen.model.blocks import attend_blocks, plan_blocks
from prescreen.model.keeping import keep
from prescreen.model.parts import Part, plan_parts

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
    parts = plan_parts(lengths, roots, sliding_window, q.shape[1] // k.shape[1], query.device)
    flash = query.dtype == torch.float32
    attended = (_FlashWithSinks.apply if flash else attend_dense)(q, k, v, s_aux, parts, scaling)
    return attended[None], None


def heads_first(rows: Tensor, shared: int) -> Tensor:
    """[N, H, ...] -> [Hkv, N, R ...]: heads that share keys beside each other, in memory too."""
    return rows.reshape(len(rows), shared, -1).transpose(0, 1).contiguous()


def gather(rows: Tensor, index: Tensor, size: int) -> Tensor:
    """[Hkv, N, R d], index [D, L] -> [Hkv, D, L R, d]: each document's queries, or keys, as one block."""
    return rows.index_select(1, index.flatten()).view(len(rows), len(index), -1, size)


def without_padding(found: Tensor, part: Part) -> Tensor:
    """What was found for a part's queries [Hkv, D, L R, d] or keys, [Hkv, n, R d]: the real tokens' alone."""
    flat = found.reshape(len(found), part.index.numel(), -1)
    return flat.index_select(1, part.real) if len(part.padding) else flat


def attend_dense(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, parts: list[Part], scale: float
) -> Tensor:
    """Plain attention over parts, any device and dtype. query [N, H, d], key and value [N, Hkv, d] -> [N, H, d].

    Scores and sums are float32, or float64 for such a query.
    """
    shared, size = key.shape[1:]
    heads = query.shape[1] // shared
    precise = query.dtype if query.dtype == torch.float64 else torch.float32
    q, k, v = (heads_first(t, shared) for t in (query, key, value))
    found = []
    for part in parts:
        scores = gather(q, part.index, size) @ gather(k, part.keys, size).transpose(2, 3)
        scores = scores.to(precise) * scale + part.mask
        sink = sinks.to(precise).view(shared, 1, 1, heads).expand(-1, *part.index.shape, -1)
        weights = torch.cat([scores, sink.reshape(*scores.shape[:3], 1)], -1).softmax(-1)[..., :-1]
        found.append(without_padding(weights @ gather(v, part.keys, size).to(precise), part))
    order = torch.cat([part.rows for part in parts]).argsort()
    return torch.cat(found, 1).index_select(1, order).transpose(0, 1).reshape(query.shape).to(query.dtype)


def attend_flash(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, parts: list[Part], scale: float
) -> tuple[Tensor, Tensor]:
    """torch's CPU flash attention over parts, no gradients: output [N, H, d] and log-sum-exp [N, H].

    The sink takes part in the normalisation and contributes no value: the kernel's output counts with the share
    that its keys have beside the sink.
    """
    shared, size = key.shape[1:]
    q, k, v = (heads_first(t, shared) for t in (query, key, value))
    output, lse = torch.empty_like(q), q.new_empty(*q.shape[:2], q.shape[2] // size)
    for part in parts:
        out, total = _FLASH(
            *(gather(t, i, size) for t, i in ((q, part.index), (k, part.keys), (v, part.keys))),
            0.0, False, attn_mask=part.mask, scale=scale,
        )  # fmt: skip
        output.index_copy_(1, part.rows, without_padding(out, part))
        lse.index_copy_(1, part.rows, without_padding(total, part))
    rows, total = output.transpose(0, 1).reshape(query.shape), lse.transpose(0, 1).reshape(query.shape[:2])
    return rows.mul_(torch.sigmoid(total - sinks)[..., None]), torch.logaddexp(total, sinks)


class _FlashWithSinks(torch.autograd.Function):
    """torch's CPU flash attention over parts.

    The flash backward of each part, run on the output and log-sum-exp with the sink in them, is its exact gradient,
    because the sink's value is zero. The sink's own gradient is -exp(sink - lse') (dO . O) summed over queries.
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
        query, key, value, sinks, output, total = ctx.saved_tensors
        shared, size = key.shape[1:]
        q, k, v, out, lse, d_out = (
            heads_first(t, shared) for t in (query, key, value, output, total, gradients[0])
        )
        d_q, d_k, d_v = (torch.empty_like(t) for t in (q, k, v))
        for part in ctx.parts:
            own, keys = part.index, part.keys
            asked = d_out.index_select(1, own.flatten()).index_fill_(1, part.padding, 0)
            found = _FLASH_BACKWARD(
                asked.view(shared, len(own), -1, size),
                *(gather(t, index, size) for t, index in ((q, own), (k, keys), (v, keys), (out, own))),
                gather(lse, own, 1)[..., 0],
                0.0, False, attn_mask=part.mask, scale=ctx.scale,
            )  # fmt: skip
            d_q.index_copy_(1, part.rows, without_padding(found[0], part))
            older = len(part.before)
            for into, d in ((d_k, found[1]), (d_v, found[2])):
                into.index_copy_(1, part.rows, without_padding(d[:, :, older:], part))
                into.index_add_(1, part.before, d[:, :, :older].sum(1))
        d_sinks = -(torch.exp(sinks - total) * (gradients[0] * output).sum(-1)).sum(0)
        slopes = (d.transpose(0, 1).reshape(t.shape) for d, t in ((d_q, query), (d_k, key), (d_v, value)))
        return *slopes, d_sinks, None, None


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
