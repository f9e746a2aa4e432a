"""All experts of a model to MXFP4, layer by layer: which stay as stored, and what the others are rounded against.

Experts the adapter left alone keep the bytes of an MXFP4 base. The rest are rounded to nearest, or against
calibration rows: each layer sees them twice, as the unrounded model does and as the model whose earlier layers are
already rounded does, so that a layer also makes up for those before it. One layer's activations and one expert's
statistics exist at a time. Knows transformers' layers and our experts, nothing about files.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prescreen.errors import GuardError
from prescreen.model.experts import WEIGHTS, ClampedGlu, forward_sorted
from prescreen.model.mxfp4 import BLOCK, Packed, decode, encode
from prescreen.model.split import find_factors, unwrap
from prescreen.train.objectives import hidden_states
from prescreen.train.rounding import Rounded, gather_statistics, round_compensated

Batch = dict[str, Tensor]
Fresh = dict[int, dict[str, Rounded]]  # by expert, then by tensor name


class LayerExperts(NamedTuple):
    """One layer's experts as they will be stored: packed weights and biases by tensor name, and counts."""

    packed: dict[str, Packed]
    biases: dict[str, Tensor]
    kept: int
    rounded: int


class Source:
    """The experts of one layer of a loaded model: what is stored, and what the adapter makes of it."""

    def __init__(self, experts: Any) -> None:
        self.outer = experts
        self.inner = experts.get_base_layer() if hasattr(experts, "get_base_layer") else experts
        self.factors = find_factors(experts, experts.active_adapters[0]) if self.inner is not experts else {}
        self.stored: dict[str, Packed] = getattr(self.inner, "packed", {})

    def weight(self, name: str, number: int) -> Tensor:
        """One expert's weight with the adapter in it, [in, out] in float32."""
        if name in self.stored:
            weight = decode(Packed(*(part[number : number + 1] for part in self.stored[name])), torch.float32)[0]
        else:
            weight = getattr(self.inner, name)[number].detach().float()
        if name in self.factors:
            left, right, scale = self.factors[name]
            weight = weight + scale * (left[number].detach().float() @ right[number].detach().float())
        return weight

    def bias(self, name: str) -> Tensor:
        """Every expert's bias, [E, out]."""
        return getattr(self.inner, f"{name}_bias").detach()

    def is_stored(self, number: int) -> bool:
        """Whether this expert's weights are, to the bit, what an MXFP4 base holds."""
        if set(self.stored) != set(WEIGHTS):
            return False
        return not any((left[number].any() and right[number].any()) for left, right, _ in self.factors.values())


