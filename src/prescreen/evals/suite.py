"""Stage "evals": every comparator and every trained stage on the same held-out cases, in one table.

Reads the data run's test suites and the model runs it is given; writes predictions, metrics.json and
report.html. Knows no training. Numbers of a tiny model are labelled plumbing wherever they appear.
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveInt, field_validator

from prescreen.clinic.case import Case
from prescreen.config import Recipe
from prescreen.evals import tasks
from prescreen.evals.bank import read_bank
from prescreen.evals.baselines import Fitted, predict_baselines
from prescreen.evals.drafting import Advance, Cache, draft_suite, hash_run_weights, hash_weights
from prescreen.evals.glossary import SYSTEMS
from prescreen.evals.groups import score_groups
from prescreen.evals.held_out import BANK, Suites, load_cases
from prescreen.evals.memorisation import find_taught
from prescreen.evals.page import write_page
from prescreen.evals.parallel import Job, draft_ahead, open_pool
from prescreen.evals.prediction import Prediction, write_predictions
from prescreen.evals.public_sets import public_files
from prescreen.evals.scoring import compare_systems, score_system
from prescreen.evals.table import print_metrics
from prescreen.evals.task import Taught
from prescreen.model.files import locate_model
from prescreen.progress import show_progress
from prescreen.run import Run, write_json

if TYPE_CHECKING:
    from prescreen.model.draft import Drafted
    from prescreen.model.engine import Engine

Load = Callable[[str], "Engine"]
Predictions = dict[str, dict[str, list[Prediction]]]
ORDER = ("base", "cpt", "sft", "instruct", "dpo")


class EvalsRecipe(Recipe):
    """Which suites and models are compared, and how the models are asked.

    inputs: `data`, then any of base, cpt, sft, instruct, dpo; other names are taken as further models.
    A base model usually has no run of its own: `weights: {base: twin}`.
    """

    stage: Literal["evals"]
    label: Literal["plumbing", "candidate"] = Field(description="plumbing: a tiny model, no clinical meaning")
    suites: tuple[str, ...] = Field(
        min_length=1, description="test suites of the data run, and `bank`, the project's own cases"
    )
    clinic_bank: Path | None = Field(
        None, description="folder of the clinic's own cases, made of its incidents: the suite `clinic_bank`"
    )
    tasks: tuple[str, ...] = Field(
        (), description="what models are put to beside the suites, as docs/metrics.md lists"
    )
    data_root: Path | None = Field(None, description="folder of the public sets tasks may use; none: skipped")
    train_cases: str = Field("train/cases.jsonl", description="the data run's file that comparators learn from")
    weights: dict[str, str] = Field({}, description="systems that are no run: name to model folder, or twin")
    max_cases: PositiveInt | None = Field(None, description="sample at most so many cases of each suite")
    batch_size: PositiveInt = Field(32, description="cases drafted at once; only speed depends on it")
    workers: PositiveInt = Field(1, description="models drafted at once, a process each; for small models on a CPU")
    thinking: PositiveInt = Field(96, description="tokens a model may think before it must write the report")

    @field_validator("tasks")
    @classmethod
    def _tasks_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in tasks.TASKS:
                raise ValueError(f"unknown task {name!r}; known: {', '.join(tasks.TASKS)}")
        return names

    def external(self) -> list[Path]:
        bank = [] if self.clinic_bank is None else [self.clinic_bank]
        return [*(locate_model(where) for where in self.weights.values()), *public_files(self.data_root), *bank]


def main(recipe: EvalsRecipe, run: Run) -> None:
    """The stage with in-process engines, several models at once where the recipe says so."""
    from prescreen.model.engine import load_engine

    def load(folder: str) -> "Engine":
        return load_engine(folder, batch_size=recipe.batch_size, thinking=recipe.thinking)

    with open_pool(recipe.workers) as pool:
        evaluate(recipe, run, load, pool)


def evaluate(recipe: EvalsRecipe, run: Run, load: Load, pool: Executor | None = None) -> None:
    """Draft, score, write, print. `load` makes an engine of a model's folder, and is asked only when needed.

    A pool is asked for everything at once; what needs no model is worked out meanwhile.
    """
    data = run.inputs["data"]
    suites, train = load_cases(recipe, data.folder)
    models = find_models(recipe, run)
    cache = run.folder.parent / "cache"
    drafted_suites = {name: cases for name, cases in suites.items() if name != BANK}
    finish_drafts = draft_ahead(list_jobs(recipe, models, drafted_suites, cache), pool)
    taught = {system: find_taught(data, run.inputs.get(system)) for system in models}
    works = list_works(recipe, models, suites.get(BANK, []), cache, taught)
    finish_tasks = tasks.start_all(works, pool, load)
    fitted: Fitted = {}
    predictions: Predictions = {
        suite: predict_baselines(cases, train, seed=recipe.seed, fitted=fitted) for suite, cases in suites.items()
    }
    finish_drafts()
    for system, model in models.items():
        memory = Cache(cache, model["weights"], {"thinking": recipe.thinking})
        title = SYSTEMS.get(system, system)
        for suite, rows in draft_model(title, model["folder"], drafted_suites, memory, load).items():
            predictions[suite][system] = rows
    done = finish_tasks()
    if BANK in suites:
        predictions[BANK] |= {system: answers.levels for system, answers in done.items()}
    tasks.write_items(run.folder / "tasks", done)
    metrics = score_all(recipe, suites, predictions)
    metrics |= {"tasks": tasks.to_json(done), "data": data.name, "models": models}
    metrics["perplexity"] = read_perplexity(run)
    for suite, by_system in predictions.items():
        for system, rows in by_system.items():
            write_predictions(run.folder / "predictions" / suite / f"{system}.jsonl", rows)
    write_json(run.folder / "metrics.json", metrics)
    page = write_page(run.folder)
    print_metrics(metrics)
    outputs = [run.folder / "predictions", run.folder / "metrics.json", page]
    outputs += [run.folder / "tasks"] if metrics["tasks"] else []
    run.finish(outputs, {"label": recipe.label, "table": summarise(metrics), "report": page.name})


def list_jobs(recipe: EvalsRecipe, models: dict[str, dict[str, str]], suites: Suites, cache: Path) -> list[Job]:
    """What each model is to draft."""
    cases = [case.model_dump_json() for found in suites.values() for case in found]
    about = cache, {"thinking": recipe.thinking}, recipe.batch_size, cases
    return [Job(model["folder"], model["weights"], *about) for model in models.values()]


def list_works(
    recipe: EvalsRecipe,
    models: dict[str, dict[str, str]],
    bank: Sequence[Case],
    cache: Path,
    taught: Mapping[str, Taught],
) -> list[tasks.Work]:
    """The bank's levels and the tasks of every model; none where the recipe asks for neither."""
    if not bank and not recipe.tasks:
        return []
    texts = tuple(case.model_dump_json() for case in bank)
    settings = {"thinking": recipe.thinking}
    return [
        tasks.Work(
            system,
            model["folder"],
            model["weights"],
            cache,
            settings,
            recipe.batch_size,
            recipe.seed,
            texts,
            recipe.tasks,
            recipe.data_root,
            taught[system],
        )
        for system, model in models.items()
    ]


