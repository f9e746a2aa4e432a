"""What a card computes in one kernel: the plain sums, traced whole."""

import copy

import pytest
import torch
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssRMSNorm

from prescreen.model import dealing, experts, grouped, mxfp4, norms

CHOSEN = torch.tensor([[0, 2], [1, 0], [2, 1]])
OWNER, ORDER = CHOSEN.flatten().sort(stable=True)
INVERSE = ORDER.argsort().view_as(CHOSEN)


def draw(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


CALLS = [
    (experts.clamped_glu, (draw(6, 8), 1.7, 7.0)),
    (experts.clamped_glu_slope, (draw(6, 4), draw(6, 8), 1.7, 7.0)),
    (dealing.gather_sum, (draw(6, 4), INVERSE)),
    (grouped.add_bias, (draw(6, 4), None, draw(3, 4), OWNER)),
    (grouped.add_bias, (draw(6, 4), draw(6, 4), draw(3, 4), OWNER)),
    (grouped.add_bias_and_gate, (draw(6, 8), draw(6, 8), draw(3, 8), OWNER, 1.7, 7.0)),
    (grouped.weigh, (draw(6, 4), draw(3, 2), INVERSE)),
    (grouped.weigh_slope, (draw(3, 4), draw(6, 4), draw(3, 2), ORDER, INVERSE)),
    (mxfp4.unpack, (*mxfp4.encode(draw(3, 32, 8)), torch.bfloat16)),
    (norms.normalise, (draw(6, 8), draw(8), 1e-5)),
]


@pytest.mark.parametrize(("fused", "arguments"), CALLS, ids=lambda value: getattr(value, "__name__", ""))
def test_the_compiler_takes_a_chain_whole(fused, arguments):
    """fullgraph: a call the compiler cannot follow would leave the card with many small kernels, in silence."""
    traced = torch.compile(fused.plain, backend="eager", fullgraph=True)
    torch.testing.assert_close(traced(*arguments), fused.plain(*arguments), rtol=0, atol=0)


def test_values_are_computed_as_they_are_looked_up():
    codes = torch.arange(16, dtype=torch.uint8)
    assert torch.equal(mxfp4.compute_values(codes), mxfp4.code_values(codes))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fused_norms_are_transformers_own_in_value_and_gradient(dtype):
    theirs = GptOssRMSNorm(8)
    with torch.no_grad():
        theirs.weight.copy_(draw(8))
    ours = copy.deepcopy(theirs)
    norms.fuse_norms(ours)
    assert type(ours) is norms.FusedNorm
    found = []
    for norm in (ours, theirs):
        hidden = draw(5, 8).to(dtype).requires_grad_()
        out = norm(hidden)
        (out.float() * draw(5, 8)).sum().backward()
        found.append((out, hidden.grad, norm.weight.grad))
    for mine, other in zip(*found, strict=True):
        assert torch.equal(mine, other)
