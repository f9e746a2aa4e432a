"""A clinic's own labelled cases, scored: predictions beside metrics, and one table.

Knows cases and an engine. Knows nothing about file formats: the caller reads the clinic's file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prescreen.clinic.case import Case
from prescreen.errors import InputError
from prescreen.evals.prediction import Prediction, record_draft, record_rules, write_predictions
from prescreen.evals.progress import show_progress
from prescreen.evals.scoring import score_system
from prescreen.evals.table import print_metrics
from prescreen.run import write_json

if TYPE_CHECKING:
    from prescreen.model.engine import Engine


def score_cases(cases: Sequence[Case], engine: "Engine | None", rules_only: bool, out: Path) -> dict[str, Any]:
    """Score the rules, and the engine unless `rules_only`; write `out`/predictions*.jsonl and metrics.json.

    Cases without a label are answered and counted as unscored.
    """
    if not cases:
        raise InputError("there is no case in the file; give at least one")
    if engine is None and not rules_only:
        raise InputError("there is no model to score; name a run or a weights folder, or pass --rules-only")
    systems = {"rules": [record_rules(case) for case in cases]}
    if engine is not None and not rules_only:
        systems["model"] = draft_cases(cases, engine)
    metrics: dict[str, Any] = {
        "label": "own cases",
        "suites": {
            "own cases": {
                "cases": len(cases),
                "labelled": sum(case.label is not None for case in cases),
                "systems": {name: score_system(cases, rows) for name, rows in systems.items()},
            }
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in systems.items():
        main_system = name == "model" or len(systems) == 1
        write_predictions(out / ("predictions.jsonl" if main_system else f"predictions-{name}.jsonl"), rows)
    write_json(out / "metrics.json", metrics)
    print_metrics(metrics)
    return metrics


def draft_cases(cases: Sequence[Case], engine: "Engine") -> list[Prediction]:
    """The engine's drafts, with a progress bar."""
    from prescreen.model.draft import draft_reports

    with show_progress(f"drafting: {engine.name}", len(cases)) as advance:
        drafts = draft_reports(engine, cases, advance)
    return [record_draft(case, drafted) for case, drafted in zip(cases, drafts, strict=True)]
