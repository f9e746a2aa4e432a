"""A model spread over processes: torch's FSDP2, one decoder layer at a time.

Each process holds its part of every weight, gradient and optimiser state, and a layer whole while it computes it.
Experts kept in MXFP4 are no parameters and stay whole in every process. The vocabulary head never runs as a module,
since losses take its weight: it is a sharded tensor of its own, gathered where it is used. Gradients are averaged
over processes. Knows nothing about rows, losses or files.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Shard, distribute_tensor

from prescreen.errors import GuardError
from prescreen.model.split import unwrap
from prescreen.train import ranks


def shard_model(model: nn.Module) -> None:
    """Spread a model that is the same in every process; moves each part to this process's own device."""
    ranks.meet()
    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (ranks.count(),))
    inner = unwrap(model)
    how: dict[str, Any] = {"mesh": mesh, "reshard_after_forward": True, "ignored_params": find_placeholders(inner)}
    for layer in inner.model.layers:
        fully_shard(layer, **how)
    fully_shard(inner.model, **how)
    head = inner.lm_head.weight
    spread = distribute_tensor(head.detach(), mesh, [Shard(0)], src_data_rank=None)
    inner.lm_head.weight = nn.Parameter(spread, requires_grad=head.requires_grad)


def find_placeholders(model: nn.Module) -> set[nn.Parameter]:
    """Stand-ins for experts that stay in MXFP4 (`model.resident`): one number each, nothing to spread."""
    return {getattr(m, name) for m in model.modules() for name in getattr(m, "packed", {})}


def check_sharded(model: nn.Module) -> None:
    """GuardError unless every trained weight is spread over all processes.

    Accelerate's FSDP becomes DDP on a CPU without a word: whole weights and optimiser states in every process.
    """
    whole = [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and not (isinstance(p, DTensor) and p.device_mesh.size() == ranks.count() > 1)
    ]
    if whole:
        raise GuardError(
            f"{type(model).__name__} keeps {len(whole)} trained tensors whole in each of {ranks.count()} processes "
            f"({whole[0]}, ...): this is data parallelism, not sharding; check the version of accelerate"
        )


def gather(tensor: Tensor) -> Tensor:
    """A whole weight for a loss; its gradient is averaged over processes, as FSDP averages those of layers."""
    return tensor.full_tensor(grad_placements=[Partial("avg")]) if isinstance(tensor, DTensor) else tensor


def gather_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors on the first process's CPU, none elsewhere. All processes must call it."""
    whole = {}
    for name, tensor in tensors.items():
        full = tensor.detach()
        full = full.full_tensor() if isinstance(full, DTensor) else full
        if ranks.is_first():
            whole[name] = full.cpu()
    return whole


def spread_like(whole: Tensor, other: Tensor) -> Tensor:
    """This process's part of a whole tensor, cut as `other` is."""
    if not isinstance(other, DTensor) or whole.shape != other.shape:
        return whole
    return distribute_tensor(whole.to(other.dtype), other.device_mesh, other.placements, src_data_rank=None)
