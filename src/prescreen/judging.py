"""The verbs by which a model is judged: eval, plan, bank, dossier. Knows typer; the work is done elsewhere.

Everything heavy is imported inside the verb that needs it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prescreen.errors import InputError

if TYPE_CHECKING:
    from prescreen.clinic.authored import Entry
    from prescreen.model.engine import Engine


def evaluate(
    model: Annotated[str | None, typer.Argument(metavar="[RUN_OR_MODEL]", help="What to score.")] = None,
    cases: Annotated[Path | None, typer.Option("--cases", help="A labelled file: JSON, JSONL or CSV.")] = None,
    bank: Annotated[bool, typer.Option("--bank", help="Score on the project's own case bank instead.")] = False,
    mapping: Annotated[Path | None, typer.Option(help="Which column of the file means what (YAML).")] = None,
    tasks: Annotated[str, typer.Option(help="Tasks to put the model to as well, separated by commas.")] = "",
    rules_only: Annotated[bool, typer.Option("--rules-only", help="Score the red-flag rules alone.")] = False,
    endpoint: Annotated[str | None, typer.Option(help="An OpenAI-compatible server to score instead.")] = None,
    model_name: Annotated[str | None, typer.Option("--model-name", help="The model's name there.")] = None,
    effort: Annotated[str, typer.Option(help="Reasoning effort to ask the server for, e.g. low.")] = "",
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds an answer may take.")] = 120.0,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Questions in flight at the server.")] = 4,
    out: Annotated[Path, typer.Option(help="Where predictions and metrics are written.")] = Path("runs/eval"),
) -> None:
    """Score a model, a server or the rules alone on a clinic's own labelled cases, the bank or tasks."""
    from prescreen.data.clinic_file import Columns, read_clinic_file
    from prescreen.evals.score import check_tasks, score_cases

    wanted = [name.strip() for name in tasks.split(",") if name.strip()]
    check_tasks(wanted)
    if cases is None and not bank and not wanted:
        raise InputError("there is nothing to score on; give --cases FILE, --bank or --tasks")
    entries = open_bank(None) if bank else ()
    found = read_clinic_file(cases, mapping or Columns(), gold=False) if cases else []
    engine: Engine | None = None
    if endpoint is not None or model_name is not None:
        if model is not None or rules_only or endpoint is None or model_name is None:
            raise InputError("--endpoint and --model-name go together, and with no other model")
        engine = open_endpoint(endpoint, model_name, effort, timeout_s, at_once)
    elif model is not None and not rules_only:
        from prescreen.model.engine import load_engine

        engine = load_engine(model)
    score_cases(found, engine, rules_only, out, tasks=wanted, bank=entries)
    print(f"predictions and metrics are in {out}")


def open_endpoint(url: str, name: str, effort: str, timeout_s: float, at_once: int) -> "Engine":
    """The server's engine, after a look whether it is there; the key comes from the environment."""
    from prescreen.model.endpoint import KEY, EndpointEngine

    engine = EndpointEngine(
        url, name, key=os.environ.get(KEY, ""), effort=effort, timeout_s=timeout_s, at_once=at_once
    )
    engine.check()
    print(f"the cases' text goes to {engine.url}")
    return engine


def plan(
    claim: Annotated[str, typer.Option(help='What is to be proved, e.g. "missed emergencies <= 1%".')],
) -> None:
    """Say how many cases a claim takes, before anybody collects them."""
    from prescreen.evals.planning import print_plan, read_claim

    print_plan(read_claim(claim))


bank = typer.Typer(no_args_is_help=True, help="The case bank and its review by clinicians.")
BankFolder = Annotated[Path | None, typer.Option("--bank", help="Another folder of cases than the project's.")]


@bank.command()
def export(
    sheet: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The sheet to write.")],
    blind: Annotated[bool, typer.Option("--blind", help="Leave the proposed level and its source out.")] = False,
    folder: BankFolder = None,
) -> None:
    """Write the bank as a sheet for a clinician to fill in."""
    from prescreen.evals.sheet import write_sheet

    if sheet.exists():
        raise InputError("is there already and may hold a review; name another file", file=sheet)
    entries = open_bank(folder)
    write_sheet(sheet, entries, blind=blind)
    print(f"{len(entries)} cases are in {sheet}; fill in reviewer_level and comment, and rename it to the reviewer")


@bank.command()
def read(
    sheets: Annotated[list[Path], typer.Argument(metavar="FILE.csv...", help="Returned sheets, one a reviewer.")],
    folder: BankFolder = None,
    out: Annotated[Path | None, typer.Option(help="Also write the review as JSON, for the dossier.")] = None,
) -> None:
    """Compare returned sheets with the bank and with each other."""
    from prescreen.evals.review import print_review, read_review
    from prescreen.run import write_json

    review = read_review(sheets, open_bank(folder))
    print_review(review)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, review.to_json())
        print(f"the review is in {out}")


def open_bank(folder: Path | None) -> "Sequence[Entry]":
    """The bank's cases; an empty bank is an error."""
    from prescreen.evals.bank import BANK, read_bank

    if not (entries := read_bank(folder or BANK)):
        raise InputError(f"{folder or BANK}: holds no cases")
    return entries


def dossier(
    runs: Annotated[Path, typer.Argument(metavar="RUNS_FOLDER", help="A folder of finished runs.")],
    out: Annotated[Path | None, typer.Option(help="Where it is written; RUNS_FOLDER/dossier.html without.")] = None,
    review: Annotated[Path | None, typer.Option(help="The review `bank read --out` wrote.")] = None,
    book: Annotated[Path | None, typer.Option(help="A folder with your own hazards.yaml and the rest.")] = None,
    incidents: Annotated[Path | None, typer.Option(help="The file `incident export` wrote, to be counted.")] = None,
) -> None:
    """Write the dossier for a compliance officer: cards, hazards, safety case, checklists, linked to the runs."""
    from prescreen.dossier.page import write_dossier
    from prescreen.dossier.records import FOLDER

    archive = write_dossier(runs, out, review=review, book=book or FOLDER, incidents=incidents)
    print(f"the dossier is {archive.out}; print it from a browser (A4, landscape)")
