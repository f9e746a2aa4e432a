"""The verbs by which a clinic's records are kept: look, sign, sample, doubts, kappa, files, withdraw, trace.

Knows typer; the work is done elsewhere. Everything heavy is imported inside the verb that needs it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prescreen.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from prescreen.pipeline import Stages
    from prescreen.run import Run

records = typer.Typer(no_args_is_help=True, help="Look at a clinic's export, and keep what was made of it.")
_TRACED = "A row's id, a run, a file of one, a patient's code."
Traced = Annotated[str, typer.Argument(metavar="ROW|RUN|REPORT|PATIENT", help=_TRACED)]
VaultFolder = Annotated[Path, typer.Option("--vault", help="Folder of the sealed table.")]
KeyFile = Annotated[Path | None, typer.Option("--key", help="Its key file, where that lies elsewhere.")]


@records.command()
def look(
    source: Annotated[Path, typer.Argument(metavar="FILE_OR_FOLDER", help="The export.")],
    out: Annotated[Path | None, typer.Option(help="Write the guessed mapping of one table here.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Show what would be read, and for each table the guessed columns and ten rows. It prints patients' data."""
    from rich.console import Console
    from rich.table import Table

    from prescreen.records.folder import plan_folder
    from prescreen.records.look import list_units, look_at, write_mapping

    console = Console(highlight=False)
    plan = plan_folder(source)
    listed = Table("reader", "file or folder", "contacts", title=str(source))
    for line in list_units(plan):
        listed.add_row(*line)
    console.print(listed)
    tables = [unit for unit in plan.units if unit.kind == "table"]
    if out is not None and len(tables) != 1:
        raise InputError("--out takes the mapping of one table; name the table's file", file=source)
    for unit in tables:
        seen = look_at(unit)
        guessed = Table("our field", "column", "known by", title=f"{unit.name}: a guess for you to correct")
        for field in seen.mapping.columns:
            guessed.add_row(field, ", ".join(seen.mapping.of(field)), seen.why.get(field, ""))
        console.print(guessed)
        console.print(f"not used: {', '.join(seen.unused) or 'none'}; scale: {seen.mapping.scale or 'none'}")
        for number, row in enumerate(seen.rows, 1):
            said = "; ".join(f"{name}: {value}" for name, value in row.items())
            console.print(f"row {number}  {said}", markup=False)
        if out is not None and (yes or typer.confirm(f"Write this mapping to {out}?")):
            write_mapping(seen.mapping, out)


@records.command()
def sign(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The import, e.g. runs/clinic/01-records.")],
    sheet: Annotated[Path, typer.Argument(metavar="SHEET", help="Its audit_sheet.csv, every row answered.")],
    by: Annotated[str, typer.Option(help="Who read the sample and signs.")],
) -> None:
    """Sign the audit of an import: nothing learns from real records before it has passed."""
    import datetime

    from prescreen.records.audit import sign as sign_sheet
    from prescreen.records.risk_page import write_risk_page

    audit = sign_sheet(run, sheet, by, datetime.datetime.now(datetime.UTC).date())
    page = write_risk_page(run)
    print(f"identifiers in {audit.leaks} of {audit.sampled} cases read; at most {100 * audit.upper:.2f} % (95 %)")
    print(f"{'passed' if audit.passed else 'FAILED: mend the import and audit it again'}; the report: {page}")
    if not audit.passed:
        raise typer.Exit(1)


@records.command()
def sample(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The import.")],
    bound: Annotated[float, typer.Option(help="Share of leaking cases it must rule out.")] = 0.01,
    allowed: Annotated[int, typer.Option(help="Leaks the sample may hold; more need a larger sample.")] = 0,
) -> None:
    """Draw another audit sheet, for another bound; the import writes one for 1 % and no leak."""
    from prescreen.records.audit import write_sheet

    print(f"read every row and answer it: {write_sheet(run, bound=bound, allowed=allowed)}")


@records.command()
def doubts(
    cases: Annotated[Path, typer.Argument(metavar="CASES.jsonl", help="Labelled cases, e.g. of an import's run.")],
    out: Annotated[Path, typer.Option(help="The sheet; its key is written beside it.")],
    each: Annotated[int, typer.Option(min=1, help="Doubtful cases, and cases by chance, of each level.")] = 25,
) -> None:
    """Write a blind sheet for a second rater: the labels most likely wrong, and as many drawn by chance."""
    from prescreen.data.doubts import find_contradictions, rank_doubts
    from prescreen.data.label_sheet import key_path, write_label_sheet
    from prescreen.records.written import read_cases

    labelled = [case for case in read_cases(cases) if case.label is not None]
    torn = list(find_contradictions(labelled))
    lines = write_label_sheet(out, labelled, rank_doubts(labelled), each)
    print(f"{lines} of {len(labelled)} cases are in {out}; keep {key_path(out)} from the rater")
    print(f"pairs that say nearly the same at levels two or more apart: {len(torn)}")
    for pair in torn[:10]:
        print(f"  {pair.low} and {pair.high}: {pair.apart} levels, {pair.num_words} words")


