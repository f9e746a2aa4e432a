"""Experts that stay in MXFP4: the decoded model's numbers, its adapter's gradients, less memory."""

import pytest
import torch

from prescreen.errors import WeightsError
from prescreen.model import grouped, weights
from prescreen.model.experts import register_experts
from prescreen.model.grouped import register_grouped
from prescreen.model.resident import load_resident
from prescreen.model.split import split_adapters
from small_model import add_small_adapter


@pytest.fixture
def stored(small_model, tokenizer, tmp_path):
    weights.save_model(small_model, tokenizer, tmp_path, "mxfp4")
    return tmp_path


def adapted(model, register=register_experts):
    model.set_experts_implementation(register())
    wrapped = add_small_adapter(model)
    split_adapters(wrapped)
    return wrapped


def test_resident_equals_decoded(stored):
    ids = torch.randint(0, 300, (2, 40))
    resident, decoded = load_resident(stored), weights.load_dense(stored)
    decoded.set_experts_implementation(register_experts())
    assert torch.allclose(resident(ids).logits, decoded(ids).logits, atol=1e-6)
    assert resident.config.router_aux_loss_coef == 0.0 and not any(p.is_meta for p in resident.parameters())


@pytest.mark.parametrize("most", [2**28, 2000, 100], ids=["whole", "halves", "slices"])
@pytest.mark.parametrize("register", [register_experts, register_grouped])
def test_adapter_on_a_resident_base_trains_as_on_a_decoded_one(stored, register, most, monkeypatch):
    """However few values are decoded at a time."""
    monkeypatch.setattr(grouped, "MOST_DECODED", most)
    ids = torch.randint(0, 300, (2, 40))
    resident, decoded = adapted(load_resident(stored), register), adapted(weights.load_dense(stored))
    for model in (resident, decoded):
        model(ids).logits.square().mean().backward()
    theirs = dict(decoded.named_parameters())
    trained = [name for name, p in resident.named_parameters() if p.requires_grad]
    assert sum("experts" in name for name in trained) == 2 * 2 * resident.config.num_hidden_layers
    for name, ours in resident.named_parameters():
        if ours.requires_grad:
            assert torch.allclose(ours.grad, theirs[name].grad, atol=1e-6), name
            assert ours.grad.abs().sum() > 0, name


def test_resident_experts_take_a_quarter_of_bf16(stored):
    """Four bits a value and eight for 32 of them: 4.25 of 16 bits."""
    packed = [p for m in load_resident(stored).modules() for p in getattr(m, "packed", {}).values()]
    kept = sum(t.numel() for p in packed for t in p)
    dense = sum(p.numel() for n, p in weights.load_dense(stored).named_parameters() if n.endswith("_proj"))
    assert kept * 8 / dense == pytest.approx(4.25)
    held = [p for n, p in load_resident(stored).named_parameters() if n.endswith("experts.gate_up_proj")]
    assert all(p.untyped_storage().nbytes() == 4 for p in held), "the placeholder is one number"


def test_a_dense_checkpoint_and_a_torn_one_are_refused(small_model, tokenizer, tmp_path, stored):
    from safetensors.torch import load_file, save_file

    weights.save_model(small_model, tokenizer, tmp_path / "dense", "dense")
    with pytest.raises(WeightsError, match="not stored in MXFP4"):
        load_resident(tmp_path / "dense")
    path = stored / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.experts.down_proj_bias"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="missing"):
        load_resident(stored)
