"""A bad candidate on purpose: trained on the last corrections turned round, so that it prefers what nurses refused.

Knows runs and recipes. What must stop it is the gate, or the trial in shadow.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from prescreen.monitor.life import note_hold, propose
from prescreen.monitor.shelf import Shelf
from prescreen.monitor.update import Place, pin
from prescreen.pipeline import load_steps, open_run, run_steps
from prescreen.release import Release
from prescreen.run import Run, read_jsonl, write_lines
from prescreen.store.base import Who

PAIRS = "train/preference.jsonl"
HARSH = {"dpo.optimisation.learning_rate": "0.002"}


class Tried(NamedTuple):
    """How a bad candidate fared at the gate: what held it, nothing where it went on to shadow."""

    reasons: tuple[str, ...]
    folder: Path


def try_reversed(shelf: Shelf, place: Place, champion: Release, learned: Path, who: Who) -> Tried:
    """Train on reversed pairs alone from the champion, evaluate, ask the gate; propose it only where it says so."""
    folder = place.runs.parent / "reversed"
    shutil.copytree(learned.parent / "00-data", folder / "00-data")
    reverse(open_run(learned, shelf.stages), folder / learned.name)
    steps = pin(load_steps(place.recipes, shelf.stages, place.overrides | HARSH), champion, shelf)
    pairs = next(step for step in steps if step.recipe.stage == "dpo")
    alone = pairs.recipe.model_copy(update={"base": champion.model, "inputs": {"data": learned.name}})
    judged = [step for step in steps if step.recipe.stage in ("evals", "gate")]
    run_steps([replace(pairs, recipe=alone), *judged], folder, shelf.stages)
    gate = folder / steps[-1].name
    verdict = json.loads((gate / "gate.json").read_text(encoding="utf-8"))
    if verdict["verdict"] == "promote":
        propose(shelf, gate, who)
        return Tried((), folder)
    note_hold(shelf, gate, who, verdict["reasons"])
    return Tried(tuple(verdict["reasons"]), folder)


def reverse(learned: Run, folder: Path) -> None:
    """The same run with chosen and rejected changed about, finished like any other."""
    made = Run(folder, learned.recipe, learned.inputs, learned.code)
    made.start()
    for name in learned.manifest["outputs"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(learned.folder / name, folder / name)
    with write_lines(folder / PAIRS) as handle:
        for row in read_jsonl(learned.folder / PAIRS):
            turned = row | {"chosen": row["rejected"], "rejected": row["chosen"]}
            handle.write(json.dumps(turned, ensure_ascii=False) + "\n")
    made.finish([folder / name for name in learned.manifest["outputs"]], learned.metrics)
