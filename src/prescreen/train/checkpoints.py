"""Checkpoints that do not depend on the number of processes: always those of one, so any number may resume.

transformers writes and reads them in one process. Of several, all gather and the first writes the same files.
Knows the Trainer's file names, nothing about objectives.
"""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import Trainer
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME

from prescreen.train import ranks
from prescreen.train.sharding import check_sharded, gather_tensors, spread_like


def kept_tensors(model: nn.Module) -> dict[str, Tensor]:
    """What a checkpoint holds, by the names in its file: the adapter, or all weights."""
    return get_peft_model_state_dict(model) if isinstance(model, PeftModel) else model.state_dict()


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """What `save_pretrained` of this model takes as its state: whole tensors, on the first process only."""
    state = model.state_dict()
    if isinstance(model, PeftModel):
        state = {name: state[name] for name, p in model.named_parameters() if p.requires_grad}
    return gather_tensors(state)


class CheckpointTrainer(Trainer):
    """transformers' Trainer for a model that is sharded already, if it is, with whole checkpoints."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The Trainer's word for: do not wrap it. Said late, since it refuses to resume what it sharded itself.
        self.is_distributed_loading_by_transformers = ranks.count() > 1

    def _move_model_to_device(self, model: nn.Module, device: torch.device) -> None:
        if ranks.count() == 1:
            super()._move_model_to_device(model, device)

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_for_training(*args, **kwargs)
        if ranks.count() > 1:
            check_sharded(self.model_wrapped)
        return prepared

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        if ranks.count() == 1:
            return super().save_model(output_dir, _internal_call)
        state = whole_state(self.model)
        if ranks.is_first():
            self._save(output_dir, state_dict=state)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if ranks.count() == 1:
            return super()._save_optimizer_and_scheduler(output_dir)
        state = self.optimizer.state_dict()
        state["state"] = {number: gather_tensors(values) for number, values in state["state"].items()}
        if ranks.is_first():
            torch.save(state, Path(output_dir) / OPTIMIZER_NAME)
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _save_rng_state(self, output_dir: str) -> None:
        if ranks.count() == 1:  # of several none draws: rows are laid out beforehand and nothing is dropped out
            super()._save_rng_state(output_dir)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if ranks.count() == 1:
            return super()._load_from_checkpoint(resume_from_checkpoint, model)
        stored: dict[str, Tensor] = {}
        for file in Path(resume_from_checkpoint).glob("*.safetensors"):
            stored |= load_file(file)
        with torch.no_grad():
            for name, tensor in kept_tensors(self.model).items():
                tensor.copy_(spread_like(stored[name], tensor))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if ranks.count() == 1 or checkpoint is None:
            return super()._load_optimizer_and_scheduler(checkpoint)
        state = torch.load(Path(checkpoint) / OPTIMIZER_NAME, map_location="cpu", weights_only=True)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        state["state"] = {
            number: {name: spread_like(value, parameters[number]) for name, value in values.items()}
            for number, values in state["state"].items()
        }
        self.optimizer.load_state_dict(state)
        self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / SCHEDULER_NAME, weights_only=True))
