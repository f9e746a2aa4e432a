"""The experts on a CUDA card: tokens sorted by expert once, then one grouped product for all experts.

Registered through transformers' own registry under the name `grouped`. The same arithmetic as the loop of
`experts`, without waiting for the card to count tokens. An adapter's factors are grouped products of their own;
what lies between two products is read and written once. A weight that stays in MXFP4 is decoded where it is used,
at most half a GiB at a time, forward and backward, and the allocator hands the same memory to the next. Knows
nothing about attention or loss.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import grouped_mm

from prescreen.errors import GuardError
from prescreen.model.dealing import Spread, invert
from prescreen.model.experts import WEIGHTS, Factors, clamped_glu, clamped_glu_slope
from prescreen.model.fuse import fuse
from prescreen.model.keeping import keep
from prescreen.model.mxfp4 import BLOCK, Packed, unpack
from prescreen.sizing import MOST_DECODED

NAME = "grouped"
ALIGNED = 8  # grouped products want rows of a multiple of 16 bytes


def multiply_groups(rows: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    """Rows by expert times their expert's weight: [N, in], [E, in, out], where each expert ends -> [N, out]."""
    return grouped_mm(rows, weight, offs=ends)


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

        def multiply() -> Tensor:
            found = [grouped_mm(rows, unpack(*p, rows.dtype).transpose(1, 2), offs=ends) for p in _slices(packed)]
            return found[0] if len(found) == 1 else torch.cat(found, -1)

        return keep(multiply)

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


@fuse
def add_bias(product: Tensor, update: Tensor | None, bias: Tensor, owner: Tensor) -> Tensor:
    """A projection whole: its frozen product, an adapter's update, each row's own expert's bias."""
    found = product + bias[owner]
    return found if update is None else found + update


@fuse
def add_bias_and_gate(
    product: Tensor, update: Tensor | None, bias: Tensor, owner: Tensor, alpha: float, limit: float
) -> tuple[Tensor, Tensor]:
    """`add_bias`, and gpt-oss's gate of it."""
    found = add_bias.plain(product, update, bias, owner)
    return found, clamped_glu.plain(found, alpha, limit)


def _projection_gradients(ctx: Any, slope: Tensor, owner: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """What product, update and bias are told of the gradient of their sum."""
    _, update, bias = ctx.needs_input_grad[:3]
    summed = slope.new_zeros(ctx.bias_shape).index_add_(0, owner, slope) if bias else None
    return slope, slope if update else None, summed


class _Gate(torch.autograd.Function):
    """`add_bias_and_gate`, keeping only the gate's input for the backward."""

    @staticmethod
    def forward(
        ctx: Any, product: Tensor, update: Tensor | None, bias: Tensor, owner: Tensor, alpha: float, limit: float
    ) -> Tensor:
        found, gated = add_bias_and_gate(product, update, bias, owner, alpha, limit)
        ctx.save_for_backward(found, owner)
        ctx.alpha, ctx.limit, ctx.bias_shape = alpha, limit, bias.shape
        return gated

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        found, owner = ctx.saved_tensors
        slope = clamped_glu_slope(gradients[0], found, ctx.alpha, ctx.limit)
        return *_projection_gradients(ctx, slope, owner), None, None, None


@fuse
def weigh(rows: Tensor, weights: Tensor, inverse: Tensor) -> Tensor:
    """Each token's experts' rows added up by their weights: [N k, h] and [N, k] -> [N, h]."""
    return (rows[inverse].float() * weights[..., None].float()).sum(1).to(rows.dtype)


@fuse
def weigh_slope(
    gradient: Tensor, rows: Tensor, weights: Tensor, order: Tensor, inverse: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of `weigh`'s rows and weights."""
    d_rows = gradient[order // inverse.shape[1]] * weights.flatten()[order][:, None].to(gradient.dtype)
    d_weights = (gradient[:, None].float() * rows[inverse].float()).sum(-1)
    return d_rows, d_weights.to(weights.dtype)


class _Collect(torch.autograd.Function):
    """`add_bias`, then `weigh`; keeps the experts' rows for the backward."""

    @staticmethod
    def forward(
        ctx: Any,
        product: Tensor,
        update: Tensor | None,
        bias: Tensor,
        owner: Tensor,
        weights: Tensor,
        order: Tensor,
        inverse: Tensor,
    ) -> Tensor:
        found = add_bias(product, update, bias, owner)
        ctx.save_for_backward(found, owner, weights, order, inverse)
        ctx.bias_shape = bias.shape
        return weigh(found, weights, inverse)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        found, owner, weights, order, inverse = ctx.saved_tensors
        d_rows, d_weights = weigh_slope(gradients[0], found, weights, order, inverse)
        return *_projection_gradients(ctx, d_rows, owner), None, d_weights, None, None


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
    owner, order = torch.sort(chosen.reshape(-1).to(torch.int32), stable=True)
    inverse = invert(order, chosen)
    numbers = torch.arange(experts.num_experts, device=owner.device, dtype=owner.dtype)
    ends = torch.searchsorted(owner, numbers, right=True).to(torch.int32)
    stored: Mapping[str, Packed] = getattr(experts, "packed", {})
    dense = {name: getattr(experts, name) for name in WEIGHTS if name not in stored}  # once: PEFT builds it anew

    def multiply(name: str, part: Tensor) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """The frozen product, the adapter's update, and what the bias needs."""
        if name in stored:
            product = _PackedProducts.apply(part, stored[name], ends)
        else:
            product = keep(multiply_groups, part, dense[name], ends)
        bias = getattr(experts, f"{name}_bias")
        if name not in updates:
            return product, None, bias, owner
        left, right, scale = updates[name]
        if part.is_cuda and left.shape[-1] % ALIGNED:
            raise GuardError(f"a card's grouped products want a rank that {ALIGNED} divides; set lora.rank")
        narrow = keep(multiply_groups, part, left.to(part.dtype).contiguous(), ends) * scale
        return product, multiply_groups(narrow, right.to(part.dtype).contiguous(), ends), bias, owner

    rows = Spread.apply(hidden, order, inverse)
    gated = _Gate.apply(*multiply("gate_up_proj", rows), experts.alpha, experts.limit)
    return _Collect.apply(*multiply("down_proj", gated), weights, order, inverse)


def register_grouped() -> str:
    """Make `grouped` known to transformers; returns the name to put into a config."""
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

    ALL_EXPERTS_FUNCTIONS.register(NAME, forward_grouped)
    return NAME
