"""The verbs of incidents: what went wrong, assessed, made a test case, closed. Knows typer alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prescreen.errors import InputError
from prescreen.storing import CLINIC, By, Data, Database, KeyFolder, name_person, open_clinic

if TYPE_CHECKING:
    from prescreen.clinic.incident import Incident

incident = typer.Typer(no_args_is_help=True, help="What went wrong: report, assess, make a test case, close.")
Number = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's number, as `list` prints it.")]
Level = Literal["low", "medium", "high", "emergency"]
Severe = Annotated[str, typer.Option("--severity", help="How bad; a wrong word lists the choice.")]


@incident.command()
def report(
    visit: Annotated[str, typer.Argument(metavar="VISIT", help="The visit's number, from its page's address.")],
    kind: Annotated[str, typer.Option(help="What kind it is; a wrong word lists the kinds.")],
    by: By,
    severity: Severe = "serious",
    text: Annotated[str, typer.Option(help="What happened; without it, read from standard input.")] = "",
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Report that something went wrong on a visit; the text is sealed with the patient's data."""
    from prescreen.store.incidents import report as keep

    told = text or typer.get_text_stream("stdin").read()
    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        row = keep(act, visit, kind, severity, told)
    print(f"incident {row.id} is open; assess it next")


@incident.command("list")
def list_reported(
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """List incidents in codes, newest first; no text is opened."""
    from prescreen.store.incidents import list_incidents

    states = () if every else ("open", "assessed")
    with open_clinic(data, database, keys) as opened, opened.look(name_person("console")) as act:
        found = list_incidents(act, states)
    for each in found:
        print(tell_incident(each))
    print(f"{len(found)} incidents{'' if every else ' not closed'}")


@incident.command()
def show(number: Number, by: By, data: Data = CLINIC, database: Database = "", keys: KeyFolder = None) -> None:
    """Print what was written of an incident; reading it is noted."""
    from prescreen.store.incidents import read

    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        told = read(act, number)
    print(tell_incident(told.incident))
    print(f"reported by {told.reporter}: {told.report}")
    for name, words in (("assessed", told.assessment), ("closed", told.conclusion)):
        if words:
            print(f"{name}: {words}")


@incident.command()
def assess(
    number: Number,
    severity: Annotated[str, typer.Option(help="As it is now judged, in the words of the hazard log.")],
    hazard: Annotated[str, typer.Option(help="Which hazard of the log it is a case of, e.g. H01.")],
    note: Annotated[str, typer.Option(help="What was found.")],
    by: By,
    book: Annotated[Path | None, typer.Option(help="A folder with your own hazards.yaml.")] = None,
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Judge an incident and link it to a hazard of the log."""
    from prescreen.dossier.records import FOLDER, read_book
    from prescreen.store.incidents import assess as judge

    known = {each.id for each in read_book(book or FOLDER).hazards}
    if hazard not in known:
        raise InputError(f"{hazard} is not in the hazard log; it holds {', '.join(sorted(known))}")
    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        row = judge(act, number, severity=severity, hazard=hazard, note=note)
    print(f"incident {row.id} is assessed as {row.severity}, {row.hazard}")


@incident.command()
def case(
    number: Number,
    out: Annotated[Path, typer.Option(help="The folder of the clinic's own case bank.")],
    level: Annotated[Level, typer.Option(help="The right level, by a clinician who has read the contact.")],
    condition: Annotated[str, typer.Option(help="What it was, in a word or two.")],
    why: Annotated[str, typer.Option(help="Why this level is right, in one sentence.")],
    by: By,
    accept: Annotated[
        list[str] | None, typer.Option(help="Another level that is right too; again for more.")
    ] = None,
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Write the contact without identifiers as a test case of the clinic's own bank, at a clinician's level."""
    from prescreen.clinic.acuity import Acuity, read_level
    from prescreen.monitor.regression import Levelled, write_case
    from prescreen.store.incidents import note_case, open_ground

    said = Levelled(Acuity(level), condition, why, by, tuple(read_level(each).acuity for each in accept or ()))
    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        ground = open_ground(act, number)
        path, case_id = write_case(out, number, ground.case, ground.link, said, act.now.date())
        note_case(act, number, case_id, level)
    print(f"{path}: {case_id}; read it now: no software can promise that nobody is recognised in it")


@incident.command()
def close(
    number: Number,
    outcome: Annotated[str, typer.Option(help="What became of it; a wrong word lists the choice.")],
    note: Annotated[str, typer.Option(help="What was done.")],
    by: By,
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Close an incident; a wrong level becomes a test case first."""
    from prescreen.store.incidents import close as end

    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        row = end(act, number, outcome=outcome, note=note)
    print(f"incident {row.id} is closed: {row.outcome}")


@incident.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="FILE.json", help="The file to write.")],
    by: By,
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Write all incidents in codes, to be counted in the dossier's hazard log."""
    from prescreen.clinic.incident import write_export
    from prescreen.run import write_atomic
    from prescreen.store.incidents import export as read_all

    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        found = read_all(act)
        write_atomic(out, write_export(found))
    print(f"{out}: {len(found)} incidents; `prescreen dossier RUNS --incidents {out}` counts them")


def tell_incident(each: "Incident") -> str:
    """One line, in codes alone."""
    ends = [each.hazard or "no hazard yet", each.outcome or "", each.case or ""]
    told = f"{each.id}  {each.at:%Y-%m-%d}  {each.state:<8}  {each.severity:<12}  {each.kind}  visit {each.visit}"
    return f"{told}  {'; '.join(filter(None, ends))}"
