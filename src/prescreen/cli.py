"""The verbs. Knows typer, the table of stages and how to talk to a person; the work is done elsewhere.

Everything heavy is imported inside the verb that needs it, so `--help` is instant.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prescreen import judging, keeping, releasing, reporting, serving, storing, watching
from prescreen.errors import PrescreenError

if TYPE_CHECKING:
    from prescreen.pipeline import Outcome

STAGES: dict[str, str] = {
    "records": "prescreen.records.build:RecordsRecipe",
    "data": "prescreen.data.build:DataRecipe",
    "feedback": "prescreen.monitor.feedback.build:FeedbackRecipe",
    "corpus": "prescreen.data.corpus:CorpusRecipe",
    "pretrain": "prescreen.train.supervised:SupervisedRecipe",
    "cpt": "prescreen.train.supervised:SupervisedRecipe",
    "sft": "prescreen.train.supervised:SupervisedRecipe",
    "instruct": "prescreen.train.supervised:SupervisedRecipe",
    "dpo": "prescreen.train.preference:PreferenceRecipe",
    "export": "prescreen.train.export:ExportRecipe",
    "evals": "prescreen.evals.suite:EvalsRecipe",
    "gate": "prescreen.evals.gate:GateRecipe",
}

# Before torch loads: threads spin a moment, then sleep (never or always spinning costs time); no network is used.
ENVIRONMENT = {
    "GOMP_SPINCOUNT": "20000",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
RunsFolder = Annotated[Path, typer.Option("--runs", help="Where runs are kept.")]
ReleasesFolder = Annotated[Path, typer.Option("--releases", help="Where releases are kept.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings, e.g. sft.seed=1.")]


@app.callback()
def describe(context: typer.Context) -> None:
    """Tune, evaluate and gate a clinic's own triage assistant, on its own hardware."""
    context.obj = STAGES


@app.command()
def doctor(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[RECIPE_OR_FOLDER]", help="Recipes whose memory and time to estimate."),
    ] = None,
    overrides: Overrides = None,
    model: Annotated[Path | None, typer.Option(help="A gpt-oss folder to look at.")] = None,
    hashes: Annotated[bool, typer.Option("--hash", help="Also compute the SHA-256 of its weights.")] = False,
    runs: RunsFolder = Path("runs"),
    parts: Annotated[bool, typer.Option("--parts", help="Show what each recipe's memory is for.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say what fits on this machine before anything starts; exit code 1 when something must be mended."""
    from prescreen.doctor import check_needs, examine, print_signs

    signs = examine(model, runs, hashes=hashes)
    if path is not None:
        from prescreen.pipeline import load_steps, parse_overrides

        steps = load_steps(path, STAGES, parse_overrides(overrides or []))
        signs += check_needs(steps, runs / name_of(path), parts=parts)
    print_signs(signs, as_json=as_json)
    if any(sign.state == "fault" for sign in signs):
        raise typer.Exit(1)


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(metavar="RECIPE_OR_FOLDER...", help="Recipes to validate.")],
) -> None:
    """Validate recipes without running them."""
    from prescreen.pipeline import check_inputs, load_steps

    for path in paths:
        steps = load_steps(path, STAGES)
        if path.is_dir():
            check_inputs(steps, path)
        print(f"{path}: {len(steps)} recipe{'s' if len(steps) > 1 else ''} fine")


@app.command()
def run(
    path: Annotated[Path, typer.Argument(metavar="RECIPE_OR_FOLDER", help="One recipe file or a folder of them.")],
    overrides: Overrides = None,
    runs: RunsFolder = Path("runs"),
    force: Annotated[bool, typer.Option("--force", help="Train even what is predicted not to fit.")] = False,
) -> None:
    """Run a recipe, or a folder of them in order; what is finished and unchanged is skipped."""
    from prescreen.pipeline import check_inputs, load_steps, parse_overrides, run_steps
    from prescreen.train import ranks as processes

    steps = load_steps(path, STAGES, parse_overrides(overrides or []))
    if path.is_dir():
        check_inputs(steps, path)
    if not force:
        from prescreen.doctor import refuse_oversized

        refuse_oversized(steps, runs / name_of(path))
    try:
        outcomes = run_steps(steps, runs / name_of(path), STAGES, say_progress)
    except KeyboardInterrupt:
        print("\nprescreen: interrupted; run again to resume", file=sys.stderr)
        raise typer.Exit(130) from None
    processes.part()
    if path.is_dir() and processes.is_first():
        from prescreen.summary import print_summary

        print_summary(outcomes, path / "sample.json")


