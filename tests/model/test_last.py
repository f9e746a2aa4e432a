"""The last layer computes what is asked of it, and that is what it would have computed among all."""

import copy

import pytest
import torch

from prescreen.model.experts import register_experts
from prescreen.model.last import spare_last_layer
from prescreen.train.objectives import cross_entropy
from prescreen.train.packing import build_row
from prescreen.train.sharing import IGNORE, Document
from prescreen.train.trainer import use_packed_attention


@pytest.fixture
def row():
    """Of 40 tokens every third is trained; a second document trains its last."""
    ids = torch.randint(0, 300, (60,), generator=torch.Generator().manual_seed(0)).tolist()
    labels = [token if i % 3 == 0 else IGNORE for i, token in enumerate(ids[:40])]
    return build_row([[Document(ids[:40], labels)], [Document(ids[40:], [*[IGNORE] * 19, ids[-1]])]])


def test_asked_rows_are_those_of_the_whole(small_model):
    ids = torch.randint(0, 300, (2, 30), generator=torch.Generator().manual_seed(1))
    rows = torch.tensor([4, 17, 29])
    before = small_model.model(ids).last_hidden_state
    spare_last_layer(small_model)
    assert torch.equal(small_model.model(ids).last_hidden_state, before)
    asked = small_model.model(ids, rows=rows).last_hidden_state
    assert asked.shape == (2, 3, before.shape[2])
    assert torch.allclose(asked, before[:, rows], atol=1e-6)


@pytest.mark.parametrize("recompute", [False, True])
def test_loss_and_gradients_are_those_of_the_whole_and_experts_see_what_is_scored(small_model, row, recompute):
    """Beside the same objective with the layer left whole; recomputed layers too."""
    found, seen = [], []
    for spared in (True, False):
        model = copy.deepcopy(small_model).train()
        use_packed_attention(model)
        model.set_experts_implementation(register_experts())
        last = model.model.layers[-1]
        last.mlp.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].shape[1]))
        if recompute:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        if not spared:
            whole = type(last).forward
            last.forward = lambda hidden, rows, whole=whole, last=last, **more: whole(last, hidden, **more)[:, rows]
        loss = cross_entropy(model, row)
        loss.backward()
        found.append((loss.detach(), {name: p.grad for name, p in model.named_parameters()}))
    (loss, gradients), (loss_before, gradients_before) = found
    assert len(row["scored"]) == 14
    assert seen == ([14, 14, 60, 60] if recompute else [14, 60])
    assert torch.allclose(loss, loss_before, atol=1e-5)
    for name, gradient in gradients_before.items():
        assert torch.allclose(gradients[name], gradient, atol=1e-5), name


def test_a_row_without_a_trained_token_has_no_loss(small_model):
    """A process without rows of its own takes part with such a row."""
    use_packed_attention(small_model)
    row = build_row([[Document([5, 6, 7], [IGNORE] * 3)]])
    assert row["scored"].tolist() == [0], "a card's grouped products want a row"
    loss = cross_entropy(small_model, row)
    loss.backward()
    assert loss == 0 and all(not p.grad.any() for p in small_model.parameters())
