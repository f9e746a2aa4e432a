"""Export: untouched experts keep their bytes, the rest is rounded well, beyond its limits nothing is exported."""

import json

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, Mxfp4Config

from prescreen.config import Recipe
from prescreen.errors import GuardError
from prescreen.model import weights
from prescreen.model.checkpoint import Shards, write_config
from prescreen.model.resident import load_resident, load_stored
from prescreen.model.shape import new_model
from prescreen.model.tokenizer import PAD, RETURN
from prescreen.run import Run, write_json
from prescreen.train import export
from prescreen.train.documents import turn_documents
from prescreen.train.drift import Drift, level_places, measure_drift
from prescreen.train.settings import Lora
from prescreen.train.start import add_adapter
from small_model import SMALL, add_small_adapter

# openai/gpt-oss-20b as published, which vLLM's loader and llama.cpp's converter go by: E experts, L a layer, hidden
# h, intermediate i, q and k the widths of all heads, H heads, V tokens. Blocks hold 16 bytes for 32 values.
PUBLISHED = {
    "lm_head.weight": ("V", "h"),
    "model.embed_tokens.weight": ("V", "h"),
    "model.norm.weight": ("h",),
    "model.layers.L.input_layernorm.weight": ("h",),
    "model.layers.L.post_attention_layernorm.weight": ("h",),
    "model.layers.L.self_attn.q_proj.weight": ("q", "h"),
    "model.layers.L.self_attn.q_proj.bias": ("q",),
    "model.layers.L.self_attn.k_proj.weight": ("k", "h"),
    "model.layers.L.self_attn.k_proj.bias": ("k",),
    "model.layers.L.self_attn.v_proj.weight": ("k", "h"),
    "model.layers.L.self_attn.v_proj.bias": ("k",),
    "model.layers.L.self_attn.o_proj.weight": ("h", "q"),
    "model.layers.L.self_attn.o_proj.bias": ("h",),
    "model.layers.L.self_attn.sinks": ("H",),
    "model.layers.L.mlp.router.weight": ("E", "h"),
    "model.layers.L.mlp.router.bias": ("E",),
    "model.layers.L.mlp.experts.gate_up_proj_blocks": ("E", "2i", "h/32", 16),
    "model.layers.L.mlp.experts.gate_up_proj_scales": ("E", "2i", "h/32"),
    "model.layers.L.mlp.experts.gate_up_proj_bias": ("E", "2i"),
    "model.layers.L.mlp.experts.down_proj_blocks": ("E", "h", "i/32", 16),
    "model.layers.L.mlp.experts.down_proj_scales": ("E", "h", "i/32"),
    "model.layers.L.mlp.experts.down_proj_bias": ("E", "h"),
}
WORDS = ("chest pain", "headache", "cough", "a rash")
LEVELS = ("emergency", "low", "medium", "high")


class DataRecipe(Recipe):
    pass


def conversation(i):
    word, level = WORDS[i % 4], LEVELS[i % 4]
    answer = {"role": "assistant", "content": json.dumps({"acuity": level, "summary": word}, separators=(",", ":"))}
    answer["thinking"] = f"present: {word} -> {level}"
    return {"messages": [{"role": "user", "content": f"I have {word} for {i} days."}, answer]}


@pytest.fixture
def data(tmp_path):
    for split in ("train", "valid"):
        (tmp_path / "01-data" / split).mkdir(parents=True)
        lines = "".join(json.dumps(conversation(i)) + "\n" for i in range(24))
        (tmp_path / "01-data" / split / "sft.jsonl").write_text(lines)
    return finished(tmp_path / "01-data")


def finished(folder):
    run = Run(folder, DataRecipe(stage="data"))
    run.start()
    run.finish([], {})
    return run


@pytest.fixture
def base(small_model, tokenizer, tmp_path):
    """An MXFP4 checkpoint with an expert whose bytes our encoder would not write: negative zeros."""
    with torch.no_grad():
        for name, tensor in small_model.named_parameters():
            if name.endswith(("bias", "sinks")):
                tensor.normal_(std=0.1)
    weights.save_model(small_model, tokenizer, tmp_path / "base", "mxfp4")
    path = tmp_path / "base" / "model.safetensors"
    stored = load_file(path)
    stored["model.layers.0.mlp.experts.down_proj_blocks"][1] = 8 + 16 * 3
    save_file(stored, path, metadata={"format": "pt"})
    return tmp_path / "base"


def tuned(base, folder, change):
    """A training run that left an adapter on `base`; `change` makes the adapter."""
    model = change(load_stored(base))
    model.save_pretrained(str(folder / "adapter"))
    write_json(folder / "base.json", {"base": str(base)})
    return finished(folder)