def name_of(path: Path) -> str:
    """What runs of a recipe or folder are filed under: the folder's name."""
    return (path if path.is_dir() else path.parent).resolve().name


def say_progress(name: str, outcome: "Outcome | None") -> None:
    """One line when a stage begins and one when it is done."""
    from rich import print as rich_print

    if outcome is None:
        rich_print(f"[bold]{name:<14}[/] running ...")
    elif outcome.skipped:
        rich_print(f"[bold]{name:<14}[/] unchanged, skipped")
    else:
        rich_print(f"[bold]{name:<14}[/] done in {outcome.seconds:.1f} s")


@app.command()
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a folder of runs.")],
) -> None:
    """Show a finished run: inputs, outputs, figures; a changed output is an error."""
    from prescreen.pipeline import open_run
    from prescreen.summary import print_run, print_runs

    if run.is_dir() and not (run / "started.json").exists():
        print_runs(run)
    else:
        print_run(open_run(run, STAGES))


@app.command()
def draft(
    case: Annotated[Path, typer.Argument(metavar="CASE.json", help="One case, or an entry of its schema.")],
    model: Annotated[str, typer.Option(help="A training run or model folder; `twin` is the tiny base.")] = "twin",
    rules_only: Annotated[bool, typer.Option("--rules-only", help="Draft by the rules alone.")] = False,
) -> None:
    """Draft the preliminary report for one case and print it; it is a draft for a nurse."""
    from prescreen.drafting import draft_case, read_case

    print(draft_case(read_case(case), None if rules_only else model).model_dump_json(indent=2))


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder with a serve.yaml.")],
    host: Annotated[str, typer.Option(help="Where to listen; beyond this machine behind TLS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8080,
    data: Annotated[Path, typer.Option(help="The clinic's folder, database and keys in it.")] = Path("clinic"),
    keys: Annotated[Path | None, typer.Option(help="The keys' folder, best on another medium.")] = None,
) -> None:
    """Serve the clinic: patients answer, nurses review and sign, the record gets what was signed."""
    from prescreen.service.running import run_service

    run_service(folder, STAGES, host=host, port=port, data=data, keys=keys)


app.command("eval")(judging.evaluate)
app.command()(judging.plan)
app.command()(judging.dossier)
app.command()(releasing.promote)
app.command()(releasing.update)
app.add_typer(releasing.release, name="release")
app.command()(watching.simulate)
app.command()(watching.sheet)
app.command()(watching.accept)
app.add_typer(judging.bank, name="bank")
app.add_typer(keeping.records, name="records")
app.add_typer(storing.store, name="store")
app.add_typer(serving.user, name="user")
app.add_typer(serving.audit, name="audit")
app.add_typer(watching.outcomes, name="outcomes")
app.add_typer(reporting.incident, name="incident")


@app.command()
def trace(
    what: keeping.Traced,
    runs: RunsFolder = Path("runs"),
    releases: ReleasesFolder = Path("releases"),
) -> None:
    """Say where something comes from and what came of it: records, rows, models, releases."""
    keeping.trace(what, runs, releases, STAGES)


def main() -> None:
    """Entry point: a fault of the input is one sentence, never a traceback (PRESCREEN_DEBUG=1 shows it)."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        app()
    except (PrescreenError, OSError) as error:
        if os.environ.get("PRESCREEN_DEBUG") == "1":
            raise
        print(f"prescreen: {say_fault(error)}", file=sys.stderr)
        sys.exit(1)


def say_fault(error: PrescreenError | OSError) -> str:
    """One sentence for a person."""
    if isinstance(error, PrescreenError):
        return str(error)
    from prescreen.pipeline import is_disk_full

    if is_disk_full(error):
        return "the disk is full; free some space and run again"
    return f"{error.filename or 'a file'}: {error.strerror or error}; mend that and run again"


if __name__ == "__main__":
    main()
