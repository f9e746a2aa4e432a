"""The one training loop: transformers' Trainer over packed rows, with the objective handed in.

Accelerate, schedulers, checkpoints and resuming are the ecosystem's. Knows nothing about cross-entropy, DPO or
where the documents came from.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PrinterCallback, TrainerCallback, TrainingArguments, set_seed
from transformers.trainer import TRAINER_STATE_NAME

from prescreen.errors import GuardError
from prescreen.model.attention import register_attention
from prescreen.model.experts import register_experts
from prescreen.model.grouped import register_grouped
from prescreen.model.keeping import keep_linears
from prescreen.model.last import spare_last_layer
from prescreen.model.norms import fuse_norms
from prescreen.model.split import FORWARDS, split_adapters, unwrap
from prescreen.run import Run
from prescreen.train import ranks
from prescreen.train.checkpoints import CheckpointTrainer
from prescreen.train.division import DealtRows, own_rows, rows_each
from prescreen.train.packing import PackedRows, collate_row
from prescreen.train.progress import ProgressLog
from prescreen.train.recompute import checkpoint_arguments
from prescreen.train.settings import Optimisation
from prescreen.train.sharing import Unit, num_tokens

EXACT_EXPERTS = ("eager", "grouped_mm", *FORWARDS)
Batch = dict[str, Tensor]
Objective = Callable[[nn.Module, Batch], Tensor]  # -> the row's summed loss
Count = Callable[[Batch], int]  # -> how many items that sum is over


class PackedTrainer(CheckpointTrainer):
    """Sums an objective over rows and divides by the items of the whole step, all processes', once."""

    loss_is_scaled_for_ga = True

    def __init__(self, *, objective: Objective, count: Count, **kwargs: Any) -> None:
        self.objective, self.count = objective, count
        super().__init__(data_collator=collate_row, **kwargs)

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        items = torch.tensor(sum(self.count(batch) for batch in batch_samples), device=device)
        return ranks.add_up(items).clamp(min=1)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        total = self.objective(model, inputs) * ranks.count()  # gradients are averaged over processes
        return total / (num_items_in_batch if num_items_in_batch is not None else max(1, self.count(inputs)))

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        return ranks.add_up(super().training_step(*args, **kwargs)) / ranks.count()

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        metrics = {"eval_loss": mean_loss(self.model, self.eval_dataset, self.objective, self.count)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)  # type: ignore[has-type]
        return metrics


@torch.no_grad()
def mean_loss(model: nn.Module, rows: Any, objective: Objective, count: Count) -> float:
    """The objective averaged over all items of a data set, not over rows."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    total, items = 0.0, 0
    for row in own_rows(rows):
        batch = {k: v.to(device) for k, v in row.items()}
        total += float(objective(model, batch))
        items += count(batch)
    model.train(was_training)
    total, items = ranks.add_up(torch.tensor([total, items], dtype=torch.float64, device=device)).tolist()
    return total / max(1, items)


def train_arguments(o: Optimisation, folder: Path, seed: int, steps: int, with_eval: bool) -> TrainingArguments:
    """Our settings in transformers' words."""
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=rows_each(o.rows_per_step, ranks.count()),
        learning_rate=o.learning_rate,
        lr_scheduler_type=o.schedule,
        lr_scheduler_kwargs={"min_lr_rate": o.final_lr_share} if o.schedule == "cosine_with_min_lr" else {},
        warmup_steps=o.warmup_steps,
        weight_decay=o.weight_decay,
        adam_beta1=o.adam_beta1,
        adam_beta2=o.adam_beta2,
        max_grad_norm=o.max_grad_norm,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        seed=seed,
        train_sampling_strategy="sequential",
        logging_steps=o.log_every,
        save_strategy="steps" if o.save_every else "no",
        save_steps=o.save_every or 500,
        save_total_limit=2,
        eval_strategy="steps" if o.eval_every and with_eval else "no",
        eval_steps=o.eval_every or None,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=on_gpu,
        disable_tqdm=True,
        report_to=[],
        **checkpoint_arguments(o.recompute),
    )