def on_attention(model):
    wrapped = add_adapter(model, Lora(rank=4, experts=False))
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return wrapped


def on_all_experts_but_one(model):
    wrapped = add_small_adapter(model)
    for module in wrapped.modules():
        if hasattr(module, "parameter_name"):
            module.lora_A["default"].weight.data.view(4, -1, 32)[1] = 0
    return wrapped


def carry_out(parent, data, name="out", **values):
    recipe = export.ExportRecipe(stage="export", inputs={"data": "01-data", "parent": parent.name}, **values)
    run = Run(data.folder.parent / name, recipe, {"data": data, "parent": parent}, code="test")
    run.start()
    export.main(recipe, run)
    return run


def stock_logits(folder, ids, **extra):
    stock = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", **extra
    ).float()
    with torch.no_grad():
        return stock(ids).logits


@pytest.mark.parametrize("rounding", ["nearest", "compensated"])
def test_an_attention_adapter_leaves_every_expert_byte(base, data, tmp_path, rounding):
    run = carry_out(tuned(base, tmp_path / "sft", on_attention), data, rounding=rounding)
    before, after = load_file(base / "model.safetensors"), load_file(run.folder / "model" / "model.safetensors")
    assert set(before) == set(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        n for n in before if n.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight"))
    }
    assert run.metrics["experts"] == {"kept": 8, "rounded": 0}
    assert run.metrics["drift"]["kl_per_token"] < 1e-4


def test_an_expert_whose_update_is_zero_keeps_its_bytes(base, data, tmp_path):
    run = carry_out(
        tuned(base, tmp_path / "sft", on_all_experts_but_one), data, max_kl_per_token=9, min_level_agreement=0
    )
    before, after = load_file(base / "model.safetensors"), load_file(run.folder / "model" / "model.safetensors")
    assert run.metrics["experts"] == {"kept": 2, "rounded": 6}
    for name in before:
        if name.endswith(("_blocks", "_scales", "proj_bias")):
            assert torch.equal(before[name][1], after[name][1]), name
    changed = [n for n in before if n.endswith("_blocks") and not torch.equal(before[n][0], after[n][0])]
    assert len(changed) == 4
    biases = [n for n in before if n.endswith("proj_bias")]
    assert any(not torch.equal(before[n], after[n]) for n in biases), "a bias takes what rounding leaves"


def test_compensated_rounding_drifts_less_and_both_are_reported(base, data, tmp_path):
    parent = tuned(base, tmp_path / "sft", add_small_adapter)
    loose = {"max_kl_per_token": 9, "min_level_agreement": 0}
    run = carry_out(parent, data, **loose)
    nearest = carry_out(parent, data, "nearest", rounding="nearest", **loose)
    assert run.metrics["drift_nearest"] == pytest.approx(nearest.metrics["drift"])
    assert "drift_nearest" not in nearest.metrics and run.metrics["drift"]["num_levels"] == 24
    assert run.metrics["drift"]["kl_per_token"] < 0.6 * nearest.metrics["drift"]["kl_per_token"]
    assert run.metrics["drift"]["standard_error"] > 0


def test_the_export_is_the_merged_model_with_rounded_experts(base, data, tmp_path):
    """Everything but the experts equals what PEFT merges, and stock transformers computes what we compute."""
    parent = tuned(base, tmp_path / "sft", add_small_adapter)
    run = carry_out(parent, data, rounding="nearest", max_kl_per_token=9, min_level_agreement=0)
    wrapped = PeftModel.from_pretrained(weights.load_dense(base), str(parent.folder / "adapter"))
    merged = weights.settle(wrapped.merge_and_unload())
    stored = load_resident(run.folder / "model").state_dict()
    for name, tensor in merged.state_dict().items():
        if not name.endswith(("gate_up_proj", "down_proj")):
            assert torch.allclose(stored[name], tensor.bfloat16().float(), rtol=1e-2, atol=1e-6), name
    ids = torch.randint(0, 300, (1, 40))
    with torch.no_grad():
        ours = weights.load_dense(run.folder / "model")(ids).logits
    theirs = stock_logits(run.folder / "model", ids, quantization_config=Mxfp4Config(dequantize=True))
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert AutoTokenizer.from_pretrained(run.folder / "model")("chest pain").input_ids


