"""Block-sparse attention: the definition's values, and no block that sees nothing. Gradients need a card."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import create_block_mask

from attention_reference import reference, trees
from prescreen.model.blocks import BLOCK, attend_blocks, plan_blocks

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")


def draw_inputs(size, head=8):
    torch.manual_seed(1)
    return [torch.randn(s, dtype=torch.float64) for s in ((size, 4, head), (size, 2, head), (size, 2, head), (4,))]


@given(trees(), st.sampled_from([None, 1, 5, 40]))
@settings(max_examples=15, deadline=None)
def test_forward_matches_the_definition(tree, window):
    lengths, parents = tree
    inputs = draw_inputs(sum(lengths))
    expected = reference(*inputs, lengths, parents, window, 0.3)
    mask = plan_blocks(tuple(lengths), tuple(parents), window, CPU)
    with torch.no_grad():
        got = attend_blocks(*(t.float() for t in inputs), mask, 0.3)
    assert (got.double() - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # torch's compiler, of itself
@given(trees(), st.sampled_from([None, 1, 5, 40]))
@settings(max_examples=5, deadline=None)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.bfloat16, 2e-2)])
def test_gradients_match_the_definition_on_a_card(dtype, tolerance, tree, window):
    """fp32 products may be TF32 on a card, so its tolerance is wide."""
    lengths, parents = tree
    inputs = [t.requires_grad_() for t in draw_inputs(sum(lengths), head=64)]
    expected = reference(*inputs, lengths, parents, window, 0.125)
    wanted = torch.autograd.grad(expected.square().sum(), inputs)
    ours = [t.detach().to("cuda", dtype).requires_grad_() for t in inputs]
    mask = plan_blocks(tuple(lengths), tuple(parents), window, torch.device("cuda"))
    got = attend_blocks(*ours, mask, 0.125)
    gradients = torch.autograd.grad(got.float().square().sum(), ours)
    for name, mine, theirs in zip(
        ("out", "q", "k", "v", "sinks"), (got, *gradients), (expected, *wanted), strict=True
    ):
        assert (mine.double().cpu() - theirs).norm() <= tolerance * theirs.norm() + 1e-6, name


@given(trees(), st.sampled_from([None, 1, 5, 40, 128, 300]), st.sampled_from([1, 7]))
@settings(max_examples=30, deadline=None)
def test_blocks_are_those_of_the_mask_looked_at_pair_by_pair(tree, window, stretch):
    lengths, parents = tree
    mask = plan_blocks(tuple(n * stretch for n in lengths), tuple(parents), window, CPU)
    size = mask.seq_lengths[0]
    looked_at = create_block_mask(mask.mask_mod, None, None, size, size, device="cpu")
    assert torch.equal(mask.to_dense(), looked_at.to_dense())
    assert torch.equal(mask.full_kv_num_blocks, looked_at.full_kv_num_blocks), "and full ones are known as full"


def count_blocks(lengths, window=None, parents=None):
    mask = plan_blocks(tuple(lengths), tuple(parents or [-1] * len(lengths)), window, CPU)
    return int(mask.kv_num_blocks.sum() + mask.full_kv_num_blocks.sum())


def test_blocks_that_see_nothing_are_left_out():
    rows = 32
    assert count_blocks([BLOCK * rows]) == rows * (rows + 1) // 2, "causal: the lower half"
    assert count_blocks([BLOCK * rows], window=BLOCK) == 2 * rows - 1, "a window costs its width, whatever the row"
    assert count_blocks([BLOCK * 4] * (rows // 4)) == rows // 4 * 10, "documents do not pay for their neighbours"
    pair = count_blocks([BLOCK * 6, BLOCK, BLOCK], parents=[-1, 0, 0])
    assert pair == 6 * 7 // 2 + 2 * 7, "two answers read the prompt and themselves, not each other"
