"""Packed attention: exact, isolated, with sinks that learn."""

import pytest
import torch

from prescreen.errors import GuardError
from prescreen.model.attention import (
    attend_documents,
    attend_packed,
    register_attention,
    register_cached_attention,
)

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
    packed = small_model(
        ids, position_ids=positions(LENGTHS), documents=torch.tensor(LENGTHS), use_cache=False
    ).logits
    assert (packed - expected).abs().max() < 1e-5


def test_stock_transformers_still_leaks_across_packed_documents(small_model):
    """When this fails, transformers has fixed its masks: our own attention is then a choice, not a need."""
    ids = torch.randint(0, 300, (1, sum(LENGTHS)))
    expected = separate_logits(small_model, ids, LENGTHS)
    leaked = small_model(ids, position_ids=positions(LENGTHS), use_cache=False).logits
    first = LENGTHS[0]
    assert (leaked - expected)[:, :first].abs().max() < 1e-5, "the first document has nothing to leak from"
    assert (leaked - expected)[:, first:].abs().max() > 1e-2


def reference(query, key, value, sinks, window, scale):
    """Softmax with a sink, one query at a time, in fp64."""
    rows = []
    for i in range(query.shape[2]):
        low = max(0, i - window + 1) if window else 0
        repeats = query.shape[1] // key.shape[1]
        k = key.repeat_interleave(repeats, 1)[:, :, low : i + 1]
        v = value.repeat_interleave(repeats, 1)[:, :, low : i + 1]
        scores = torch.einsum("bhd,bhkd->bhk", query[:, :, i], k) * scale
        weights = torch.cat([scores, sinks[None, :, None].expand(len(scores), -1, 1)], -1).softmax(-1)[..., :-1]
        rows.append(torch.einsum("bhk,bhkd->bhd", weights, v))
    return torch.stack(rows, 2)


@pytest.mark.parametrize("window", [None, 1, 5])
def test_forward_and_gradients_match_fp64_reference(window):
    torch.manual_seed(1)
    shapes = [(2, 4, 12, 8), (2, 2, 12, 8), (2, 2, 12, 8), (4,)]
    inputs = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]
    expected = reference(*inputs, window, 0.3)
    wanted = torch.autograd.grad(expected.square().sum(), inputs)
    floats = [t.detach().float().requires_grad_() for t in inputs]
    got = attend_documents(*floats, window, 0.3)
    gradients = torch.autograd.grad(got.square().sum(), floats)
    assert torch.allclose(got.double(), expected, rtol=1e-5, atol=1e-6)
    for name, ours, theirs in zip(("q", "k", "v", "sinks"), gradients, wanted, strict=True):
        assert torch.allclose(ours.double(), theirs, rtol=1e-4, atol=1e-5), name


def test_refuses_what_would_be_inexact():
    q = torch.randn(1, 2, 4, 8)
    sinks = torch.zeros(2)
    with pytest.raises(GuardError, match="document lengths"):
        attend_packed(None, q, q, q, None, scaling=1.0, s_aux=sinks)
    with pytest.raises(GuardError, match="sinks"):
        attend_packed(None, q, q, q, None, scaling=1.0, documents=torch.tensor([4]))
    with pytest.raises(GuardError, match="dropout"):
        attend_packed(None, q, q, q, None, scaling=1.0, s_aux=sinks, documents=torch.tensor([4]), dropout=0.1)


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
