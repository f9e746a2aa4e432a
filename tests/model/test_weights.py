"""Checkpoints survive every save; what is no gpt-oss is refused in one sentence."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from prescreen.errors import WeightsError
from prescreen.model import weights
from prescreen.model.mxfp4 import decode, encode


@pytest.mark.parametrize("storage", ["dense", "mxfp4"])
def test_save_then_load_gives_the_same_model(small_model, tokenizer, tmp_path, storage):
    weights.save_model(small_model, tokenizer, tmp_path, storage)
    loaded = weights.load_model(tmp_path).model
    ids = torch.randint(0, 300, (1, 40))
    if storage == "mxfp4":
        for name, tensor in small_model.state_dict().items():
            packed = ".experts." in name and not name.endswith("bias")
            tensor.copy_(decode(encode(tensor)) if packed else tensor.bfloat16())
    stored = loaded.state_dict()
    assert all(torch.equal(stored[name], tensor) for name, tensor in small_model.state_dict().items())
    assert torch.allclose(
        loaded(ids).logits, small_model(ids).logits, atol=1e-6
    )  # sums depend on where weights lie


def test_mxfp4_then_dense_then_load_keeps_the_experts(small_model, tokenizer, tmp_path):
    """transformers 5.22 loses or renames the experts here unless its conversion table is dropped."""
    weights.save_model(small_model, tokenizer, tmp_path / "packed", "mxfp4")
    first = weights.load_model(tmp_path / "packed").model
    weights.save_model(first, tokenizer, tmp_path / "dense")
    ids = torch.randint(0, 300, (1, 40))
    assert torch.allclose(weights.load_model(tmp_path / "dense").model(ids).logits, first(ids).logits, atol=1e-6)


def test_export_opens_in_stock_transformers(small_model, tokenizer, tmp_path):
    weights.save_model(small_model, tokenizer, tmp_path, "mxfp4")
    stock = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32, attn_implementation="eager").float()
    words = AutoTokenizer.from_pretrained(tmp_path)
    ids = words("I have chest pain", return_tensors="pt").input_ids
    assert torch.allclose(stock(ids).logits, weights.load_model(tmp_path).model(ids).logits, atol=1e-6)
    assert words.decode(ids[0]) == "I have chest pain"


def test_tensor_names_are_those_of_the_released_layout(small_model, tokenizer, tmp_path):
    from safetensors import safe_open

    weights.save_model(small_model, tokenizer, tmp_path, "mxfp4")
    with safe_open(tmp_path / "model.safetensors", "pt") as stored:
        names = set(stored.keys())
        blocks = stored.get_slice("model.layers.0.mlp.experts.gate_up_proj_blocks").get_shape()
        scales = stored.get_slice("model.layers.0.mlp.experts.gate_up_proj_scales").get_shape()
    assert {
        "model.layers.0.mlp.experts.down_proj_bias",
        "model.layers.0.self_attn.sinks",
        "lm_head.weight",
    } <= names
    assert blocks == [4, 64, 1, 16] and scales == [4, 64, 1]
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["quantization_config"]["quant_method"] == "mxfp4"
    assert str(tmp_path) not in json.dumps(config)
    assert config["output_router_logits"] is False and config["use_cache"] is True


@pytest.mark.parametrize("damage", ["no_config", "other_model", "no_weights", "wrong_shape"])
def test_a_wrong_folder_is_one_sentence(small_model, tokenizer, tmp_path, damage):
    weights.save_model(small_model, tokenizer, tmp_path)
    config = tmp_path / "config.json"
    if damage == "no_config":
        config.unlink()
    elif damage == "other_model":
        config.write_text(json.dumps({"model_type": "llama"}))
    elif damage == "no_weights":
        (tmp_path / "model.safetensors").unlink()
    else:
        config.write_text(json.dumps({**json.loads(config.read_text()), "num_hidden_layers": 3}))
    with pytest.raises(WeightsError) as caught:
        weights.load_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_released_router_loss_never_survives_loading(small_model, tokenizer, tmp_path):
    weights.save_model(small_model, tokenizer, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps({**config, "router_aux_loss_coef": 0.9, "output_router_logits": True})
    )
    model = weights.load_model(tmp_path).model
    assert model.config.router_aux_loss_coef == 0 and not model.config.output_router_logits
