"""Sorted experts: transformers' own arithmetic, in value and gradient."""

import copy

import torch

from prescreen.model.experts import register_experts


def test_sorted_experts_equal_the_eager_loop(small_model):
    other = copy.deepcopy(small_model)
    other.set_experts_implementation(register_experts())
    assert other.config._experts_implementation == "sorted"
    ids = torch.randint(0, 300, (2, 40))
    losses = [(model(ids).logits.square().mean(), model) for model in (small_model, other)]
    assert torch.allclose(losses[0][0], losses[1][0], rtol=1e-6)
    for loss, _ in losses:
        loss.backward()
    for (name, ours), theirs in zip(other.named_parameters(), small_model.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, atol=1e-6), name
