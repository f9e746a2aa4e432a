"""What a person sees when a folder has run, or when they ask for a run: tables, verdict, pages, a draft.

Knows what the stages leave behind. Computes nothing itself.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from prescreen.config import digest
from prescreen.errors import PrescreenError
from prescreen.run import MANIFEST, Run, hash_file, write_json

if TYPE_CHECKING:
    from prescreen.pipeline import Outcome

TRAINED = ("pretrain", "cpt", "sft", "instruct", "dpo")


def print_summary(outcomes: Sequence["Outcome"], sample: Path, console: Console | None = None) -> None:
    """The end of a folder run: what was measured, the verdict, where to read on, and one drafted report."""
    console = console or Console()
    for outcome in outcomes:
        if outcome.skipped:  # a stage that just ran has already shown its own
            print_result(outcome.run, console)
    if sample.exists() and (model := find_model([outcome.run for outcome in outcomes])) is not None:
        console.print(f"\n[bold]drafted report for {sample.name}[/] ({model.name}); a draft for a nurse")
        console.print_json(json.dumps(draft_sample(sample, model)), indent=2)
    pages = [outcome.run.folder / page for outcome in outcomes for page in html_pages(outcome.run)]
    if pages:  # the last one knows most: the gate's page holds the verdict too
        console.print(f"read on: {pages[-1]}", soft_wrap=True)
    if (sample.parent / "serve.yaml").exists():
        console.print(f"see it at work, with invented patients: prescreen serve {sample.parent}", soft_wrap=True)


def draft_sample(sample: Path, model: Run) -> dict[str, Any]:
    """The sample's report, kept beside the runs so that an unchanged folder need not load its model."""
    kept = model.folder.parent / "sample-report.json"
    key = digest([hash_file(sample), model.manifest["fingerprint"], model.manifest["outputs"]])
    if kept.exists() and (known := read_json(kept))["key"] == key:
        return dict(known["report"])
    from prescreen.drafting import draft_case, read_case

    report = draft_case(read_case(sample), model.folder).model_dump(mode="json")
    write_json(kept, {"key": key, "report": report})
    return report


def find_model(runs: Sequence[Run]) -> Run | None:
    """The last trained model of a folder."""
    return next((run for run in reversed(runs) if run.recipe.stage in TRAINED), None)


def html_pages(run: Run) -> list[str]:
    return [name for name in run.manifest["outputs"] if name.endswith(".html")]


def print_result(run: Run, console: Console) -> bool:
    """The comparison table of an evals run or the verdict of a gate; False when the run is neither."""
    if run.recipe.stage == "evals":
        from prescreen.evals.table import print_metrics

        print_metrics(read_json(run.folder / "metrics.json"), console)
    elif run.recipe.stage == "gate":
        from prescreen.evals.gate import print_verdict

        print_verdict(read_json(run.folder / "gate.json"))
    else:
        return False
    return True


def read_json(path: Path) -> dict[str, Any]:
    """A document a stage left behind."""
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def print_run(run: Run, console: Console | None = None) -> None:
    """Everything about one finished run; RunError when its files are not what the manifest says."""
    console = console or Console()
    manifest = run.manifest
    table = Table(title=str(run.folder), title_justify="left", show_header=False)
    table.add_row("stage", manifest["stage"])
    table.add_row("finished", f"{manifest['finished']}, after {manifest['seconds']} s")
    table.add_row("inputs", ", ".join(f"{name} = {parent['run']}" for name, parent in manifest["inputs"].items()))
    table.add_row("outputs", "\n".join(f"{sha[:12]}  {name}" for name, sha in manifest["outputs"].items()))
    table.add_row("versions", ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()))
    console.print(table)
    if not print_result(run.whole(), console):
        console.print_json(json.dumps(manifest["metrics"], default=str), indent=2)


def print_runs(folder: Path, console: Console | None = None) -> None:
    """One line per run of a folder of runs."""
    console = console or Console()
    table = Table(title=str(folder), title_justify="left")
    for column in ("run", "stage", "finished", "seconds"):
        table.add_column(column)
    found = sorted(path for path in folder.iterdir() if (path / "started.json").exists())
    if not found:
        raise PrescreenError(f"{folder}: holds no runs")
    for path in found:
        if (path / MANIFEST).exists():
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            table.add_row(path.name, manifest["stage"], manifest["finished"], str(manifest["seconds"]))
        else:
            table.add_row(path.name, "", "not finished", "")
    console.print(table)
