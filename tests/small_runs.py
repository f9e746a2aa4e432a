"""A toy data run and stages over it, small enough to train in every test."""

import json

from prescreen.config import Recipe
from prescreen.model.shape import TwinShape
from prescreen.run import Run
from prescreen.train.settings import Optimisation
from prescreen.train.supervised import SupervisedRecipe

SMALL = TwinShape(layers=2, hidden=32, intermediate=32, experts=2, heads=4, kv_heads=2, head_dim=8, window=16)
BRIEF = Optimisation(
    learning_rate=2e-3, tokens_per_row=1024, warmup_steps=1, epochs=4, max_steps=12, log_every=1, save_every=0
)
FAST = Optimisation(learning_rate=1e-2, tokens_per_row=512, warmup_steps=2, epochs=3, log_every=1, save_every=2)
WORDS = ("chest pain", "headache", "cough", "a rash", "fever", "back pain")


class DataRecipe(Recipe):
    pass


def row(i):
    complaint = WORDS[i % 6]
    answer = {"role": "assistant", "content": f'{{"complaint":"{complaint}"}}', "thinking": complaint}
    return {
        "id": str(i),
        "task": "report",
        "messages": [{"role": "user", "content": f"I have {complaint} for {i % 9 + 1} days."}, answer],
    }


def pair(i):
    good = row(i)["messages"][-1]
    bad = {"role": "assistant", "content": row(i + 1)["messages"][-1]["content"], "thinking": good["thinking"]}
    return {"id": str(i), "messages": row(i)["messages"][:1], "chosen": [good], "rejected": [bad]}


def write_data(folder):
    """A data run of every kind of row."""
    text = [{"text": f"Patients with {w} and {v} see the nurse.", "kind": "medical"} for w in WORDS for v in WORDS]
    everything = [{"text": json.dumps(row(i)), "kind": "medical"} for i in range(18)]
    files = {
        "train/cpt": [*text, *everything], "valid/cpt": text[:5], "test/cpt": text[:5],
        "train/sft": [row(i) for i in range(40)], "valid/sft": [row(i) for i in range(6)],
        "train/preference": [pair(i) for i in range(12)], "valid/preference": [pair(i) for i in range(4)],
    }  # fmt: skip
    for name, rows in files.items():
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    run = Run(folder, DataRecipe(stage="data"))
    run.start()
    run.finish([folder / "train"], {})
    return run


def make(data, name, recipe, **parents):
    run = Run(data.folder.parent / name, recipe, {"data": data, **parents}, code="test")
    run.start()
    return run


def carry_out(module, data, name, recipe, **parents):
    run = make(data, name, recipe, **parents)
    module.main(recipe, run)
    return run


def supervise(stage, rows, **values):
    inputs = {"data": "01-data", **values.pop("inputs", {})}
    return SupervisedRecipe(stage=stage, rows=rows, inputs=inputs, optimisation=values.pop("how", FAST), **values)
