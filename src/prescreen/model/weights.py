"""Checkpoints: find, verify, load and save gpt-oss models, dense or MXFP4, with or without an adapter.

A model folder is Hugging Face's layout (config.json, *.safetensors, tokenizer.json). A training run holds either
`model/` (all weights) or `adapter/` (PEFT's layout) plus `base.json` that names what it sits on. Every save is
followed by a reload that must be equal: transformers can lose the experts of a dequantised model in silence.
Knows nothing about prompts, data or losses.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from huggingface_hub.errors import StrictDataclassError
from tokenizers import Tokenizer
from torch import nn
from transformers import GptOssConfig, GptOssForCausalLM, Mxfp4Config, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from prescreen.errors import GuardError, WeightsError
from prescreen.model import mxfp4
from prescreen.model.checkpoint import Shards, write_config, write_generation_config
from prescreen.model.experts import WEIGHTS
from prescreen.model.files import base_of, locate_model
from prescreen.model.tokenizer import PAD, RETURN, build_tokenizer, load_tokenizer

LoadBase = Callable[[Path, torch.dtype, str], GptOssForCausalLM]  # folder, precision, device


class Loaded(NamedTuple):
    """A model ready to run, its tokenizer, and the folder its weights came from."""

    model: nn.Module
    tokenizer: Tokenizer
    folder: Path


def read_tokenizer(where: str | Path) -> Tokenizer:
    """The tokenizer of a model; the twin's is built from its list of kept ids."""
    folder = locate_model(where)
    if (folder / "adapter_config.json").exists():
        return read_tokenizer(base_of(folder))
    if (kept := folder / "kept.txt").exists():
        return build_tokenizer(int(line) for line in kept.read_text().split())
    return load_tokenizer(folder)


def check_folder(folder: Path) -> GptOssConfig:
    """Refuse what is not a complete gpt-oss checkpoint, in one sentence."""
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        raise WeightsError(f"{folder}: config.json cannot be read; copy the model folder again") from None
    if raw.get("model_type") != "gpt_oss":
        raise WeightsError(f"{folder}: this is a {raw.get('model_type')!r} model; prescreen tunes gpt_oss")
    index = folder / "model.safetensors.index.json"
    needed = set(json.loads(index.read_text())["weight_map"].values()) if index.exists() else {"model.safetensors"}
    missing = sorted(name for name in needed if not (folder / name).exists())
    if missing:
        raise WeightsError(f"{folder}: missing {', '.join(missing)}; copy the model folder again")
    try:
        return GptOssConfig(**raw)
    except (StrictDataclassError, ValueError, TypeError) as error:
        raise WeightsError(f"{folder}: config.json is inconsistent ({' '.join(str(error).split())})") from None


def load_dense(folder: Path, dtype: torch.dtype = torch.float32, device: str = "cpu") -> GptOssForCausalLM:
    """Load a full model; MXFP4 experts are decoded exactly. Attention is exact eager until told otherwise."""
    config = check_folder(folder)
    extra: dict[str, Any] = (
        {} if device == "cpu" else {"device_map": device}
    )  # shard by shard, not by way of the host
    if getattr(config, "quantization_config", None) is not None:
        extra["quantization_config"] = Mxfp4Config(dequantize=True)
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    model, report = GptOssForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True, **extra
    )
    transformers_logging.set_verbosity(verbosity)
    problems = [
        f"{kind}: {sorted(report[kind])[:3]}" for kind in ("missing_keys", "unexpected_keys") if report[kind]
    ]
    if problems:
        raise WeightsError(f"{folder}: weights do not fit gpt-oss ({'; '.join(problems)})")
    return settle(model.to(dtype))


def settle(model: GptOssForCausalLM) -> GptOssForCausalLM:
    """Remove what would corrupt a later save or add a hidden loss.

    The released config carries a router loss coefficient of 0.9 that trainers pick up, and a dequantised model
    keeps a conversion table that renames the experts away when it is saved.
    """
    config = model.config
    config._name_or_path = ""  # a saved folder carries no path of the machine that made it
    config.output_router_logits, config.router_aux_loss_coef, config.use_cache = False, 0.0, True
    model.__dict__.pop("_weight_conversions", None)
    if getattr(config, "quantization_config", None) is not None:
        del config.quantization_config
    model.__dict__.pop("hf_quantizer", None)
    model.is_quantized = False
    if getattr(model, "router_aux_loss_coef", 0.0) != 0.0:
        model.router_aux_loss_coef = 0.0
    return model


def load_model(
    where: str | Path,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    *,
    merge: bool = True,
    load_base: LoadBase = load_dense,
) -> Loaded:
    """Load whatever `where` names; an adapter is merged into its base, or kept trainable with merge=False."""
    folder = locate_model(where)
    tokenizer = read_tokenizer(folder)
    if not (folder / "adapter_config.json").exists():
        return Loaded(load_base(folder, dtype, device), tokenizer, folder)
    from peft import PeftModel

    base = load_base(base_of(folder), dtype, device)
    wrapped = PeftModel.from_pretrained(base, str(folder), is_trainable=not merge, torch_device=device)
    if not merge:
        return Loaded(wrapped, tokenizer, folder)
    return Loaded(settle(wrapped.merge_and_unload()), tokenizer, folder)


def save_model(
    model: GptOssForCausalLM, tokenizer: Tokenizer, folder: Path, storage: Literal["dense", "mxfp4"] = "dense"
) -> None:
    """Save a full model and read it back; WeightsError unless what was read equals what was saved."""
    folder.mkdir(parents=True, exist_ok=True)
    settle(model)
    if storage == "dense":
        model.save_pretrained(folder)
        expected = model.state_dict()
    else:
        expected = _save_mxfp4(model, folder)
    save_tokenizer(tokenizer, folder)
    reread = load_dense(folder, model.dtype).state_dict()
    differing = [name for name, tensor in expected.items() if not torch.equal(reread[name], tensor.to(model.dtype))]
    if differing:
        raise WeightsError(f"{folder}: reading back gave other weights ({', '.join(differing[:3])})")


def _save_mxfp4(model: GptOssForCausalLM, folder: Path) -> dict[str, torch.Tensor]:
    """Write openai's layout: experts as blocks and scales, all else bf16. Returns what a reader must see."""
    shards = Shards(folder)
    expected: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        if ".experts." in name and name.endswith(WEIGHTS):
            if tensor.shape[1] % mxfp4.BLOCK:
                raise GuardError(f"{name}: {tensor.shape[1]} rows; MXFP4 needs a multiple of {mxfp4.BLOCK}")
            packed = mxfp4.encode(tensor)
            shards.add_packed(name, packed)
            expected[name] = mxfp4.decode(packed)
        else:
            shards.add_dense(name, tensor)
            expected[name] = tensor.detach().to(torch.bfloat16)
    shards.close()
    write_config(model.config, folder)
    return expected


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer and stop tokens as stock transformers, vLLM and llama.cpp's converter read them."""
    tokenizer.encode_special_tokens = False
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=RETURN, pad_token=PAD, bos_token="<|startoftext|>"
    ).save_pretrained(folder)
    write_generation_config(tokenizer, folder)
