"""What `doctor` predicts beside what training takes: seconds of a step on a CPU.

    python benchmarks/steps.py             # a table, and a file under benchmarks/results/

The cases of memory.py and the twin itself, random documents of 512 tokens, all trained, through the pipeline's
own loop. A step's time is the median after the first, in CPU seconds of one thread, so that waiting for a neighbour
does not count; the CPU's speed is measured before and after each case, as `doctor` does, because it drifts.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import memory
from record import write_record

from prescreen.devices import CPU_SHARE, Speed, measure_cpu
from prescreen.model.shape import TwinShape
from prescreen.needs import Need, Schedule, describe_twin
from prescreen.sizing import Plan

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy and torch load
LENGTH, STEPS, TOKENS = 512, 5, 2048
CASES = {
    "twin, all weights": (TwinShape(), Plan(TOKENS, "float32", "all")),
    "twin, attention adapter": (TwinShape(), Plan(TOKENS, "float32", "attention", 8)),
    **{name: (shape, plan._replace(tokens=TOKENS)) for name, (shape, plan) in memory.CASES.items()},
}


def time_steps(shape: TwinShape, plan: Plan) -> float:
    """Median seconds of a step, the first left out."""
    import torch
    from transformers import TrainerCallback

    from prescreen.train.objectives import count_tokens, cross_entropy
    from prescreen.train.settings import Optimisation
    from prescreen.train.sharing import Document
    from prescreen.train.trainer import fit

    class Clock(TrainerCallback):
        """Notes when steps begin and end."""

        times: list[float] = []
        begun = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.begun = time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.times = [*self.times, time.process_time() - self.begun]

    shapes = (STEPS * plan.tokens // LENGTH, LENGTH)
    ids = torch.randint(2, memory.VOCABULARY, shapes, generator=torch.Generator().manual_seed(0))
    units = [[Document(row, list(range(len(row))))] for row in ids.tolist()]
    settings = Optimisation(tokens_per_row=plan.tokens, save_every=0, recompute=plan.recompute)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        run = SimpleNamespace(folder=Path(folder), recipe=SimpleNamespace(seed=0, stage="sft"))
        fit(memory.build(shape, plan), units, [], cross_entropy, count_tokens, settings, run, [clock])
    return median(clock.times[1:])


def compare(name: str) -> dict[str, Any]:
    """One case beside its prediction."""
    shape, plan = CASES[name]
    before = measure_cpu(time.process_time)
    measured = time_steps(shape, plan)
    after = measure_cpu(time.process_time)
    speed = Speed(*((a + b) / 2 for a, b in zip(before[:2], after[:2], strict=True)), basis="")
    config = {**describe_twin(shape), "vocab_size": memory.VOCABULARY}
    predicted = Need(name, plan, config, "", Schedule(length=LENGTH)).step_seconds(speed)
    speeds = {"products": speed.products / CPU_SHARE, "memory": speed.memory}
    return {"case": name, "measured_s": measured, "predicted_s": predicted, **speeds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="cases whose name holds this")
    chosen = parser.parse_args()
    results = []
    print("| case | measured s | predicted s | predicted / measured |\n| --- | --- | --- | --- |")
    for name in CASES:
        if chosen.only is None or chosen.only in name:
            one = compare(name)
            results.append(one)
            measured, predicted = one["measured_s"], one["predicted_s"]
            print(f"| {name} | {measured:.2f} | {predicted:.2f} | {predicted / measured:.2f} |", flush=True)
    if chosen.only is None:
        packages = ("torch", "transformers", "peft", "numpy")
        path = write_record("steps-cpu", packages, threads=1, tokens=TOKENS, cases=results)
        print(f"written: {path.name}")


if __name__ == "__main__":
    main()
