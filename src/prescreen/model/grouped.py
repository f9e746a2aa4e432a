"""The experts on a CUDA card: tokens sorted by expert once, then one grouped product for all experts.

Registered through transformers' own registry under the name `grouped`. The same arithmetic as the loop of
`experts`, without waiting for the card to count tokens. An adapter's factors are grouped products of their own. A
weight that stays in MXFP4 is decoded where it is used, at most half a GiB at a time, forward and backward, and the
allocator hands the same memory to the next. Knows nothing about attention or loss.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import grouped_mm

from prescreen.errors import GuardError
from prescreen.model.experts import WEIGHTS, ClampedGlu, Factors
from prescreen.model.mxfp4 import BLOCK, Packed, unpack
from prescreen.sizing import MOST_DECODED

NAME = "grouped"
ALIGNED = 8  # grouped products want rows of a multiple of 16 bytes


def _slices(packed: Packed) -> list[Packed]:
    """The weight cut along its outputs, so that about `MOST_DECODED` values are decoded at a time."""
    experts, outputs, blocks = packed.scales.shape
    count = -(-experts * outputs * blocks * BLOCK // MOST_DECODED)
    width = -(-outputs // count // ALIGNED) * ALIGNED
    return [Packed(*part) for part in zip(*(t.split(width, 1) for t in packed), strict=True)]


class _PackedProducts(torch.autograd.Function):
    """Each row times its expert's frozen weight, which is decoded for the forward and again for the backward."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, packed: Packed, ends: Tensor) -> Tensor:
        ctx.packed, ctx.ends = packed, ends
        found = [grouped_mm(rows, unpack(*p, rows.dtype).transpose(1, 2), offs=ends) for p in _slices(packed)]
        return found[0] if len(found) == 1 else torch.cat(found, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        slices = _slices(ctx.packed)
        pieces = gradients[0].split([p.scales.shape[1] for p in slices], -1)
        found = None
        for piece, packed in zip(pieces, slices, strict=True):
            part = grouped_mm(piece.contiguous(), unpack(*packed, piece.dtype), offs=ctx.ends)
            found = part if found is None else found.add_(part)
        assert found is not None
        return found, None, None


class _Spread(torch.autograd.Function):
    """Each token once for every expert it chose, in the experts' order; the backward adds its copies up again."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return hidden.index_select(0, order // (len(order) // len(hidden)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _collect(gradients[0], *ctx.saved_tensors).sum(1), None, None


def _collect(sorted_rows: Tensor, inverse: Tensor) -> Tensor:
    """[N k, h] in the experts' order -> [N, k, h]."""
    return sorted_rows.index_select(0, inverse.flatten()).unflatten(0, inverse.shape)


def forward_grouped(
    module: nn.Module,
    hidden: Tensor,
    chosen: Tensor,
    weights: Tensor,
    updates: Mapping[str, Factors] | None = None,
) -> Tensor:
    """hidden [N, h], chosen experts [N, k] and their weights [N, k] -> [N, h]; `updates` by the tensor's name."""
    experts: Any = module
    updates = updates or {}
    owner, order = torch.sort(chosen.reshape(-1), stable=True)
    inverse = torch.argsort(order).view_as(chosen)
    numbers = torch.arange(experts.num_experts, device=owner.device)
    ends = torch.searchsorted(owner, numbers, right=True).to(torch.int32)
    stored: Mapping[str, Packed] = getattr(experts, "packed", {})
    dense = {name: getattr(experts, name) for name in WEIGHTS if name not in stored}  # once: PEFT builds it anew

    def project(name: str, part: Tensor) -> Tensor:
        if name in stored:
            found = _PackedProducts.apply(part, stored[name], ends)
        else:
            found = grouped_mm(part, dense[name], offs=ends)
        found = found + getattr(experts, f"{name}_bias").index_select(0, owner)
        if name not in updates:
            return found
        left, right, scale = updates[name]
        if part.is_cuda and left.shape[-1] % ALIGNED:
            raise GuardError(f"a card's grouped products want a rank that {ALIGNED} divides; set lora.rank")
        narrow = grouped_mm(part, left.to(part.dtype).contiguous(), offs=ends) * scale
        return found + grouped_mm(narrow, right.to(part.dtype).contiguous(), offs=ends)

    inner = project("gate_up_proj", _Spread.apply(hidden, order, inverse))
    outer = project("down_proj", ClampedGlu.apply(inner, experts.alpha, experts.limit))
    return (_collect(outer, inverse) * weights[..., None]).sum(1).to(hidden.dtype)


def register_grouped() -> str:
    """Make `grouped` known to transformers; returns the name to put into a config."""
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

    ALL_EXPERTS_FUNCTIONS.register(NAME, forward_grouped)
    return NAME