class StoredExperts(nn.Module):
    """Experts as they will be stored, in the shape `forward_sorted` reads."""

    def __init__(self, inner: Any, layer: LayerExperts) -> None:
        super().__init__()
        self.num_experts, self.alpha, self.limit = inner.num_experts, inner.alpha, inner.limit
        self.packed = layer.packed
        for name in WEIGHTS:
            setattr(self, f"{name}_bias", layer.biases[name])

    def forward(self, hidden: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        return forward_sorted(self, hidden, chosen, weights)


class _Tap(nn.Module):
    """Stands in for a layer's experts: remembers what they were asked and adds nothing."""

    def forward(self, hidden: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        self.asked = (hidden, chosen, weights)
        return torch.zeros_like(hidden)


def check_shapes(model: nn.Module) -> None:
    """GuardError where a weight cannot be cut into blocks of 32."""
    config = unwrap(model).config
    for size in (config.hidden_size, config.intermediate_size):
        if size % BLOCK:
            raise GuardError(f"experts have {size} rows; MXFP4 needs a multiple of {BLOCK}, so use storage: dense")


def swap_experts(model: nn.Module, layers: Iterable[LayerExperts]) -> None:
    """Let a model compute with other rounded experts than its own."""
    for layer, rounded in zip(unwrap(model).model.layers, layers, strict=True):
        layer.mlp.experts = StoredExperts(layer.mlp.experts, rounded)


@torch.inference_mode()
def round_layers(model: nn.Module) -> Iterator[LayerExperts]:
    """Every layer to nearest, OCP's rule; stored experts as they are."""
    for layer in unwrap(model).model.layers:
        yield _assemble(Source(layer.mlp.experts), {})


@torch.inference_mode()
def compensate_layers(model: nn.Module, batches: Sequence[Batch]) -> Iterator[LayerExperts]:
    """Every layer rounded against what `batches` (packed rows) ask of it."""
    inner = unwrap(model)
    meant, arguments = _enter(inner, batches)
    seen = list(meant)
    for layer in inner.model.layers:
        experts = layer.mlp.experts
        source = Source(experts)
        numbers = [n for n in range(source.inner.num_experts) if not source.is_stored(n)]
        layer.mlp.experts = tap = _Tap()
        before = [_ask(layer, tap, state, kept) for state, kept in zip(meant, arguments, strict=True)]
        after = [_ask(layer, tap, state, kept) for state, kept in zip(seen, arguments, strict=True)]
        layer.mlp.experts = experts
        fresh = {n: _round_expert(source, n, before, after) for n in numbers}
        done = _assemble(source, fresh)
        rounded = StoredExperts(source.inner, done)
        meant = [(a.residual + experts(a.hidden, a.chosen, a.weights)[None]) for a in before]
        seen = [(a.residual + rounded(a.hidden, a.chosen, a.weights)[None]) for a in after]
        yield done


class _Asked(NamedTuple):
    """One row at a layer's experts: what is added to, and what they are asked."""

    residual: Tensor
    hidden: Tensor
    chosen: Tensor
    weights: Tensor


def _ask(layer: nn.Module, tap: _Tap, state: Tensor, arguments: dict[str, Any]) -> _Asked:
    residual = layer(state, **arguments)
    return _Asked(residual, *tap.asked)


class _Stop(Exception):
    """Ends a forward pass at the first layer."""


def _enter(inner: Any, batches: Sequence[Batch]) -> tuple[list[Tensor], list[dict[str, Any]]]:
    """What reaches the first layer for each row, and the arguments every layer gets beside it."""
    states, arguments = [], []

    def catch(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states.append(args[0])
        arguments.append(kwargs)
        raise _Stop

    handle = inner.model.layers[0].register_forward_pre_hook(catch, with_kwargs=True)
    for batch in batches:
        with suppress(_Stop):
            hidden_states(inner, batch)
    handle.remove()
    return states, arguments


def _round_expert(
    source: Source, number: int, before: Sequence[_Asked], after: Sequence[_Asked]
) -> dict[str, Rounded]:
    """Both weights of one expert, gate and up first: its rounding decides what the second one sees."""
    routed = [(asked.chosen == number).any(-1) for asked in after]
    seen, meant = (
        torch.cat([asked.hidden[at] for asked, at in zip(side, routed, strict=True)]).float()
        for side in (after, before)
    )
    found: dict[str, Rounded] = {}
    for name in WEIGHTS:
        weight, bias = source.weight(name, number), source.bias(name)[number].float()
        found[name] = done = round_compensated(weight, bias, gather_statistics(seen, meant))
        if name == WEIGHTS[0]:
            alpha, limit = source.inner.alpha, source.inner.limit
            seen = ClampedGlu.apply(seen @ decode(done.packed, torch.float32)[0] + done.bias, alpha, limit)
            meant = ClampedGlu.apply(meant @ weight + bias, alpha, limit)
    return found


def _assemble(source: Source, fresh: Fresh) -> LayerExperts:
    """Stored experts as they are, `fresh` ones as rounded, the rest to nearest."""
    numbers = range(source.inner.num_experts)
    kept = {number for number in numbers if source.is_stored(number)}
    packed, biases = {}, {}
    for name in WEIGHTS:
        parts = []
        biases[name] = source.bias(name).clone()
        for number in numbers:
            if number in kept:
                parts.append(Packed(*(part[number : number + 1] for part in source.stored[name])))
            elif number in fresh:
                parts.append(fresh[number][name].packed)
                biases[name][number] = fresh[number][name].bias.to(torch.bfloat16)
            else:
                parts.append(encode(source.weight(name, number)[None]))
        packed[name] = Packed(*(torch.cat(group) for group in zip(*parts, strict=True)))
    return LayerExperts(packed, biases, len(kept), len(numbers) - len(kept))
