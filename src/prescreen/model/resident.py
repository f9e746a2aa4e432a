"""A frozen base whose experts stay in MXFP4: a quarter of the memory, and the very same numbers.

openai's blocks and scales are read as they are and decoded where an expert is used (`experts`). That is exact: four
bits times a power of two fit every float. Only an adapter can be trained on such a base, and nothing can be merged
into it; export merges into decoded weights. Knows checkpoints, nothing about training.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import GptOssConfig, GptOssForCausalLM

from prescreen.errors import WeightsError
from prescreen.model.experts import WEIGHTS, register_experts
from prescreen.model.mxfp4 import Packed
from prescreen.model.weights import check_folder, load_dense, settle

PARTS = ("blocks", "scales")


def load_resident(folder: Path, dtype: torch.dtype = torch.float32, device: str = "cpu") -> GptOssForCausalLM:
    """Load an MXFP4 checkpoint with all but the experts in `dtype`; WeightsError where it holds no MXFP4."""
    config = check_folder(folder)
    if getattr(config, "quantization_config", None) is None:
        raise WeightsError(f"{folder}: its experts are not stored in MXFP4; leave out `base_experts: mxfp4`")
    del config.quantization_config
    return fill_resident(config, _read_tensors(folder, device), dtype, str(folder))


def fill_resident(
    config: GptOssConfig, tensors: Iterable[tuple[str, Tensor]], dtype: torch.dtype, origin: str
) -> GptOssForCausalLM:
    """A model of the checkpoint's tensors, by name; it lives where they do. WeightsError where they do not fit."""
    with torch.device("meta"):
        model = GptOssForCausalLM._from_config(config, dtype=dtype, attn_implementation="eager")
    wanted = dict(model.named_parameters())
    packed: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors:
        weight, _, part = name.rpartition("_")
        if part in PARTS and weight.endswith(WEIGHTS):
            packed.setdefault(weight, {})[part] = tensor
        elif name in wanted:
            _assign(model, name, tensor.to(wanted.pop(name).dtype))
        else:
            raise WeightsError(f"{origin}: holds {name}, which gpt-oss does not have")
    for weight, parts in packed.items():
        keep_packed(model, weight, Packed(*(parts[part] for part in PARTS)), dtype)
        del wanted[weight]
    if wanted:
        raise WeightsError(f"{origin}: weights do not fit gpt-oss (missing {sorted(wanted)[:3]})")
    model.model.rotary_emb = type(model.model.rotary_emb)(config).to(model.lm_head.weight.device)
    model.set_experts_implementation(register_experts())
    return settle(model)


def load_stored(folder: Path, dtype: torch.dtype = torch.float32, device: str = "cpu") -> GptOssForCausalLM:
    """A checkpoint as it is stored: MXFP4 experts stay packed, dense ones dense."""
    packed = getattr(check_folder(folder), "quantization_config", None) is not None
    return (load_resident if packed else load_dense)(folder, dtype, device)


def _read_tensors(folder: Path, device: str) -> Iterator[tuple[str, Tensor]]:
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt", device=device) as shard:
            for name in shard.keys():  # noqa: SIM118  (a shard is no mapping)
                yield name, shard.get_tensor(name)


def _assign(model: nn.Module, name: str, tensor: Tensor) -> None:
    owner, _, last = name.rpartition(".")
    setattr(model.get_submodule(owner), last, nn.Parameter(tensor, requires_grad=False))


def keep_packed(model: nn.Module, name: str, packed: Packed, dtype: torch.dtype) -> None:
    """The stored form beside a placeholder of one number, from which an adapter reads shape, dtype and device."""
    owner, _, last = name.rpartition(".")
    experts = model.get_submodule(owner)
    shape = getattr(experts, last).shape
    placeholder = torch.full((), float("nan"), dtype=dtype, device=packed.blocks.device).expand(shape)
    setattr(experts, last, nn.Parameter(placeholder, requires_grad=False))
    experts.packed = {**getattr(experts, "packed", {}), last: packed}
