"""The experts on a CPU: tokens sorted by expert once, then one dense product each.

Registered through transformers' own registry under the name `sorted`. The same arithmetic as transformers'
`eager` loop; gathers and scatters are done once instead of per expert. An adapter's factors may stand beside a
weight. Knows nothing about attention or loss.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

NAME = "sorted"


class Factors(NamedTuple):
    """A low-rank update of every expert's weights [in, out]: scale * left @ right; [E, in, r] and [E, r, out]."""

    left: Tensor
    right: Tensor
    scale: float


def forward_sorted(
    module: nn.Module,
    hidden: Tensor,
    chosen: Tensor,
    weights: Tensor,
    updates: Mapping[str, Factors] | None = None,
) -> Tensor:
    """hidden [N, h], chosen experts [N, k] and their weights [N, k] -> [N, h]; `updates` by the tensor's name."""
    experts: Any = module
    updates = updates or {}
    flat = chosen.reshape(-1)
    order = torch.argsort(flat, stable=True)
    rows = order // chosen.shape[1]
    counts = torch.bincount(flat, minlength=experts.num_experts).tolist()
    gate_up, down = experts.gate_up_proj, experts.down_proj  # once: an adapter recomputes them at each access

    def project(name: str, part: Tensor, number: int, weight: Tensor, bias: Tensor) -> Tensor:
        found = torch.addmm(bias[number], part, weight[number])
        if name not in updates:
            return found
        left, right, scale = updates[name]
        return torch.addmm(found, part @ left[number], right[number], alpha=scale)

    outputs = []
    for number, part in enumerate(hidden.index_select(0, rows).split(counts)):
        inner = project("gate_up_proj", part, number, gate_up, experts.gate_up_proj_bias)
        outputs.append(project("down_proj", experts._apply_gate(inner), number, down, experts.down_proj_bias))
    weighted = torch.cat(outputs) * weights.reshape(-1).index_select(0, order)[:, None]
    return torch.zeros_like(hidden).index_add(0, rows, weighted.to(hidden.dtype))


def register_experts() -> str:
    """Make `sorted` known to transformers; returns the name to put into a config."""
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

    ALL_EXPERTS_FUNCTIONS.register(NAME, forward_sorted)
    return NAME