def test_names_shapes_and_settings_are_the_published_ones(base, data, tmp_path, tokenizer):
    run = carry_out(tuned(base, tmp_path / "sft", on_attention), data)
    config = json.loads((run.folder / "model" / "config.json").read_text())
    h, i = config["hidden_size"], config["intermediate_size"]
    heads, size = config["num_attention_heads"], config["head_dim"]
    sizes = {
        "V": config["vocab_size"], "h": h, "E": config["num_local_experts"], "H": heads, "q": heads * size,
        "k": config["num_key_value_heads"] * size, "2i": 2 * i, "h/32": h // 32, "i/32": i // 32,
    }  # fmt: skip
    wanted = {
        name.replace(".L.", f".{layer}."): (
            [sizes.get(s, s) for s in shape],
            "U8" if name.endswith(("blocks", "scales")) else "BF16",
        )
        for name, shape in PUBLISHED.items()
        for layer in range(SMALL.layers)
    }
    with safe_open(run.folder / "model" / "model.safetensors", "pt") as stored:
        found = {n: (stored.get_slice(n).get_shape(), stored.get_slice(n).get_dtype()) for n in stored.keys()}  # noqa: SIM118
        assert stored.metadata() == {"format": "pt"}
    assert found == wanted
    assert config["quantization_config"] == {
        "quant_method": "mxfp4",
        "modules_to_not_convert": [
            "model.layers.*.self_attn",
            "model.layers.*.mlp.router",
            "model.embed_tokens",
            "lm_head",
        ],
    }
    assert config["architectures"] == ["GptOssForCausalLM"] and config["model_type"] == "gpt_oss"
    assert config["num_experts_per_tok"] and config["layer_types"] and config["sliding_window"]
    stops = json.loads((run.folder / "model" / "generation_config.json").read_text())
    named = [tokenizer.token_to_id(n) for n in ("<|return|>", "<|call|>", "<|endoftext|>")]
    assert stops == {"eos_token_id": named, "pad_token_id": named[2]}


def test_yarn_is_written_under_both_names_and_reads_back(small_model, tmp_path):
    """vLLM and llama.cpp read `rope_parameters` or, in older releases, `rope_scaling` and `rope_theta`."""
    yarn = {
        "rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
        "original_max_position_embeddings": 4096, "rope_theta": 150000.0,
    }  # fmt: skip
    small_model.config.rope_parameters = yarn
    write_config(small_model.config, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["rope_parameters"] == yarn and config["rope_theta"] == 150000.0
    assert config["rope_scaling"] == {key: value for key, value in yarn.items() if key != "rope_theta"}
    save_file({}, tmp_path / "model.safetensors")
    assert weights.check_folder(tmp_path).rope_parameters == yarn


def test_a_large_export_comes_in_shards_that_load_anywhere(base, data, tmp_path, monkeypatch):
    parent = tuned(base, tmp_path / "sft", on_attention)
    whole = carry_out(parent, data)
    monkeypatch.setattr(Shards.__init__, "__defaults__", (4_200,))  # blocks fill a file; their scales go with them
    run = carry_out(parent, data, "shards")
    folder = run.folder / "model"
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    assert len(files) > 3 and files[0] == f"model-00001-of-{len(files):05}.safetensors"
    assert set(index["weight_map"].values()) == set(files) and not list(folder.glob("part-*"))
    for name, file in index["weight_map"].items():
        if name.endswith("_blocks"):
            assert index["weight_map"][name.replace("_blocks", "_scales")] == file
    assert index["metadata"]["total_size"] == sum(
        t.numel() * t.element_size() for path in folder.glob("*.safetensors") for t in load_file(path).values()
    )
    ids = torch.randint(0, 300, (1, 40))
    assert torch.equal(stock_logits(folder, ids), stock_logits(whole.folder / "model", ids))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"max_kl_per_token": 1e-9}, "KL 0"),
        ({"min_level_agreement": 1.0, "max_kl_per_token": 99}, "the level is the same"),
    ],
)
def test_an_export_beyond_its_limits_leaves_nothing(base, data, tmp_path, values, why):
    def strong(model):
        wrapped = add_small_adapter(model)
        for name, parameter in wrapped.named_parameters():
            if "experts" in name and "lora_B" in name:
                parameter.data *= 30
        return wrapped

    with pytest.raises(GuardError, match=why) as caught:
        carry_out(tuned(base, tmp_path / "sft", strong), data, rounding="nearest", **values)
    assert "rounding: compensated or storage: dense" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "model").exists() and not (tmp_path / "out" / "manifest.json").exists()


