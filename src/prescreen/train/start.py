"""Where a training stage starts and what it leaves: parent model, adapter, lineage.

A full stage leaves `model/`; an adapter stage leaves `adapter/` and `base.json`. Knows nothing about data or loss.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from prescreen.errors import GuardError
from prescreen.model import weights
from prescreen.model.files import TWIN, base_of, locate_model
from prescreen.model.offload import keep_embeddings_on_host
from prescreen.model.resident import load_resident
from prescreen.model.shape import new_model
from prescreen.model.split import unwrap
from prescreen.model.tokenizer import PAD, RETURN, build_tokenizer, select_tokens, split_words
from prescreen.run import Run, read_jsonl, write_json
from prescreen.train import ranks
from prescreen.train.checkpoints import whole_state
from prescreen.train.settings import Lora
from prescreen.train.sharding import shard_model
from prescreen.train.trainer import use_packed_attention

EXPERT_TARGETS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
ATTENTION_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj"]


class Begun(NamedTuple):
    """A trainable model in packed attention; `base` is what an adapter sits on."""

    model: nn.Module
    tokenizer: Tokenizer
    base: str | Path | None


def compute_dtype() -> torch.dtype:
    """bf16 on a GPU, fp32 on a CPU (bf16 is some 500 times slower there without bf16 units)."""
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def own_device() -> str:
    """Where this process trains; of several, each has its own card."""
    if ranks.count() > 1:
        ranks.meet()
    return "cuda" if torch.cuda.is_available() else "cpu"


def begin(recipe: Any, run: Run) -> Begun:
    """Load the parent, or make a new twin; freeze what the method does not train."""
    torch.manual_seed(recipe.seed)
    if getattr(recipe, "twin", None) is not None:
        begun = _new_twin(recipe, run)
    else:
        parent = run.inputs["parent"].folder if "parent" in run.inputs else recipe.base
        begun = _continue(parent, recipe)
    freeze(begun.model, recipe.frozen)
    if ranks.count() > 1:
        shard_model(begun.model)
    else:
        begun.model.to(own_device())
    use_packed_attention(begun.model)
    return begun


def _new_twin(recipe: Any, run: Run) -> Begun:
    """A vocabulary trimmed to what the data run lists, and a model of random weights over it."""
    listed = run.inputs["data"].folder / "vocabulary.txt"
    kept = [int(line) for line in listed.read_text().split()] if listed.exists() else None
    if kept is None:
        texts = (row["text"] for row in read_jsonl(run.inputs["data"].folder / "train" / "cpt.jsonl"))
        kept = select_tokens(split_words(texts))
    tokenizer = build_tokenizer(kept)
    if ranks.is_first():
        (run.folder / "kept.txt").write_text("".join(f"{i}\n" for i in kept))
    model = new_model(
        recipe.twin, tokenizer.get_vocab_size(), tokenizer.token_to_id(PAD), tokenizer.token_to_id(RETURN)
    )
    return Begun(model, tokenizer, None)


def _continue(parent: str | Path, recipe: Any) -> Begun:
    """A full stage merges the parent's adapter and trains all weights; an adapter stage continues it."""
    folder = locate_model(parent)
    has_adapter = (folder / "adapter_config.json").exists()
    if recipe.method == "full":
        model, tokenizer, _ = weights.load_model(folder, compute_dtype())
        model.requires_grad_(True)
        return Begun(model, tokenizer, None)
    packed = recipe.base_experts == "mxfp4"
    device = own_device() if packed or ranks.count() == 1 else "cpu"  # what is to be spread need not fit one card
    load_base = load_resident if packed else weights.load_dense
    model, tokenizer, _ = weights.load_model(folder, compute_dtype(), device, merge=False, load_base=load_base)
    base = base_of(folder) if has_adapter else TWIN if str(parent) == TWIN else folder
    model = model if has_adapter else add_adapter(model, recipe.lora)
    if recipe.host_embeddings:
        keep_embeddings_on_host(unwrap(model))
    return Begun(model, tokenizer, base)


def freeze(model: nn.Module, kinds: Collection[str]) -> None:
    """Stop training the routers or the sinks of a model."""
    for name, parameter in model.named_parameters():
        if any(kind in name.split(".") for kind in kinds):
            parameter.requires_grad_(False)


def add_adapter(model: nn.Module, lora: Lora) -> nn.Module:
    """Wrap with a fresh PEFT adapter; GuardError unless exactly the named weights became trainable.

    PEFT only warns when an expert tensor is not matched, and would then train attention alone.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=0.0,
        target_modules=ATTENTION_TARGETS,
        target_parameters=EXPERT_TARGETS if lora.experts else None,
        task_type="CAUSAL_LM",
    )
    wrapped = get_peft_model(model, config)
    layers = model.config.num_hidden_layers
    trained = [name for name, p in wrapped.named_parameters() if p.requires_grad]
    wanted = layers * 2 * (len(ATTENTION_TARGETS) + (len(EXPERT_TARGETS) if lora.experts else 0))
    if len(trained) != wanted or any("router" in name for name in trained):
        raise GuardError(
            f"the adapter trains {len(trained)} tensors instead of {wanted}; PEFT matched other weights"
        )
    return wrapped


def save(begun: Begun, recipe: Any, run: Run) -> list[Path]:
    """Write what was trained and read it back; of several processes the first does."""
    state = whole_state(begun.model) if ranks.count() > 1 else None
    if not ranks.is_first():
        return []
    if begun.base is None:
        model = begun.model.cpu() if state is None else hold_whole(begun.model, state)
        model.set_attn_implementation("eager")
        weights.save_model(model.float(), begun.tokenizer, run.folder / "model")
        extra = run.folder / "kept.txt"
        return [run.folder / "model", *([extra] if extra.exists() else [])]
    begun.model.save_pretrained(str(run.folder / "adapter"), state_dict=state)
    base = str(begun.base) if begun.base == TWIN else os.path.relpath(begun.base, run.folder)
    write_json(run.folder / "base.json", {"base": base})
    check_adapter(begun.model, run.folder / "adapter", state)
    return [run.folder / "adapter", run.folder / "base.json"]


def hold_whole(model: nn.Module, state: dict[str, Tensor]) -> Any:
    """A model of the same kind in this process alone, around weights that were gathered."""
    with torch.device("meta"):
        alone = type(model)._from_config(model.config, dtype=model.dtype)
    alone.load_state_dict(state, assign=True)
    return alone


def check_adapter(model: nn.Module, folder: Path, state: dict[str, Tensor] | None = None) -> None:
    """GuardError unless the saved adapter holds exactly the trained tensors, or those gathered in `state`."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    stored = load_file(folder / "adapter_model.safetensors")
    live = get_peft_model_state_dict(model, state_dict=state)
    if set(stored) != set(live) or any(not torch.equal(stored[k], v.cpu()) for k, v in live.items()):
        raise GuardError(f"{folder}: the saved adapter differs from the trained one; do not use it")
