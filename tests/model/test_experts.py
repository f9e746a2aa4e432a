"""Sorted experts: transformers' own arithmetic, in value and gradient."""

import copy

import pytest
import torch

from prescreen.model.experts import ClampedGlu, register_experts
from prescreen.model.grouped import register_grouped
from prescreen.model.split import split_adapters
from small_model import add_small_adapter


@pytest.fixture(params=[register_experts, register_grouped], ids=["sorted", "grouped"])
def ours(request):
    """Our ways of computing experts: a loop for a CPU, grouped products for a card."""
    return request.param()


def test_our_experts_equal_the_eager_loop(small_model, ours):
    other = copy.deepcopy(small_model)
    other.set_experts_implementation(ours)
    assert other.config._experts_implementation == ours
    ids = torch.randint(0, 300, (2, 40))
    losses = [(model(ids).logits.square().mean(), model) for model in (small_model, other)]
    assert torch.allclose(losses[0][0], losses[1][0], rtol=1e-6)
    for loss, _ in losses:
        loss.backward()
    for (name, mine), theirs in zip(other.named_parameters(), small_model.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-6), name


def test_the_fused_gate_equals_transformers_own_beyond_its_limits(small_model):
    """Values bit for bit; gradients in fp64, with inputs inside, on and beyond both limits."""
    experts = small_model.model.layers[0].mlp.experts
    generator = torch.Generator().manual_seed(0)
    inputs = 6 * torch.randn(40, 64, generator=generator, dtype=torch.float64)
    inputs[0, :8] = torch.tensor([7.0, 7.0, -7.0, -7.0, 9.0, 9.0, -9.0, -9.0])
    ours, theirs = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
    pairs = (ClampedGlu.apply(ours, experts.alpha, experts.limit), experts._apply_gate(theirs))
    assert torch.equal(*pairs)
    weights = torch.randn(pairs[0].shape, generator=generator, dtype=torch.float64)
    for found in pairs:
        (found * weights).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-12, atol=1e-14)
    assert (ours.grad == 0).any(), "beyond the limit nothing moves"


def adapted(small_model, implementation):
    """A fresh adapter on all experts with factors that are not zero, the same each time."""
    model = copy.deepcopy(small_model)
    model.set_experts_implementation(implementation)
    return add_small_adapter(model)


def test_split_adapters_equal_peft_in_value_gradient_and_merge(small_model, ours):
    ids = torch.randint(0, 300, (2, 40))
    split, peft = adapted(small_model, ours), adapted(small_model, "eager")
    assert split_adapters(split) == small_model.config.num_hidden_layers
    found = [(model(ids).logits, model) for model in (split, peft)]
    assert torch.allclose(found[0][0], found[1][0], atol=1e-5)
    assert not torch.allclose(found[0][0], small_model(ids).logits, atol=1e-3), "the adapter must do something"
    for logits, _ in found:
        logits.square().mean().backward()
    theirs = dict(peft.named_parameters())
    trained = [name for name, p in split.named_parameters() if p.requires_grad]
    assert any("experts" in name for name in trained)
    for name, mine in split.named_parameters():
        if mine.requires_grad:
            assert torch.allclose(mine.grad, theirs[name].grad, atol=1e-5), name
        else:
            assert mine.grad is None, name
    merged = split.merge_and_unload()
    assert torch.allclose(merged(ids).logits, found[1][0], atol=1e-5)


def test_split_adapters_can_be_switched_off(small_model, ours):
    """DPO's reference is the model without its adapter."""
    ids = torch.randint(0, 300, (1, 30))
    split = adapted(small_model, ours)
    split_adapters(split)
    with split.disable_adapter():
        assert torch.allclose(split(ids).logits, small_model(ids).logits, atol=1e-6)


def test_split_adapters_never_build_the_adapted_weights(small_model, ours, monkeypatch):
    from peft.tuners.lora.layer import ParamWrapper

    split = adapted(small_model, ours)
    split_adapters(split)
    monkeypatch.setattr(ParamWrapper, "_activate_lora", None)
    split(torch.randint(0, 300, (1, 30)))
