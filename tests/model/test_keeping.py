"""What a layer keeps when it is run again: computed once, handed back in order, with autograd's own gradients."""

import gc
import weakref

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from prescreen.model.keeping import KeptLinear, keep, note_and_recall


class Calls:
    """Functions that count how often they compute."""

    def __init__(self):
        self.made = []

    def named(self, name, function):
        def run(*arguments):
            self.made.append(name)
            return function(*arguments)

        return run


class Twice(torch.autograd.Function):
    """An autograd function whose forward is two results."""

    @staticmethod
    def forward(ctx, rows, calls):
        result = keep(calls.named("twice", lambda: (rows * 2, rows.sum())))
        doubled, total = result
        ctx.save_for_backward(total)
        return doubled

    @staticmethod
    def backward(ctx, *gradients):
        (total,) = ctx.saved_tensors
        return gradients[0] * (2 + total - total), None


def layer(rows, first, second, calls):
    """Two products of the same shape, so that a swap would show, with something cheap between them."""
    inner = keep(torch.mm, rows, first).tanh()
    return Twice.apply(keep(torch.addmm, inner, inner, second).sin(), calls).square().sum()


def draw():
    torch.manual_seed(0)
    return [torch.randn(4, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]


def test_outside_a_layer_nothing_is_kept():
    calls = Calls()
    for _ in range(2):
        keep(calls.named("product", torch.mm), *draw()[:2])
    assert calls.made == ["product", "product"]


def test_kept_results_come_back_in_order_with_the_same_gradients():
    found = []
    for again in (False, True):
        leaves, calls = draw(), Calls()
        if again:
            loss = checkpoint(layer, *leaves, calls, use_reentrant=False, context_fn=note_and_recall)
        else:
            loss = layer(*leaves, calls)
        loss.backward()
        assert calls.made == ["twice"]
        found.append((loss, *(leaf.grad for leaf in leaves)))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("backward", [True, False])
def test_what_was_kept_is_let_go_after_the_backward_or_without_one(backward):
    kept = []

    def watched(rows, weight):
        result = keep(torch.mm, rows, weight)
        kept.append(weakref.ref(result.untyped_storage()))
        return result.sin().sum()

    rows, weight, _ = draw()
    loss = checkpoint(watched, rows, weight, use_reentrant=False, context_fn=note_and_recall)
    if backward:
        loss.backward()
    del loss
    gc.collect()
    assert kept and not any(one() is not None for one in kept)


@pytest.mark.parametrize("bias", [False, True])
def test_a_projection_of_rows_in_batches_is_kept(bias):
    torch.manual_seed(0)
    linear = torch.nn.Linear(5, 3, bias=bias)
    rows = torch.randn(2, 7, 5, requires_grad=True)
    plain = linear(rows).tanh().sum()
    wanted = torch.autograd.grad(plain, [rows, *linear.parameters()])
    linear.__class__ = KeptLinear
    found = checkpoint(lambda r: linear(r).tanh().sum(), rows, use_reentrant=False, context_fn=note_and_recall)
    assert torch.equal(found, plain)
    for one, other in zip(torch.autograd.grad(found, [rows, *linear.parameters()]), wanted, strict=True):
        assert torch.equal(one, other)
