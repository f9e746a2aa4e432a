"""A clinic's own labelled cases, or the project's bank, scored with any engine: predictions, metrics, one table.

Knows cases and an engine. Knows nothing about file formats or servers: the caller reads the file, makes the engine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prescreen.clinic.authored import Entry
from prescreen.clinic.case import Case
from prescreen.errors import InputError
from prescreen.evals import tasks as registry
from prescreen.evals.groups import score_groups
from prescreen.evals.held_out import BANK
from prescreen.evals.levels import ask_levels
from prescreen.evals.prediction import Prediction, record_draft, record_rules, write_predictions
from prescreen.evals.scoring import score_system
from prescreen.evals.table import print_metrics
from prescreen.progress import show_progress
from prescreen.run import write_json

if TYPE_CHECKING:
    from prescreen.model.engine import Engine

OWN = "own cases"


def score_cases(
    cases: Sequence[Case],
    engine: "Engine | None",
    rules_only: bool,
    out: Path,
    *,
    tasks: Sequence[str] = (),
    bank: Sequence[Entry] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Score the rules, and the engine unless `rules_only`; write `out`/predictions*.jsonl and metrics.json.

    Of the bank a model is asked the level alone, as in the suite `bank`. Cases without a label are answered and
    counted as unscored.
    """
    check_request(cases, engine, rules_only, tasks, bank)
    asked = None if rules_only else engine
    suite = BANK if bank else OWN
    cases = [entry.case for entry in bank] or cases
    systems = {"rules": [record_rules(case) for case in cases]} if cases else {}
    if asked is not None and cases:
        systems["model"] = ask_bank(cases, asked) if bank else draft_cases(cases, asked)
    metrics: dict[str, Any] = {"label": OWN, "model": asked.name if asked else "", "suites": {}}
    if cases:
        metrics["suites"][suite] = {
            "cases": len(cases),
            "labelled": sum(case.label is not None for case in cases),
            "systems": {name: score_system(cases, rows, seed=seed) for name, rows in systems.items()},
        }
    if bank:
        metrics["suites"][suite]["groups"] = score_groups(bank, systems, seed=seed)
    if asked is not None and tasks:
        found = {name: registry.TASKS[name].run(asked, seed) for name in tasks}
        done = {"model": registry.Done(systems.get("model", []), found)}
        metrics["tasks"] = registry.to_json(done)
        registry.write_items(out / "tasks", done)
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in systems.items():
        main_system = name == "model" or len(systems) == 1
        write_predictions(out / ("predictions.jsonl" if main_system else f"predictions-{name}.jsonl"), rows)
    write_json(out / "metrics.json", metrics)
    print_metrics(metrics)
    print_errors(systems.get("model", []))
    return metrics


def check_request(
    cases: Sequence[Case],
    engine: "Engine | None",
    rules_only: bool,
    tasks: Sequence[str],
    bank: Sequence[Entry],
) -> None:
    """InputError for a request that names nothing to ask or nobody to answer."""
    if cases and bank:
        raise InputError("own cases and the bank are scored apart; give --cases or --bank")
    if not cases and not bank and not tasks:
        raise InputError("there is no case in the file; give at least one")
    if engine is None and (not rules_only or tasks):
        raise InputError("there is no model to score; name a run or a weights folder, or pass --rules-only")
    check_tasks(tasks)


def check_tasks(tasks: Sequence[str]) -> None:
    """InputError naming the tasks there are."""
    for name in tasks:
        if name not in registry.TASKS:
            raise InputError(f"unknown task {name!r}; known: {', '.join(registry.TASKS) or 'none'}")


def draft_cases(cases: Sequence[Case], engine: "Engine") -> list[Prediction]:
    """The engine's drafts, with a progress bar."""
    from prescreen.model.draft import draft_reports

    with show_progress(f"drafting: {engine.name}", len(cases)) as advance:
        drafts = draft_reports(engine, cases, advance)
    return [record_draft(case, drafted) for case, drafted in zip(cases, drafts, strict=True)]


def ask_bank(cases: Sequence[Case], engine: "Engine") -> list[Prediction]:
    """The engine's levels, with a progress bar."""
    with show_progress(f"levels: {engine.name}", len(cases)) as advance:
        return ask_levels(engine, cases, advance)


def print_errors(rows: Sequence[Prediction]) -> None:
    """One line where the model crashed or could not be reached: such cases are in every denominator."""
    errors = [row.error for row in rows if row.error]
    if errors:
        print(f"{len(errors)} of {len(rows)} cases errored and count as failures; the first: {errors[0]}")