def test_an_export_of_which_no_row_tells_whether_levels_stay_leaves_nothing_unless_that_is_meant(tmp_path):
    drift = {"kl_per_token": 0.0, "level_agreement": None, "num_levels": 0}
    recipe = export.ExportRecipe(stage="export", inputs={"data": "01-data", "parent": "sft"}, rounding="nearest")
    (tmp_path / "model").mkdir()
    export.check_drift(recipe.model_copy(update={"min_level_agreement": 0.0}), drift, tmp_path / "model")
    with pytest.raises(GuardError, match=r"no held-out row states one.*min_level_agreement: 0"):
        export.check_drift(recipe, drift, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_dense_storage_keeps_the_adapter_exactly(base, data, tmp_path):
    run = carry_out(tuned(base, tmp_path / "sft", add_small_adapter), data, storage="dense")
    assert run.metrics["drift"]["kl_per_token"] < 1e-6 and run.metrics["drift"]["level_agreement"] == 1
    assert "quantization_config" not in json.loads((run.folder / "model" / "config.json").read_text())


def test_levels_are_found_where_the_answer_states_them(tokenizer):
    document = turn_documents(conversation(0)["messages"], tokenizer)[-1]
    places = level_places(document, tokenizer)
    said = ["".join(tokenizer.decode([document.ids[i]]) for i in place).strip(' "') for place in places]
    assert said == ["emergency", "emergency"]
    plain = {"role": "assistant", "content": "Is the pain high or low in the back?"}
    assert not level_places(turn_documents([*conversation(0)["messages"][:1], plain], tokenizer)[-1], tokenizer)


def test_a_model_does_not_drift_from_itself_and_figures_carry_their_counts(base, tokenizer):
    documents = [turn_documents(conversation(i)["messages"], tokenizer)[-1] for i in range(3)]
    report = measure_drift(load_resident(base), load_resident(base), tokenizer, documents).report()
    assert report["kl_per_token"] == pytest.approx(0, abs=1e-7) and report["level_agreement"] == 1
    assert report["num_tokens"] == sum(d.num_trained for d in documents) and report["num_rows"] == 3
    report = Drift([(1.0, 10), (3.0, 10)], 18, 1, 2).report()
    assert report["kl_per_token"] == pytest.approx(0.2) and report["standard_error"] == pytest.approx(0.1)
    assert report["top_token_agreement"] == 0.9 and report["level_agreement"] == 0.5


def test_an_adapter_is_what_peft_and_vllm_read(base, data, tmp_path):
    """PEFT loads it into a stock model. vLLM takes the inner wrapper for gate and up, the outer one for down, and
    cuts factor A as [E, r, in] and B as [out, r, E]: the very deltas PEFT merges."""
    parent = tuned(base, tmp_path / "sft", add_small_adapter)
    folder, ids = parent.folder / "adapter", torch.randint(0, 300, (1, 40))
    stock = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").float()
    theirs = PeftModel.from_pretrained(stock, str(folder)).eval()
    ours = weights.load_model(parent.folder).model.eval()
    with torch.no_grad():
        assert torch.allclose(theirs(ids).logits, ours(ids).logits, atol=1e-5)
    factors = load_file(folder / "adapter_model.safetensors")
    plain = weights.load_dense(base).state_dict()
    settings = json.loads((folder / "adapter_config.json").read_text())
    layer = "base_model.model.model.layers.0.mlp.experts."
    for inner, name in (("base_layer.", "gate_up_proj"), ("", "down_proj")):
        a, b = (factors[f"{layer}{inner}lora_{side}.weight"] for side in "AB")
        a, b = a.reshape(4, -1, a.shape[-1]), b.reshape(b.shape[0], -1, 4).permute(2, 0, 1)
        delta = settings["lora_alpha"] / settings["r"] * (b @ a).transpose(1, 2)
        key = f"model.layers.0.mlp.experts.{name}"
        assert torch.allclose(plain[key] + delta, ours.state_dict()[key], atol=1e-5), name
    others = {n for n in factors if ".self_attn." not in n}
    assert all(".mlp.experts.lora_" in n or ".mlp.experts.base_layer.lora_" in n for n in others)
    assert settings["peft_type"] == "LORA" and settings["bias"] == "none" and not settings["use_dora"]


def test_a_width_that_cannot_be_cut_into_blocks_is_refused_before_anything_is_written(data, tmp_path, tokenizer):
    shape = SMALL.model_copy(update={"intermediate": 40})
    model = new_model(shape, tokenizer.get_vocab_size(), tokenizer.token_to_id(PAD), tokenizer.token_to_id(RETURN))
    weights.save_model(model, tokenizer, tmp_path / "odd" / "model")
    with pytest.raises(GuardError, match="storage: dense"):
        carry_out(finished(tmp_path / "odd"), data)
    assert not (tmp_path / "out" / "model").exists()
