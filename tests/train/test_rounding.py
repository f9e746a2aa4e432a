"""Rounding to MXFP4: against activations it beats nearest, it repeats what is stored, it doubts small samples."""

import pytest
import torch

from prescreen.model.mxfp4 import Packed, decode, encode
from prescreen.train import rounding
from prescreen.train.rounding import FEW_TOKENS, gather_statistics, round_compensated, round_nearest


@pytest.fixture
def layer():
    """A weight, a bias and correlated activations of held-in and held-out tokens."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(16, 64, generator=generator)
    tokens = [
        torch.randn(400, 16, generator=generator) @ mix + 0.3 * torch.randn(400, 64, generator=generator)
        for _ in range(2)
    ]
    return 0.1 * torch.randn(64, 48, generator=generator), torch.randn(48, generator=generator), *tokens


def output_error(weight, bias, packed, new_bias, tokens, meant=None):
    exact = (tokens if meant is None else meant) @ weight + bias
    return (tokens @ decode(packed, torch.float32)[0] + new_bias - exact).square().mean().item()


def test_compensated_rounding_halves_the_error_of_unseen_tokens(layer):
    weight, bias, seen, unseen = layer
    done = round_compensated(weight, bias, gather_statistics(seen, seen))
    ocp = output_error(weight, bias, encode(weight[None]), bias, unseen)
    nearest = output_error(weight, bias, round_nearest(weight), bias, unseen)
    assert nearest < ocp
    assert output_error(weight, bias, done.packed, done.bias, unseen) < 0.4 * nearest
    assert done.packed.blocks.shape == (1, 48, 2, 16) and done.packed.scales.dtype == torch.uint8


def test_pushing_errors_on_and_sweeping_each_help(layer, monkeypatch):
    weight, bias, seen, _ = layer
    errors = []
    for sweeps in (0, 1, 3):
        monkeypatch.setattr(rounding, "SWEEPS", sweeps)
        done = round_compensated(weight, bias, gather_statistics(seen, seen))
        errors.append(output_error(weight, bias, done.packed, done.bias, seen))
    nearest = output_error(weight, bias, round_nearest(weight), bias, seen)
    assert errors[0] < 0.2 * nearest and errors[2] < errors[1] < 0.7 * errors[0]


def test_it_makes_up_for_earlier_rounding(layer):
    """Inputs that are off in a way their other inputs reveal: the output is held to what was meant."""
    weight, bias, meant, _ = layer
    off = meant.clone()
    off[:, :8] = 0.8 * off[:, :8] + 0.1
    blind = round_compensated(weight, bias, gather_statistics(off, off))
    aware = round_compensated(weight, bias, gather_statistics(off, meant))
    errors = [output_error(weight, bias, d.packed, d.bias, off, meant) for d in (blind, aware)]
    assert errors[1] < 0.5 * errors[0]


def test_stored_values_round_to_themselves(layer):
    weight, bias, seen, _ = layer
    stored = decode(encode(weight[None]), torch.float32)
    assert torch.equal(decode(round_nearest(stored[0]), torch.float32), stored)
    done = round_compensated(stored[0], bias, gather_statistics(seen, seen))
    assert torch.equal(decode(done.packed, torch.float32), stored)
    assert torch.allclose(done.bias, bias, atol=1e-5)


def test_an_expert_few_tokens_reached_is_rounded_to_nearest(layer):
    weight, bias, seen, unseen = layer
    few = seen[: FEW_TOKENS - 1]
    done = round_compensated(weight, bias, gather_statistics(few, few))
    assert all(torch.equal(a, b) for a, b in zip(done.packed, round_nearest(weight), strict=True))
    assert torch.equal(done.bias, bias)
    some = seen[:FEW_TOKENS]  # half as many tokens as inputs: damped, and no worse than nearest on others
    done = round_compensated(weight, bias, gather_statistics(some, some))
    nearest = output_error(weight, bias, round_nearest(weight), bias, unseen)
    assert output_error(weight, bias, done.packed, done.bias, unseen) < nearest


def test_dead_inputs_and_wide_ranges_stay_finite():
    weight = torch.randn(64, 8, generator=torch.Generator().manual_seed(1)) * torch.logspace(-9, 3, 64)[:, None]
    tokens = torch.zeros(100, 64)
    tokens[:, 0] = 1.0
    done = round_compensated(weight, torch.zeros(8), gather_statistics(tokens, tokens))
    assert isinstance(done.packed, Packed) and decode(done.packed, torch.float32).isfinite().all()
    assert done.bias.isfinite().all()
