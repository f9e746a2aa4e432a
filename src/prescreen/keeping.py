"""The verbs by which a clinic's records are kept: look, files, withdraw, trace. Knows typer; the work is elsewhere.

Everything heavy is imported inside the verb that needs it.
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

    from prescreen.tracing import find_run, list_runs, trace_up

    console = Console(soft_wrap=True, highlight=False)
    if Path(what).exists():
        run = find_run(Path(what), stages)
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
