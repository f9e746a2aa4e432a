"""The verbs by which a clinic watches its assistant. Knows typer; `monitor/` and `simulation/` do the work."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prescreen.errors import InputError
from prescreen.storing import CLINIC, By, Data, Database, KeyFolder, name_person, open_clinic

if TYPE_CHECKING:
    from prescreen.monitor.outcome_file import Told
    from prescreen.store.base import Act

outcomes = typer.Typer(no_args_is_help=True, help="What became of patients within 72 hours of a signature.")


def sheet(
    week: Annotated[str, typer.Option(help="Such as 2026-W48; without it the last whole week.")] = "",
    out: Annotated[Path | None, typer.Option(help="The page to write; sheet-WEEK.html without.")] = None,
    base_url: Annotated[str, typer.Option("--base-url", help="The service's address, for links to visits.")] = "",
    name: Annotated[str, typer.Option(help="The clinic's name, as it stands on the page.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who does it, for the audit log.")] = "console",
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Write the weekly sheet: what changed, what to do, charts, cases worth reading, counts; one page to print."""
    from prescreen.monitor.sheet import draw_up, name_iso, parse_week
    from prescreen.run import write_atomic

    with open_clinic(data, database, keys) as opened:
        start = parse_week(week, opened.clock().date())
        with opened.look(name_person(by)) as act:
            page = draw_up(act, start, clinic=name, base_url=base_url)
        path = out or Path(f"sheet-{name_iso(start)}.html")
        write_atomic(path, page)
        with opened.act(name_person(by)) as act:
            act.log("sheet.make", "", week=name_iso(start))
    print(f"{path}: read it on a screen or print it, one page of A4")


def accept(
    signal: Annotated[str, typer.Argument(metavar="SIGNAL", help="By its name on the sheet; none: a list.")] = "",
    why: Annotated[str, typer.Option(help="Why it stays, in a sentence without anybody's name.")] = "",
    week: Annotated[str, typer.Option(help="The first to be judged anew, e.g. 2026-W48.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who accepts it; it stands in the audit log.")] = "",
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Accept a change that was meant, so that its signal gets a new reference; without SIGNAL, list what was."""
    from prescreen.monitor.accepted import accept as keep
    from prescreen.monitor.accepted import read_accepted
    from prescreen.monitor.sheet import name_iso, parse_week

    with open_clinic(data, database, keys) as opened:
        if not signal:
            with opened.look(name_person(by or "console")) as act:
                found = read_accepted(act)
            for one in found:
                print(f"{one.signal} from {name_iso(one.since)}, by {one.by}: {one.why}")
            print(f"{len(found)} accepted")
            return
        if not by.strip():
            raise InputError("say with --by who accepts the change")
        with opened.act(name_person(by)) as act:
            one = keep(act, signal, parse_week(week, opened.clock().date()), why)
    print(f"{one.signal}: judged against its weeks from {name_iso(one.since)} on, once four are there")


@outcomes.command("import")
def import_outcomes(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Visit or identifier, kind, time, level.")],
    by: By,
    time_zone: Annotated[str, typer.Option("--time-zone", help="Of times without a zone of their own.")] = "UTC",
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Take outcomes from a clinic's own list; what is not taken is told by its line; exit code 1 then."""
    from prescreen.monitor.outcome_file import Reject, read_outcome_file

    read = list(read_outcome_file(file, time_zone))
    rejects = [row for row in read if isinstance(row, Reject)]
    noted = 0
    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        for row in read:
            if isinstance(row, Reject):
                continue
            why = _note(act, row)
            noted += not why
            rejects += [Reject(row.line, why)] if why else []
    for reject in sorted(rejects):
        print(f"line {reject.line}: {reject.why}")
    print(f"{noted} lines noted, {len(rejects)} not taken")
    if rejects:
        raise typer.Exit(1)


@outcomes.command("count")
def count(data: Data = CLINIC, database: Database = "", keys: KeyFolder = None) -> None:
    """Count visits by what is known of their 72 hours: asked, found, nothing, unknown."""
    from prescreen.store.outcomes import count_outcomes

    with open_clinic(data, database, keys) as opened, opened.look(name_person("console")) as act:
        counted = count_outcomes(act)
    print(", ".join(f"{counted.get(state, 0)} {state}" for state in ("found", "nothing", "unknown", "asked")))


def _note(act: "Act", row: "Told") -> str:
    """Keep what a line says; why it cannot be, "" where it was."""
    from prescreen.errors import RefusedError
    from prescreen.store.outcomes import find_visits, note_told

    if not row.visit and row.later is None:
        return "that nothing happened is said of a visit, not of a patient"
    visits = [row.visit] if row.visit or row.later is None else find_visits(act, row.identifier, row.later.at)
    if not visits:
        return "no visit of this patient was signed in the 72 hours before"
    try:
        for visit in visits:
            note_told(act, visit, row.later)
    except RefusedError as error:
        return str(error)
    return ""


def simulate(
    context: typer.Context,
    weeks: Annotated[int, typer.Option("--weeks", min=6, max=52, help="How long it lasts.")] = 52,
    contacts: Annotated[int, typer.Option("--contacts", min=8, max=500, help="Patients a week.")] = 40,
    model: Annotated[Path, typer.Option("--model", help="Where it begins.")] = Path("runs/tiny/05-dpo"),
    recipes: Annotated[Path, typer.Option("--recipes", help="How updates are made.")] = Path("recipes/simulation"),
    out: Annotated[Path, typer.Option("--out", help="A new folder.")] = Path("runs/simulation"),
    seed: Annotated[int, typer.Option("--seed", help="Another year with other people.")] = 0,
) -> None:
    """Let an invented clinic work for a year and judge whether the loop keeps its promises; 1 where not."""
    from prescreen.simulation.page import PAGE
    from prescreen.simulation.whole import Order
    from prescreen.simulation.whole import simulate as live

    bars = live(Order(out, model, recipes, weeks, contacts, seed), context.find_root().obj)
    for bar in bars:
        print(f"{ {True: 'met', False: 'MISSED', None: 'told'}[bar.met]:<7}{bar.name}: {bar.figure}")
    print(f"{out / PAGE}: a tiny model and invented people; plumbing, no evidence about any patient")
    if any(bar.met is False for bar in bars):
        raise typer.Exit(1)