def read_perplexity(run: Run) -> dict[str, dict[str, float]]:
    """What the training stages measured on held-out text; the base is what the first of them started from."""
    measured = {name: parent.metrics for name, parent in run.inputs.items() if parent.metrics.get("perplexity")}
    first = next(iter(measured.values()), {})
    base = {"base": first["perplexity_before"]} if first and "base" not in measured else {}
    return base | {name: metrics["perplexity"] for name, metrics in measured.items()}


def find_models(recipe: EvalsRecipe, run: Run) -> dict[str, dict[str, str]]:
    """Model systems in table order, each with its folder and the hash of its weights."""
    found = {
        name: {"run": parent.name, "folder": str(parent.folder), "weights": hash_run_weights(parent)}
        for name, parent in run.inputs.items()
        if name != "data"
    }
    for name, where in recipe.weights.items():
        found[name] = {"run": "", "folder": where, "weights": hash_weights(where)}
    ranks = {name: rank for rank, name in enumerate(ORDER)}
    return {name: found[name] for name in sorted(found, key=lambda n: ranks.get(n, len(ranks)))}


def draft_model(title: str, folder: str, suites: Suites, memory: Cache, load: Load) -> dict[str, list[Prediction]]:
    """One model's predictions on every suite. The engine is loaded only when a draft is not remembered."""
    from prescreen.model.draft import draft_reports

    engines: list[Engine] = []

    def draw(cases: Sequence[Case], advance: Advance) -> "list[Drafted]":
        if not engines:
            engines.append(load(folder))
        return draft_reports(engines[0], cases, advance)

    with show_progress(f"drafting: {title}", sum(map(len, suites.values()))) as advance:
        drafted = {suite: draft_suite(cases, draw, memory, advance) for suite, cases in suites.items()}
    if engines:
        engines.clear()
        gc.collect()  # one model in memory at a time
    return drafted


def score_all(recipe: EvalsRecipe, suites: Suites, predictions: Predictions) -> dict[str, Any]:
    """metrics.json: all figures of all systems, and each trained stage against the base model."""
    scored: dict[str, Any] = {}
    for suite, cases in suites.items():
        by_system = predictions[suite]
        against = "base" if "base" in by_system else "majority"
        scored[suite] = {
            "cases": len(cases),
            "labelled": sum(case.label is not None for case in cases),
            "systems": {name: score_system(cases, rows, seed=recipe.seed) for name, rows in by_system.items()},
            "compared_with": against,
            "paired": {
                name: compare_systems(rows, by_system[against], "alone", seed=recipe.seed)
                for name, rows in by_system.items()
                if name in ORDER and name != against and against in by_system
            },
        }
    if BANK in suites:
        scored[BANK]["groups"] = score_groups(read_bank(), predictions[BANK], seed=recipe.seed)
    skipped = [name for name in recipe.suites if name not in suites]
    return {"label": recipe.label, "suites": scored, "skipped": skipped}


def summarise(metrics: dict[str, Any]) -> dict[str, Any]:
    """The figures worth a line in the manifest: per suite and system, as served and alone."""
    names = ("exact", "in_range", "qwk", "under_triage", "over_triage", "missed_emergencies")
    return {
        suite: {
            system: {
                view: {name: scores[view][name]["value"] for name in names} | {"n": scores[view]["exact"]["n"]}
                for view in ("alone", "served")
                if view in scores
            }
            for system, scores in suite_scores["systems"].items()
        }
        for suite, suite_scores in metrics["suites"].items()
    }
