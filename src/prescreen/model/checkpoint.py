"""Writing openai's file layout: experts as blocks and scales, all else bf16, in shards no larger than asked.

Tensors arrive one by one and leave memory as shards fill, so a model is never held a second time. Config and
generation config carry what stock transformers, vLLM and llama.cpp's converter look for. Knows names and files,
nothing about how weights were rounded.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import GptOssConfig

from prescreen.model.mxfp4 import Packed
from prescreen.model.tokenizer import PAD, stop_ids
from prescreen.run import write_json

SHARD_BYTES = 5 * 10**9
KEPT_DENSE = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]


class Shards:
    """Safetensors files of one model folder, and the index that names them when there is more than one."""

    def __init__(self, folder: Path, limit: int = SHARD_BYTES) -> None:
        self.folder, self.limit = folder, limit
        self.names: list[list[str]] = []
        self.total = self._size = 0
        self._open: dict[str, Tensor] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add_dense(self, name: str, tensor: Tensor) -> None:
        self._add({name: tensor.detach().to(torch.bfloat16)})

    def add_packed(self, name: str, packed: Packed) -> None:
        """Blocks and scales in one file: llama.cpp's converter reads them one after the other."""
        self._add({f"{name}_blocks": packed.blocks, f"{name}_scales": packed.scales})

    def _add(self, tensors: dict[str, Tensor]) -> None:
        size = sum(t.numel() * t.element_size() for t in tensors.values())
        if self._open and self._size + size > self.limit:
            self._flush()
        self._open |= {name: t.cpu().contiguous() for name, t in tensors.items()}
        self._size += size

    def _flush(self) -> None:
        save_file(self._open, self.folder / f"part-{len(self.names)}", metadata={"format": "pt"})
        self.names.append(list(self._open))
        self.total += self._size
        self._open, self._size = {}, 0

    def close(self) -> None:
        """Write what is left, give the files their names, and write the index."""
        self._flush()
        count = len(self.names)
        files = [f"model-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)]
        files = files if count > 1 else ["model.safetensors"]
        for i, file in enumerate(files):
            (self.folder / f"part-{i}").rename(self.folder / file)
        if count > 1:
            weight_map = {name: file for file, names in zip(files, self.names, strict=True) for name in names}
            index = {"metadata": {"total_size": self.total}, "weight_map": dict(sorted(weight_map.items()))}
            write_json(self.folder / "model.safetensors.index.json", index)


def write_config(config: GptOssConfig, folder: Path) -> None:
    """config.json of an MXFP4 checkpoint; rope under its new name and the published ones, for older readers."""
    values: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    values["dtype"] = "bfloat16"
    values["architectures"] = ["GptOssForCausalLM"]
    rope = values.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default":
        values["rope_scaling"] = {key: value for key, value in rope.items() if key != "rope_theta"}
        values["rope_theta"] = rope["rope_theta"]
    values["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": KEPT_DENSE}
    write_json(folder / "config.json", values)


def write_generation_config(tokenizer: Tokenizer, folder: Path) -> None:
    """What ends a turn: config.json alone names one stop token, and `<|call|>` would run on."""
    stops = {"eos_token_id": stop_ids(tokenizer), "pad_token_id": tokenizer.token_to_id(PAD)}
    write_json(folder / "generation_config.json", stops)
