"""The experts on a CPU: tokens sorted by expert once, then one dense product each.

Registered through transformers' own registry under the name `sorted`. The same arithmetic as transformers'
`eager` loop; gathers and scatters are done once instead of per expert. Knows nothing about attention or loss.
"""

from typing import Any

import torch
from torch import Tensor, nn

NAME = "sorted"


def forward_sorted(module: nn.Module, hidden: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
    """hidden [N, h], chosen experts [N, k] and their weights [N, k] -> [N, h]."""
    experts: Any = module
    flat = chosen.reshape(-1)
    order = torch.argsort(flat, stable=True)
    rows = order // chosen.shape[1]
    counts = torch.bincount(flat, minlength=experts.num_experts).tolist()
    gate_up, down = experts.gate_up_proj, experts.down_proj  # once: an adapter recomputes them at each access
    outputs = []
    for number, part in enumerate(hidden.index_select(0, rows).split(counts)):
        inner = torch.addmm(experts.gate_up_proj_bias[number], part, gate_up[number])
        outputs.append(torch.addmm(experts.down_proj_bias[number], experts._apply_gate(inner), down[number]))
    weighted = torch.cat(outputs) * weights.reshape(-1).index_select(0, order)[:, None]
    return torch.zeros_like(hidden).index_add(0, rows, weighted.to(hidden.dtype))


def register_experts() -> str:
    """Make `sorted` known to transformers; returns the name to put into a config."""
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

    ALL_EXPERTS_FUNCTIONS.register(NAME, forward_sorted)
    return NAME
