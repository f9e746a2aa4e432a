"""Chunked losses equal the plain ones, in value and gradient."""

import pytest
import torch
import torch.nn.functional as F

from prescreen.model.loss import IGNORE, shift_labels, sum_cross_entropy, token_logprobs


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("trainable_head", [True, False])
def test_cross_entropy_equals_torch(chunk, trainable_head):
    torch.manual_seed(0)
    hidden = torch.randn(30, 8, requires_grad=True)
    head = torch.randn(50, 8, requires_grad=trainable_head)
    targets = torch.randint(0, 50, (30,))
    targets[::3] = IGNORE
    wanted = [hidden, head] if trainable_head else [hidden]
    plain = F.cross_entropy(hidden @ head.T, targets, ignore_index=IGNORE, reduction="sum")
    ours = sum_cross_entropy(hidden, head, targets, chunk)
    assert torch.allclose(ours, plain, rtol=1e-6)
    for a, b in zip(torch.autograd.grad(2 * ours, wanted), torch.autograd.grad(2 * plain, wanted), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("trainable_head", [True, False])
def test_token_logprobs_equal_torch_and_are_zero_where_ignored(trainable_head):
    """Each token's gradient has a weight of its own, as in DPO."""
    torch.manual_seed(0)
    hidden, head = torch.randn(20, 8, requires_grad=True), torch.randn(50, 8, requires_grad=trainable_head)
    targets = torch.randint(0, 50, (20,))
    targets[:4] = IGNORE
    wanted = [hidden, head] if trainable_head else [hidden]
    scores = token_logprobs(hidden, head, targets, chunk=6)
    expected = (hidden @ head.T).log_softmax(-1)[range(4, 20), targets[4:]]
    assert torch.allclose(scores[4:], expected, atol=1e-6)
    assert (scores[:4] == 0).all()
    weights = torch.randn(20)
    ours = torch.autograd.grad((scores * weights).sum(), wanted)
    plain = torch.autograd.grad((expected * weights[4:]).sum(), wanted)
    for a, b in zip(ours, plain, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("trainable_head", [True, False])
def test_nothing_to_score_is_zero(trainable_head, fresh_memory_is_nan):
    hidden, head = torch.randn(3, 8, requires_grad=True), torch.randn(50, 8, requires_grad=trainable_head)
    targets = torch.full((3,), IGNORE)
    loss = sum_cross_entropy(hidden, head, targets)
    assert loss == 0
    for gradient in torch.autograd.grad(loss, [hidden, head] if trainable_head else [hidden]):
        assert (gradient == 0).all()
    assert (token_logprobs(hidden, head, targets) == 0).all()


def test_shift_never_crosses_documents():
    labels = torch.tensor([1, 2, 3, 4, 5, 6])
    assert shift_labels(labels, torch.tensor([2, 1, 3])).tolist() == [2, IGNORE, IGNORE, 5, 6, IGNORE]
