"""Toy stages for one process or several, and the program that torchrun starts: `small_ranks.py FOLDER`."""

import os
import signal
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import FullyShardedDataParallelPlugin
from transformers import TrainerCallback

import prescreen.train.trainer
from prescreen.errors import GuardError
from prescreen.pipeline import Step, load_stage, run_steps
from prescreen.run import write_json
from prescreen.train import ranks
from prescreen.train.preference import PreferenceRecipe
from prescreen.train.settings import Lora
from prescreen.train.sharding import check_sharded
from small_runs import BRIEF, FAST, SMALL, DataRecipe, supervise

STAGES = {
    "data": "small_runs:DataRecipe",
    "pretrain": "prescreen.train.supervised:SupervisedRecipe",
    "sft": "prescreen.train.supervised:SupervisedRecipe",
    "dpo": "prescreen.train.preference:PreferenceRecipe",
}
SHORT = BRIEF.model_copy(update={"rows_per_step": 2, "max_steps": 4, "tokens_per_row": 512})
# Three rows a step do not go round between two processes, and the last step has fewer.
UNEVEN = FAST.model_copy(update={"rows_per_step": 3, "tokens_per_row": 256, "eval_every": 3, "max_grad_norm": 0.5})
KILLED_AT = 5
KINDS = ("full", "lora", "dpo", "mxfp4")


class Interrupted(Exception):
    """What ends a run before its last step, where no signal can be sent."""


class Watch(TrainerCallback):
    """Notes what this process holds after its first step; ends it at a later one."""

    def __init__(self, stop):
        self.stop, self.bytes = stop, {}

    def on_step_end(self, args, state, control, model=None, optimizer=None, **_):
        if state.global_step == self.stop:
            if ranks.count() == 1:
                raise Interrupted
            os.kill(os.getpid(), signal.SIGKILL)
        if not self.bytes:
            states = [item for values in optimizer.state.values() for item in values.items()]
            moments = [tensor for name, tensor in states if name.startswith("exp_avg")]
            self.bytes = {"weights": local_bytes(model.parameters()), "moments": local_bytes(moments)}


def local_bytes(tensors):
    """Bytes of the parts that are here; a stand-in of one number counts as one."""
    parts = [t.to_local() if hasattr(t, "to_local") else t for t in tensors]
    return sum(min(p.numel() * p.element_size(), p.untyped_storage().nbytes()) for p in parts)


def carry_out(folder, name, recipe, stop=0):
    """One stage by the executor; returns what this process held."""
    watch, fit = Watch(stop), prescreen.train.trainer.fit
    prescreen.train.trainer.fit = lambda *a, **k: fit(*a, **k, callbacks=[watch])
    try:
        run_steps([Step(name, load_stage(recipe.stage, STAGES, name), recipe)], folder, STAGES)
    finally:
        prescreen.train.trainer.fit = fit
    return watch.bytes


def make_recipe(kind, folder):
    """Every weight; an adapter on all experts; preferences; an adapter on a base that stays in MXFP4."""
    if kind == "full":
        return supervise("pretrain", "cpt", twin=SMALL, method="full", how=UNEVEN)
    if kind == "dpo":
        inputs = {"data": "01-data", "parent": "02-base"}
        return PreferenceRecipe(stage="dpo", inputs=inputs, lora=Lora(rank=4), optimisation=SHORT)
    start = {"base": str(folder / "packed"), "base_experts": "mxfp4"}
    if kind == "lora":
        start = {"inputs": {"parent": "02-base"}}
    return supervise("sft", "sft", method="lora", lora=Lora(rank=4), how=SHORT, **start)


def train_all(folder, prefix):
    return {kind: carry_out(folder, f"{prefix}-{kind}", make_recipe(kind, folder)) for kind in KINDS}


def say_refusal(do, *arguments):
    try:
        do(*arguments)
    except GuardError as error:
        return str(error)
    return ""


def prepare_by_accelerate():
    """What Accelerate makes of FSDP on a CPU."""
    AcceleratorState._reset_state()
    accelerator = Accelerator(cpu=True, fsdp_plugin=FullyShardedDataParallelPlugin(fsdp_version=2))
    layer = torch.nn.Linear(4, 4)
    return accelerator.prepare(layer, torch.optim.AdamW(layer.parameters()))[0]


def note_writes(folder):
    """Names of all files below `folder` that this process opens to write."""
    written = []

    def hear(event, arguments):
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            path = Path(os.fsdecode(arguments[0])) if isinstance(arguments[0], (str, bytes)) else Path()
            if path.is_relative_to(folder):
                written.append(str(path.relative_to(folder)))

    sys.addaudithook(hear)
    return written


def main(folder):
    written = note_writes(folder)
    carry_out(folder, "one-then-two", make_recipe("full", folder))
    found = {"bytes": train_all(folder, "two"), "again": carry_out(folder, "two-dpo", make_recipe("dpo", folder))}
    found["alone"] = say_refusal(carry_out, folder, "04-data", DataRecipe(stage="data", seed=1))
    wrapped = prepare_by_accelerate()
    found |= {"wrapped": type(wrapped).__name__, "fallback": say_refusal(check_sharded, wrapped)}
    found["written"] = list(written)
    write_json(folder / f"found-{ranks.number()}.json", found)
    carry_out(folder, "two-then-one", make_recipe("full", folder), stop=KILLED_AT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