@records.command()
def kappa(
    sheet: Annotated[Path, typer.Argument(metavar="SHEET", help="The sheet as the second rater returned it.")],
) -> None:
    """Say how far two raters agree, with intervals, and where the labels look wrong."""
    from prescreen.data.label_sheet import key_path, read_label_sheet

    audit = read_label_sheet(sheet, key_path(sheet))
    print(f"kappa {audit.kappa}, quadratic weighted {audit.weighted}; same level {audit.same}; empty {audit.empty}")
    for level, rate in audit.by_level.items():
        print(f"  {level.value:<10} agreed {rate}")
    print(f"doubtful labels that the second rater levels otherwise: {audit.doubtful}")
    for case in audit.differs[:20]:
        print(f"  {case.case_id}  label {case.given.value}, second {case.second.value} ({case.drawn})")


@records.command()
def files(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="As rejects and custody name a file.")],
    vault: VaultFolder = Path("vault"),
    key: KeyFile = None,
) -> None:
    """Say which file of the export a label stands for."""
    from prescreen.records.vault import Vault

    with Vault(vault, key, new=False) as opened:
        name = opened.find_file(label)
    if name is None:
        raise InputError("no file of this label is in the sealed table; copy the label from rejects.jsonl")
    print(name)


@records.command()
def withdraw(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="The export's key, or a row's patient code.")],
    vault: VaultFolder = Path("vault"),
    key: KeyFile = None,
    ahead: Annotated[bool, typer.Option("--ahead", help="Also a key that was never imported.")] = False,
) -> None:
    """Note that a patient wants no more part in this: no later build takes their records."""
    from prescreen.records.vault import Vault

    with Vault(vault, key, new=False) as opened:
        codes = opened.withdraw(patient, ahead=ahead).codes()
    print(f"withdrawn: {' or '.join(codes.values())} in rows; every later import and build leaves them out.")
    print("`prescreen trace CODE` lists the models that have learned from them.")


def trace(what: str, runs: Path, releases: Path, stages: "Stages") -> None:
    """Print the chain of a run, an output, a release, a row or a patient."""
    from rich.console import Console

    from prescreen.tracing import find_run, find_served, list_runs, trace_up

    console = Console(soft_wrap=True, highlight=False)
    run = find_run(Path(what), stages) if Path(what).exists() else find_served(what, releases, stages)
    if run is not None:
        for step in trace_up(run):
            facts = "; ".join(f"{name}: {fact}" for name, fact in step.facts.items())
            console.print(f"{'  ' * step.depth}[bold]{step.name}[/]  {facts}")
        print_after(console, [run], list_runs(runs, stages), releases)
        return
    trace_row(console, what, list_runs(runs, stages), releases)


def trace_row(console: "Console", what: str, known: list["Run"], releases: Path) -> None:
    """Where a row or a patient stands, and every model that saw it."""
    from prescreen.tracing import find_rows

    found = find_rows(what, known)
    if not found:
        raise InputError(
            f"{what}: neither a file nor an id or code in any finished run; name the folder with --runs"
        )
    for rows in found:
        for line in rows.custody:
            facts = "; ".join(f"{name}: {fact}" for name, fact in line)
            console.print(f"[bold]{rows.run.folder}[/]  {facts}")
        for file, count in rows.files.items():
            console.print(f"[bold]{rows.run.folder}/{file}[/]  {count} rows")
    print_after(console, [rows.run for rows in found if rows.files], known, releases)


def print_after(console: "Console", start: list["Run"], known: list["Run"], releases: Path) -> None:
    """What was made from these runs: models, and the releases that serve them."""
    from prescreen.tracing import has_learned, list_releases, trace_down

    made = trace_down(start, known)
    learned = [run for run in made if has_learned(run)]
    console.print(f"made from it: {', '.join(run.name for run in made) or 'nothing'}")
    console.print(f"models that learned from it: {', '.join(str(run.folder) for run in learned) or 'none'}")
    console.print(f"releases that serve one: {', '.join(list_releases(releases, [*start, *learned])) or 'none'}")
