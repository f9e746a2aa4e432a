"""LoRA on all experts without building the adapted weights, and on attention in the model's own dtype.

PEFT adapts an expert tensor by adding the product of its factors to the whole stack of experts at each pass: every
expert's weights are written anew, and the backward computes a dense gradient of them. Here the same adapter runs as
x W + s (x A) B, so that only the tokens of an expert meet its factors and no gradient of W exists. PEFT keeps the
factors, their names, saving, merging and switching off; this changes the arithmetic alone. Beside a bf16 weight
PEFT multiplies in the factors' fp32; here they are rounded first, as autocast would.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from peft.tuners.lora.layer import Linear, ParamWrapper
from torch import Tensor, nn

from prescreen.model import experts, grouped
from prescreen.model.experts import Factors
from prescreen.model.keeping import keep

FORWARDS = {experts.NAME: experts.forward_sorted, grouped.NAME: grouped.forward_grouped}


class SplitExperts(ParamWrapper):
    """The outer one of PEFT's wrappers around an expert module, with the sums done apart."""

    def forward(self, hidden: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        """hidden [N, h], chosen experts [N, k] and their weights [N, k] -> [N, h]."""
        base: Any = self.get_base_layer()
        forward = FORWARDS.get(base.config._experts_implementation)
        if forward is None or self.disable_adapters or self.merged or len(self.active_adapters) != 1:
            return super().forward(hidden, chosen, weights)
        return forward(base, hidden, chosen, weights, find_factors(self, self.active_adapters[0]))


class SplitLinear(Linear):
    """A projection and its adapter, added in one product."""

    def forward(self, x: Tensor, *arguments: Any, **options: Any) -> Tensor:
        """[..., in] -> [..., out]."""
        if self.disable_adapters or self.merged or len(self.active_adapters) != 1:
            return super().forward(x, *arguments, **options)
        name = self.active_adapters[0]
        left, right = (factors[name].weight.to(x.dtype) for factors in (self.lora_A, self.lora_B))
        whole = self.base_layer(x)
        narrow = keep(nn.functional.linear, x, left).flatten(0, -2)
        return torch.addmm(whole.flatten(0, -2), narrow, right.T, alpha=self.scaling[name]).view_as(whole)


def find_factors(outer: ParamWrapper, adapter: str) -> Mapping[str, Factors]:
    """The factors of each adapted tensor of one expert module, by the tensor's name."""
    return {
        wrapper.parameter_name: Factors(*wrapper.get_delta_factors(adapter))
        for wrapper in _chain(outer)
        if adapter in wrapper.lora_A
    }


def unwrap(model: nn.Module) -> Any:
    """The causal model itself, with or without an adapter around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def merged_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All tensors of the causal model but the experts' own, by its plain names, with the adapter in them."""
    inner = unwrap(model)
    deltas = {
        f"{name}.weight": module.get_delta_weight(module.active_adapters[0])
        for name, module in inner.named_modules()
        if isinstance(module, Linear)
    }
    for name, tensor in inner.state_dict().items():
        plain = name.replace(".base_layer", "")
        if "lora_" not in name and ".experts." not in name:
            yield plain, tensor + deltas[plain] if plain in deltas else tensor


def split_adapters(model: nn.Module) -> int:
    """Let every adapted module of a PEFT model compute its adapter apart; returns how many hold experts."""
    for module in model.modules():
        if type(module) is Linear:
            module.__class__ = SplitLinear
    wrappers = [module for module in model.modules() if isinstance(module, ParamWrapper)]
    inner = {id(wrapper.base_layer) for wrapper in wrappers}
    outer = [wrapper for wrapper in wrappers if id(wrapper) not in inner]
    for wrapper in outer:
        wrapper.__class__ = SplitExperts
    return len(outer)


def _chain(outer: ParamWrapper) -> Iterator[ParamWrapper]:
    layer: Any = outer
    while isinstance(layer, ParamWrapper):
        yield layer
        layer = layer.base_layer