def fit(
    model: nn.Module,
    train: Sequence[Unit],
    valid: Sequence[Unit],
    objective: Objective,
    count: Count,
    optimisation: Optimisation,
    run: Run,
    callbacks: Sequence[TrainerCallback] = (),
) -> dict[str, Any]:
    """Train `model` in place, resuming from the run's last checkpoint; returns metrics, writes log.jsonl.

    Rows, their order and the schedule depend on the recipe alone, so a resumed run ends where an
    uninterrupted one would.
    """
    o = optimisation
    check_model(model)
    set_seed(run.recipe.seed)
    rows = PackedRows(train, o.tokens_per_row, o.epochs, run.recipe.seed)
    held_out = PackedRows(valid, o.tokens_per_row, 1, run.recipe.seed) if valid else None
    steps = -(-len(rows) // o.rows_per_step)
    steps = min(steps, o.max_steps) if o.max_steps else steps
    if not any(count(rows[i]) for i in range(len(rows))):
        raise GuardError("no token would be trained: every loss mask is empty; check the rows' assistant turns")
    log = ProgressLog(run.folder / "log.jsonl", run.recipe.stage, steps)
    trainer = PackedTrainer(
        model=model,
        args=train_arguments(o, run.folder, run.recipe.seed, steps, held_out is not None),
        train_dataset=DealtRows(rows, o.rows_per_step, ranks.count()),
        eval_dataset=held_out,
        objective=objective,
        count=count,
        callbacks=[*([log] if ranks.is_first() else []), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    before = mean_loss(model, held_out, objective, count) if held_out else None
    checkpoints = run.folder / "checkpoints"
    last = find_last(checkpoints)
    result = trainer.train(resume_from_checkpoint=last)
    after = mean_loss(model, held_out, objective, count) if held_out else None
    if ranks.is_first():
        log.write(trainer.state.log_history)
        shutil.rmtree(checkpoints, ignore_errors=True)
    tokens = sum(num_tokens(train[i]) for row in rows.rows[: steps * o.rows_per_step] for i in row)
    return {
        "steps": steps,
        "processes": ranks.count(),
        "loss": result.training_loss,
        "valid_loss": {"before": before, "after": after},
        "tokens": tokens,
        "tokens_per_s": tokens / result.metrics["train_runtime"] if last is None else None,
        "packing_efficiency": rows.efficiency,
        "num_trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


def find_last(checkpoints: Path) -> str | None:
    """The last whole checkpoint: the Trainer writes its state last, so one killed while it was written has none."""
    whole = [path.parent for path in checkpoints.glob(f"checkpoint-*/{TRAINER_STATE_NAME}")]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


def check_model(model: nn.Module) -> None:
    """The guard rails: refuse what would train the wrong thing in silence."""
    config = model.config
    if config.router_aux_loss_coef or config.output_router_logits:
        raise GuardError("the router loss is on (the released config carries 0.9); load through prescreen.model")
    if any(p.dtype == torch.float16 for p in model.parameters()):
        raise GuardError("fp16 overflows in gpt-oss; use bf16 on a GPU or fp32 on a CPU")
    if config._experts_implementation not in EXACT_EXPERTS:
        raise GuardError(f"experts implementation {config._experts_implementation!r} is not exact for gpt-oss")
    if not any(p.requires_grad for p in model.parameters()):
        raise GuardError("nothing is trainable; check the recipe's method and LoRA targets")


def use_packed_attention(model: nn.Module) -> None:
    """Switch a loaded model from generation to packed training; adapters are computed apart."""
    inner = unwrap(model)
    inner.set_attn_implementation(register_attention())
    on_card = inner.device.type == "cuda"
    inner.set_experts_implementation(register_grouped() if on_card else register_experts())
    fuse_norms(inner)
    split_adapters(model)
    spare_last_layer(inner)
    keep_linears(inner.model.layers)
