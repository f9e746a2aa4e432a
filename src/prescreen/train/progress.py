"""What a person watches while a model trains, and the curve kept for the report."""

import json
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback

from prescreen.run import write_atomic


class ProgressLog(TrainerCallback):
    """A progress bar with loss and time left, and `log.jsonl` rewritten whole at every log."""

    def __init__(self, path: Path, title: str, steps: int) -> None:
        self.path = path
        self.bar = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
        )
        self.task = self.bar.add_task(title, total=steps, loss="")

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.start()
        self.bar.update(self.task, completed=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self.bar.update(self.task, loss=f"loss {logs['loss']:.3f}")
        self.write(state.log_history)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.stop()

    def write(self, history: list[dict[str, Any]]) -> None:
        """Keep the rows that carry a loss."""
        kept = ("step", "loss", "eval_loss", "learning_rate", "grad_norm")
        rows = [{k: row[k] for k in kept if k in row} for row in history if "loss" in row or "eval_loss" in row]
        write_atomic(self.path, "".join(json.dumps(row) + "\n" for row in rows))
