"""Stages of an update that train nothing: they write the files the next one reads, in a blink."""

import datetime
import json
from pathlib import Path
from typing import Any, Literal

import yaml

from prescreen.config import Recipe
from prescreen.evals.drafting import hash_run_weights
from prescreen.evals.gate import GateRecipe as RealGate
from prescreen.evals.suite import EvalsRecipe as RealEvals
from prescreen.run import Run, write_json
from prescreen.train.preference import PreferenceRecipe
from prescreen.train.supervised import SupervisedRecipe
from small_release import CHECK

HERE = "monitor.small_update"
STAGES = {
    "data": f"{HERE}:PlainRecipe", "feedback": f"{HERE}:BatchRecipe", "sft": f"{HERE}:SftRecipe",
    "instruct": f"{HERE}:PlainRecipe",
    "dpo": f"{HERE}:DpoRecipe", "evals": f"{HERE}:EvalsRecipe", "gate": f"{HERE}:GateRecipe",
}  # fmt: skip
EXPIRES = datetime.date(2028, 1, 1)
CHECKS = [CHECK.model_dump(mode="json")]
RECIPES: dict[str, dict[str, Any]] = {
    "00-data": {"stage": "data"},
    "01-feedback": {"stage": "feedback", "pairs": 50, "inputs": {"replay": "00-data"}},
    "01-sft": {"stage": "sft", "base": "champion", "rows": "sft", "inputs": {"data": "01-feedback"},
               "optimisation": {"learning_rate": 1e-4}},
    "02-dpo": {"stage": "dpo", "base": "champion", "inputs": {"data": "01-feedback"},
               "optimisation": {"learning_rate": 1e-4}},
    "03-evals": {"stage": "evals", "label": "plumbing", "suites": ["template"],
                 "inputs": {"data": "00-data", "dpo": "02-dpo"}},
    "04-gate": {"stage": "gate", "inputs": {"evals": "03-evals"}, "champion": "champion", "checks": CHECKS},
}  # fmt: skip


class PlainRecipe(Recipe):
    """Writes a line."""


class BatchRecipe(Recipe):
    """So many pairs, or a batch stopped by name."""

    pairs: int
    replay_share: float = 0.3
    word: str = "a"
    stopped: str = ""


class DpoRecipe(PreferenceRecipe):
    """The real settings; `base_after` moves the adapter to another base, as no update may."""

    base_after: str = "twin"


class SftRecipe(SupervisedRecipe):
    """The real settings."""


class EvalsRecipe(RealEvals):
    """The real settings."""


class GateRecipe(RealGate):
    """The real settings, and the verdict they come to."""

    verdict: Literal["promote", "hold"] = "promote"


def main(recipe: Any, run: Run) -> None:
    """What each stage writes."""
    acts = {"feedback": _batch, "sft": _train, "dpo": _train, "evals": _judge, "gate": _decide}
    acts.get(recipe.stage, _plain)(recipe, run)


def _plain(_recipe: Any, run: Run) -> None:
    (run.folder / "rows.jsonl").write_text("{}\n")
    run.finish([run.folder / "rows.jsonl"], {})


def _batch(recipe: BatchRecipe, run: Run) -> None:
    from prescreen.monitor.feedback.stops import Stop, refuse

    if recipe.stopped:
        refuse([Stop(recipe.stopped, 3, 80, 2, ("a", "b", "c"), "rows")], run.folder)
    (run.folder / "train").mkdir()
    rows = "".join(json.dumps({"id": f"{recipe.word}{n}"}) + "\n" for n in range(recipe.pairs))
    (run.folder / "train" / "preference.jsonl").write_text(rows)
    run.finish([run.folder / "train"], {"replay_share": recipe.replay_share})


def _train(recipe: Any, run: Run) -> None:
    adapter = run.folder / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    data = run.inputs["data"].folder / "train" / "preference.jsonl"
    (adapter / "adapter_model.safetensors").write_text(
        data.read_text() if data.exists() else run.folder.parent.name
    )
    write_json(run.folder / "base.json", {"base": getattr(recipe, "base_after", "twin")})
    run.finish([adapter, run.folder / "base.json"], {})


def _judge(_recipe: RealEvals, run: Run) -> None:
    (run.folder / "metrics.json").write_text("{}")
    run.finish([run.folder / "metrics.json"], {})


def _decide(recipe: GateRecipe, run: Run) -> None:
    held = ["At most 2 in 100 are missed."] if recipe.verdict == "hold" else []
    told = {
        "verdict": recipe.verdict, "candidate": recipe.candidate, "reasons": held, "serves": "demonstration only",
        "weights": hash_run_weights(run.inputs["evals"].inputs[recipe.candidate]), "expires": EXPIRES.isoformat(),
    }  # fmt: skip
    write_json(run.folder / "gate.json", told)
    run.finish([run.folder / "gate.json"], {})


def write_recipes(folder: Path, limits: dict[str, Any], **changes: dict[str, Any] | None) -> Path:
    """A folder of recipes with limits; `dpo={"beta": 2}` changes one, None leaves it out, as `sft` is by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in RECIPES.items():
        change = changes.get(name[3:], None if name == "01-sft" else {})
        (folder / f"{name}.yaml").unlink(missing_ok=True)
        if change is not None:
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(values | change))
    (folder / "limits.yaml").write_text(yaml.safe_dump(limits or {"change": {}}))
    return folder
