"""One update: recipes within the limits are run, the gate decides, the candidate is proposed and tried.

The folder holds limits.yaml and recipes: data, feedback, training that continues the champion (pairs, or finals and
then pairs), evals, gate. Each update has a run folder of its own, for what serves names its runs. Knows no page and
no SQL.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from prescreen.clinic.contact import Contact
from prescreen.errors import GuardError, PrescreenError, RefusedError
from prescreen.evals.drafting import hash_weights
from prescreen.monitor.advance import advance, find_champion
from prescreen.monitor.changes import Limits, find_batch_breaches, find_breaches, find_weaker, read_limits
from prescreen.monitor.feedback.stops import FILE as STOPPED
from prescreen.monitor.feedback.stops import read_stops
from prescreen.monitor.life import note_hold, propose
from prescreen.monitor.shelf import Shelf, read_state
from prescreen.pipeline import Outcome, Step, check_inputs, load_steps, open_run, run_steps
from prescreen.release import Release, hash_base
from prescreen.run import MANIFEST, Run, hash_file, read_jsonl, write_json
from prescreen.store.base import Who

CHAMPION: Final = "champion"  # what a recipe writes where the release's own folder or evals belong
WAITING: Final = "too_few"  # the one stop that time mends by itself
TRAINS: Final = (["dpo"], ["sft", "dpo"])  # what may follow each other
ALLOWED: Final = ("data", "records", "feedback", "sft", "dpo", "evals", "gate")
Report = Callable[[str, Outcome | None], None]


class Place(NamedTuple):
    """Where an update lives: its recipes, the folder of all its runs, what is overridden."""

    recipes: Path
    runs: Path
    overrides: dict[str, str] = {}


def update(place: Place, shelf: Shelf, contacts: Sequence[Contact], who: Who, report: Report) -> str:
    """Go as far as may be gone now; the sentence says where it stands and what is missing."""
    if read_state(shelf.ledger.read()).candidate:
        return advance(shelf, contacts, who).sentence
    limits = read_limits(place.recipes)
    champion = find_champion(shelf)
    if champion is None:
        raise RefusedError("no release serves; the first is made by `prescreen promote GATE --data CLINIC`")
    folder = next_folder(place.runs)
    steps = pin(load_steps(place.recipes, shelf.stages, place.overrides), champion, shelf)
    check_inputs(steps, place.recipes)
    if breaches := list(find_all_breaches(limits, steps, champion, shelf)):
        raise GuardError(f"{place.recipes}: outside the limits: {'; '.join(breaches)}")
    learned = prepare(steps, folder, shelf, who, report)
    if isinstance(learned, str):
        return learned
    if told := judge_batch(learned, limits, place.runs, folder):
        return told
    run_steps(steps, folder, shelf.stages, report)
    gate = folder / steps[-1].name
    verdict = json.loads((gate / "gate.json").read_text(encoding="utf-8"))
    if verdict["verdict"] != "promote":
        note_hold(shelf, gate, who, verdict["reasons"])
        return f"the gate holds {verdict['candidate']}: {' '.join(verdict['reasons'])}"
    if hash_base(verdict_model(gate, shelf)) != (champion.base or hash_weights(champion.model)):
        raise GuardError("the candidate sits on another base than the champion; an update never changes the base")
    propose(shelf, gate, who, limits)
    return advance(shelf, contacts, who).sentence


def prepare(steps: Sequence[Step], folder: Path, shelf: Shelf, who: Who, report: Report) -> Run | str:
    """Run what stands before the training. A batch that only has too few corrections waits, in a sentence; one
    stopped by name is a line of the ledger, its record is kept, and it is an error."""
    training = find_training(steps)[0]
    before = list(steps[: steps.index(training)])
    batch = folder / training.recipe.inputs["data"]
    (batch / STOPPED).unlink(missing_ok=True)
    try:
        outcomes = run_steps(before, folder, shelf.stages, report)
    except PrescreenError as error:
        stops = read_stops(batch)
        if [stop["name"] for stop in stops] == [WAITING]:
            return f"waits for corrections: {stops[0]['count']} of {stops[0]['limit']:g}"
        why = ", ".join(f"{stop['name']} {stop['count']} of {stop['of']}" for stop in stops)
        line = shelf.ledger.append("held", who, "", gate=folder.name, why=why or type(error).__name__)
        if stops:
            (folder.parent / "stopped").mkdir(exist_ok=True)
            write_json(folder.parent / "stopped" / f"{line.number:06d}.json", stops)
        raise
    return next(outcome.run for outcome in outcomes if outcome.run.name == training.recipe.inputs["data"])


def judge_batch(learned: Run, limits: Limits, runs: Path, folder: Path) -> str:
    """Why not to train on this batch: too few yet, or nothing new; GuardError where it is outside the limits."""
    path = learned.folder / "train" / "preference.jsonl"
    pairs = sum(1 for _ in read_jsonl(path)) if path.exists() else 0
    if pairs < limits.change.pairs.least:
        return f"waits for corrections: {pairs} of {limits.change.pairs.least:g}"
    replay = learned.metrics.get("replay_share")
    if breaches := list(find_batch_breaches(limits, pairs, replay)):
        raise GuardError(f"{learned.folder}: outside the limits: {'; '.join(breaches)}")
    own = hash_file(path)
    for other in finished_folders(runs):
        earlier = other / learned.name / "train" / "preference.jsonl"
        if other != folder and earlier.exists() and hash_file(earlier) == own:
            return f"nothing was learned since update {other.name}"
    return ""


def pin(steps: Sequence[Step], champion: Release, shelf: Shelf) -> list[Step]:
    """What the recipes leave open: the model to continue, the evals to be compared with."""
    evals = open_run(Path(champion.gate), shelf.stages).inputs["evals"]
    against = {"champion": evals.folder, "champion_system": champion.candidate}
    found = []
    for step in steps:
        told = against if step.recipe.stage == "gate" else {}
        if getattr(step.recipe, "base", None) == CHAMPION:
            told = {"base": champion.model}
        found.append(replace(step, recipe=step.recipe.model_copy(update=told)))
    return found


def find_training(steps: Sequence[Step]) -> list[Step]:
    """The stages that train, in order."""
    return [step for step in steps if step.recipe.stage in ("sft", "dpo")]


def find_all_breaches(limits: Limits, steps: Sequence[Step], champion: Release, shelf: Shelf) -> list[str]:
    """Everything of the recipes that lies outside the limits, by name."""
    stages = [step.recipe.stage for step in steps]
    found = [f"stage {stage}: an update does not run it" for stage in stages if stage not in ALLOWED]
    training = find_training(steps)
    trains = [step.recipe.stage for step in training]
    if trains not in TRAINS or stages[-1:] != ["gate"] or stages.count("gate") != 1:
        return [*found, "an update has one dpo stage, at most one sft stage before it, and ends with one gate"]
    for number, step in enumerate(training):
        told = step.recipe.model_dump()
        found += find_breaches(limits, told, training_of(champion, shelf))
        parent = step.recipe.inputs.get("parent")
        if (told["base"], parent) != ((None, training[number - 1].name) if number else (champion.model, None)):
            found.append(f"{told['stage']}: an update continues the champion and nothing else")
    gate, judged = steps[-1].recipe, open_run(Path(champion.gate), shelf.stages)
    found += find_weaker(gate.checks, judged.recipe.checks)  # type: ignore[attr-defined]
    if str(gate.model_dump()["champion"]) != str(judged.inputs["evals"].folder):
        found.append("gate.champion: an update is compared with the release that serves")
    return found


def training_of(champion: Release, shelf: Shelf) -> dict[str, Any]:
    """The recipe the champion was trained by; nothing for weights that came without a run."""
    folder = Path(champion.model)
    return open_run(folder, shelf.stages).recipe.model_dump() if (folder / MANIFEST).exists() else {}


def verdict_model(gate: Path, shelf: Shelf) -> str:
    """The folder of the gate's candidate."""
    run = open_run(gate, shelf.stages)
    name = json.loads((gate / "gate.json").read_text(encoding="utf-8"))["candidate"]
    return str(run.inputs["evals"].inputs[name].folder)


def next_folder(runs: Path) -> Path:
    """The run folder to go on in: the last one where its gate has not spoken, else a new one."""
    numbers = sorted(path for path in runs.glob("[0-9]*") if re.fullmatch(r"\d{4}", path.name))
    if numbers and numbers[-1] not in finished_folders(runs):
        return numbers[-1]
    return runs / f"{len(numbers) + 1:04d}"


def finished_folders(runs: Path) -> list[Path]:
    """Updates whose gate has spoken."""
    return sorted({path.parent.parent for path in runs.glob("[0-9][0-9][0-9][0-9]/*/gate.json")})
