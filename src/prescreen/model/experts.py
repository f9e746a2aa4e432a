"""The experts on a CPU: tokens sorted by expert once, then one dense product each.

Registered through transformers' own registry under the name `sorted`. The same arithmetic as transformers'
`eager` loop; gathers and scatters are done once instead of per expert. An adapter's factors may stand beside a
weight, and a frozen weight may stay in MXFP4: one expert at a time is decoded where it is used. Knows nothing about
attention or loss.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prescreen.model.dealing import Collect, Spread, invert
from prescreen.model.fuse import fuse
from prescreen.model.keeping import keep
from prescreen.model.mxfp4 import Packed, decode

NAME = "sorted"
WEIGHTS = ("gate_up_proj", "down_proj")


class Factors(NamedTuple):
    """A low-rank update of every expert's weights [in, out]: scale * left @ right; [E, in, r] and [E, r, out]."""

    left: Tensor
    right: Tensor
    scale: float


class _PackedLinear(torch.autograd.Function):
    """x W + b with a frozen W that is decoded for the forward and again for the backward, and never kept."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, bias: Tensor, packed: Packed) -> Tensor:
        ctx.packed = packed
        return keep(lambda: torch.addmm(bias, rows, decode(packed, rows.dtype)[0]))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0] @ decode(ctx.packed, gradients[0].dtype)[0].T, None, None


@fuse
def clamped_glu(gate_up: Tensor, alpha: float, limit: float) -> Tensor:
    """gpt-oss's gate, (up + 1) gate sigmoid(alpha gate) of clamped halves. [N, 2 I], both by turns -> [N, I]."""
    gate, up = gate_up[..., ::2].clamp(max=limit), gate_up[..., 1::2].clamp(-limit, limit)
    return (up + 1) * (gate * torch.sigmoid(gate * alpha))


@fuse
def clamped_glu_slope(gradient: Tensor, gate_up: Tensor, alpha: float, limit: float) -> Tensor:
    """The gradient of `clamped_glu`'s input. A value on its limit still passes a gradient, as in torch."""
    raw_gate, raw_up = gate_up[..., ::2], gate_up[..., 1::2]
    gate, up = raw_gate.clamp(max=limit), raw_up.clamp(-limit, limit)
    share = torch.sigmoid(gate * alpha)
    swish = gate * share
    slope = share + alpha * swish * (1 - share)
    d_gate = gradient * (up + 1) * (slope * (raw_gate <= limit))
    d_up = gradient * swish * (raw_up.abs() <= limit)
    return torch.stack([d_gate, d_up], -1).flatten(-2)


class ClampedGlu(torch.autograd.Function):
    """`clamped_glu`, keeping only its input for the backward."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor, alpha: float, limit: float) -> Tensor:
        ctx.save_for_backward(gate_up)
        ctx.alpha, ctx.limit = alpha, limit
        return clamped_glu(gate_up, alpha, limit)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return clamped_glu_slope(gradients[0], *ctx.saved_tensors, ctx.alpha, ctx.limit), None, None


def forward_sorted(
    module: nn.Module,
    hidden: Tensor,
    chosen: Tensor,
    weights: Tensor,
    updates: Mapping[str, Factors] | None = None,
) -> Tensor:
    """hidden [N, h], chosen experts [N, k] and their weights [N, k] -> [N, h]; `updates` by the tensor's name."""
    experts: Any = module
    flat = chosen.reshape(-1)
    order = torch.argsort(flat, stable=True)
    inverse = invert(order, chosen)
    counts = torch.bincount(flat, minlength=experts.num_experts).tolist()
    stored: Mapping[str, Packed] = getattr(experts, "packed", {})
    # once: PEFT builds a weight anew; one gradient for all experts, where one for each would be as large
    dense = {name: getattr(experts, name).unbind() for name in WEIGHTS if name not in stored}
    biases = {name: getattr(experts, f"{name}_bias").unbind() for name in WEIGHTS}
    factors = {
        name: (left.unbind(), right.unbind(), scale) for name, (left, right, scale) in (updates or {}).items()
    }

    def project(name: str, part: Tensor, number: int) -> Tensor:
        bias = biases[name][number]
        if name in stored:
            one = Packed(*(tensor[number : number + 1] for tensor in stored[name]))
            found = _PackedLinear.apply(part, bias, one)
        else:
            found = keep(torch.addmm, bias, part, dense[name][number])
        if name not in factors:
            return found
        left, right, scale = factors[name]
        return torch.addmm(found, keep(torch.mm, part, left[number]), right[number], alpha=scale)

    outputs = []
    for number, part in enumerate(Spread.apply(hidden, order, inverse).split(counts)):
        inner = project("gate_up_proj", part, number)
        outputs.append(project("down_proj", ClampedGlu.apply(inner, experts.alpha, experts.limit), number))
    weighted = torch.cat(outputs) * weights.reshape(-1).index_select(0, order)[:, None]
    return Collect.apply(weighted.to(hidden.dtype), order, inverse)


def register_experts() -> str:
    """Make `sorted` known to transformers; returns the name to put into a config."""
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

    ALL_EXPERTS_FUNCTIONS.register(NAME, forward_sorted)
    return NAME
