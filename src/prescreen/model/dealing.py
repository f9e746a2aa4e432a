"""Tokens dealt out to the experts they chose, each expert's side by side, and collected again.

`order` [N k] says which choice stands where, `inverse` [N, k] where a token's choices stand. Both ways and both
gradients are gathers, where autograd's own would scatter. Knows no expert.
"""

from typing import Any

import torch
from torch import Tensor

from prescreen.model.fuse import fuse


def invert(order: Tensor, chosen: Tensor) -> Tensor:
    """Where each token's choices stand: order [N k] -> [N, k], as `chosen`."""
    places = torch.arange(len(order), device=order.device)
    return torch.empty_like(order).scatter_(0, order, places).view_as(chosen)


@fuse
def gather_sum(rows: Tensor, inverse: Tensor) -> Tensor:
    """Each token's rows added up: rows [N k, h] in the experts' order, inverse [N, k] -> [N, h]."""
    return rows[inverse].sum(1, dtype=torch.promote_types(rows.dtype, torch.float32)).to(rows.dtype)


class Spread(torch.autograd.Function):
    """Each token once for every expert it chose, in the experts' order; the backward adds its copies up again."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return hidden.index_select(0, order // inverse.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gather_sum(gradients[0], *ctx.saved_tensors), None, None


class Collect(torch.autograd.Function):
    """`gather_sum`: what experts made of tokens, added up for each token."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(order, inverse)
        return gather_sum(rows, inverse)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        order, inverse = ctx.saved_tensors
        return gradients[0].index_select(0, order // inverse.shape[1]), None, None
