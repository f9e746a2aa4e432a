"""Packed attention: exact, isolated, with sinks that learn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_reference import reference, trees
from prescreen.errors import GuardError
from prescreen.model.attention import attend_packed, register_attention, register_cached_attention

LENGTHS = [17, 70, 1, 33, 129]


def positions(lengths):
    return torch.cat([torch.arange(n) for n in lengths])[None]


def separate_logits(model, ids, lengths):
    model.set_attn_implementation("eager")
    return torch.cat([model(part).logits for part in ids.split(lengths, dim=1)], dim=1)


def test_packed_equals_separate(small_model):
    ids = torch.randint(0, 300, (1, sum(LENGTHS)))
    expected = separate_logits(small_model, ids, LENGTHS)
    small_model.set_attn_implementation(register_attention())
    packed = small_model(ids, position_ids=positions(LENGTHS), documents=LENGTHS, use_cache=False).logits
    assert (packed - expected).abs().max() < 1e-5


def test_stock_transformers_still_leaks_across_packed_documents(small_model):
    """When this fails, transformers has fixed its masks: our own attention is then a choice, not a need."""
    ids = torch.randint(0, 300, (1, sum(LENGTHS)))
    expected = separate_logits(small_model, ids, LENGTHS)
    leaked = small_model(ids, position_ids=positions(LENGTHS), use_cache=False).logits
    first = LENGTHS[0]
    assert (leaked - expected)[:, :first].abs().max() < 1e-5, "the first document has nothing to leak from"
    assert (leaked - expected)[:, first:].abs().max() > 1e-2


@given(trees(), st.sampled_from([None, 1, 5, 40]))
@settings(max_examples=25)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["flash", "dense"])
def test_forward_and_gradients_match_fp64_reference(fresh_memory_is_nan, dtype, tree, window):
    check_against_reference(dtype, *tree, window)


@pytest.mark.parametrize("window", [None, 7])
def test_queries_that_see_none_of_a_kernels_block_of_keys(fresh_memory_is_nan, window):
    """The kernel takes 512 keys at a time; in a long document the first query sees none of the second block."""
    check_against_reference(torch.float32, (530, 20, 600), (-1, 0, 0), window)


def check_against_reference(dtype, lengths, parents, window):
    torch.manual_seed(1)
    size = sum(lengths)
    inputs = [torch.randn(s, dtype=torch.float64) for s in ((size, 4, 8), (size, 2, 8), (size, 2, 8), (4,))]
    wanted_inputs = [t.clone().requires_grad_() for t in inputs]
    expected = reference(*wanted_inputs, lengths, parents, window, 0.3)
    wanted = torch.autograd.grad(expected.square().sum(), wanted_inputs)
    ours = [t.to(dtype).requires_grad_() for t in inputs]
    rows = [t.transpose(0, 1)[None] for t in ours[:3]]
    got, _ = attend_packed(
        None, *rows, None, scaling=0.3, sliding_window=window, s_aux=ours[3],
        documents=lengths, parents=parents,
    )  # fmt: skip
    gradients = torch.autograd.grad(got.square().sum(), ours)
    for name, mine, theirs in zip(
        ("out", "q", "k", "v", "sinks"), (got[0], *gradients), (expected, *wanted), strict=True
    ):
        assert (mine.double() - theirs).norm() <= 1e-5 * theirs.norm() + 1e-9, name


def test_refuses_what_would_be_inexact():
    q = torch.randn(1, 2, 4, 8)
    sinks = torch.zeros(2)
    with pytest.raises(GuardError, match="document lengths"):
        attend_packed(None, q, q, q, None, scaling=1.0, s_aux=sinks)
    with pytest.raises(GuardError, match="sinks"):
        attend_packed(None, q, q, q, None, scaling=1.0, documents=[4])
    with pytest.raises(GuardError, match="dropout"):
        attend_packed(None, q, q, q, None, scaling=1.0, s_aux=sinks, documents=[4], dropout=0.1)


def test_cached_generation_equals_eager_under_padding_and_windows(small_model):
    """Left-padded prompts longer than the window, ten greedy tokens: the same as transformers' own path."""
    ids = torch.randint(2, 300, (3, 40))
    mask = torch.ones_like(ids)
    mask[1, :25], mask[2, :7] = 0, 0
    runs = []
    for name in ("eager", register_cached_attention()):
        small_model.set_attn_implementation(name)
        out = small_model.generate(
            ids, attention_mask=mask, max_new_tokens=10, do_sample=False, eos_token_id=[-1],
            return_dict_in_generate=True, output_logits=True,
        )  # fmt: skip
        runs.append(torch.stack(out.logits))
    assert torch.allclose(runs[0], runs[1], atol=1e-5)
