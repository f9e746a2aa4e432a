"""A release of small runs: data, one training, evals and a gate that let it through."""

import datetime
import shutil
from pathlib import Path

from prescreen.config import Recipe
from prescreen.evals.drafting import hash_run_weights
from prescreen.evals.gate import GateRecipe
from prescreen.evals.suite import EvalsRecipe
from prescreen.evals.threshold import Check
from prescreen.release import Release, promote
from prescreen.run import Run, write_json
from small_runs import DataRecipe

STAGES = {
    "data": "small_runs:DataRecipe",
    "dpo": "small_runs:DataRecipe",
    "evals": "prescreen.evals.suite:EvalsRecipe",
    "gate": "prescreen.evals.gate:GateRecipe",
}
CHECK = Check(say="Few misses.", suite="template", metric="missed_emergencies", at_most=0.02)


def finish(folder: Path, recipe: Recipe, inputs: dict[str, Run], write: str = "") -> Run:
    run = Run(folder, recipe, inputs)
    run.start()
    if write:
        (folder / write).write_text("{}\n")
    run.finish([path for path in folder.iterdir() if path.name in (write, "model")], {})
    return run


def release_model(root: Path, model: Path | None = None) -> Release:
    """Promote a training run under `root` that holds the files of `model`, or weights nobody can load."""
    runs, data_recipe = root / "runs", DataRecipe(stage="data")
    data = finish(runs / "01-data", data_recipe, {}, "rows.jsonl")
    if model:
        shutil.copytree(model, runs / "03-dpo" / "model")
    dpo = finish(
        runs / "03-dpo", DataRecipe(stage="dpo", inputs={"data": "01-data"}), {"data": data}, "weights.safetensors"
    )
    inputs = {"data": "01-data", "dpo": "03-dpo"}
    evals_recipe = EvalsRecipe(stage="evals", label="plumbing", suites=("template",), inputs=inputs)
    evals = finish(runs / "04-evals", evals_recipe, {"data": data, "dpo": dpo}, "metrics.json")
    gate_recipe = GateRecipe(stage="gate", checks=(CHECK,), inputs={"evals": "04-evals"})
    gate = Run(runs / "05-gate", gate_recipe, {"evals": evals})
    gate.start()
    expires = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=10)
    told = {
        "verdict": "promote", "candidate": "dpo", "reasons": [], "serves": "demonstration only",
        "weights": hash_run_weights(dpo), "expires": expires.isoformat(),
    }  # fmt: skip
    write_json(gate.folder / "gate.json", told)
    gate.finish([gate.folder / "gate.json"], {})
    return promote(gate.folder, root / "releases", STAGES)
