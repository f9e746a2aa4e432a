"""The verbs that keep the clinic's store and its audit log. Knows typer; the work is done in `store/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prescreen.errors import InputError

if TYPE_CHECKING:
    from prescreen.store.base import Store, Who

store = typer.Typer(no_args_is_help=True, help="Keep the clinic's store: make, copy, restore, rotate, shred.")
audit = typer.Typer(no_args_is_help=True, help="Read and prove the clinic's audit log.")
Data = Annotated[Path, typer.Option("--data", help="The clinic's folder.")]
Database = Annotated[
    str, typer.Option("--database", envvar="PRESCREEN_DATABASE", help="Its database, where not in that folder.")
]
KeyFolder = Annotated[Path | None, typer.Option("--keys", help="Its keys, where not in that folder.")]
By = Annotated[str, typer.Option("--by", help="Who does it, for the audit log.")]
CLINIC = Path("clinic")


def find_database(data: Path, database: str) -> str:
    """The address that is meant: the one given, or the file in the clinic's folder."""
    return database or f"sqlite:///{data / 'prescreen.db'}"


def find_keys(data: Path, keys: Path | None) -> Path:
    return keys or data / "keys"


@contextmanager
def open_clinic(data: Path, database: str, keys: Path | None) -> Iterator["Store"]:
    """A store that is there, closed at the end."""
    from prescreen.store.migrate import open_store

    opened = open_store(find_database(data, database), find_keys(data, keys), make=False)
    try:
        yield opened
    finally:
        opened.close()


def _name_person(by: str) -> "Who":
    from prescreen.store.base import Who

    return Who(by.strip()[:64] or "unnamed", "admin")


@store.command()
def migrate(data: Data = CLINIC, database: Database = "", keys: KeyFolder = None) -> None:
    """Make the store with its keys, or bring an older one up to date; back it up before."""
    from prescreen.store.migrate import open_store, upgrade

    url = find_database(data, database)
    revision = upgrade(url)
    open_store(url, find_keys(data, keys)).close()
    print(f"the store is at revision {revision}; keep a copy of {find_keys(data, keys)} on another medium")


@store.command()
def check(data: Data = CLINIC, database: Database = "", keys: KeyFolder = None) -> None:
    """Say whether the store can be opened: revision, keys, rights, end of the log."""
    from prescreen.store.migrate import newest_revision
    from prescreen.store.rotate import count_old

    with open_clinic(data, database, keys) as opened:
        old = count_old(opened)
    print(f"revision {newest_revision()}; key clinic-{opened.keys.version}; {old} values under older keys")


@store.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the copy.")],
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    with_keys: Annotated[Path | None, typer.Option("--with-keys", help="Also copy the keys, to here.")] = None,
) -> None:
    """Copy the running database with a manifest; the keys only to another folder."""
    from prescreen.store.backup import backup as make_backup
    from prescreen.store.backup import copy_keys

    if with_keys is not None and with_keys.resolve().is_relative_to(folder.resolve()):
        raise InputError("keys and backup must not lie together; name another medium", file=with_keys)
    with open_clinic(data, database, keys) as opened:
        made = make_backup(opened, folder)
        print(f"{folder}: {sum(made.rows.values())} rows, audit log to line {made.audit_number}")
        if with_keys is not None:
            print(f"{with_keys}: {copy_keys(opened.keys, with_keys)} keys")


@store.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A backup.")],
    data: Data = CLINIC,
    database: Database = "",
) -> None:
    """Bring a backup back into an empty place; it is looked at first."""
    from prescreen.store.backup import restore as bring_back

    made = bring_back(folder, find_database(data, database))
    print(f"restored {sum(made.rows.values())} rows as of {made.made:%Y-%m-%d %H:%M} UTC; begin a new anchor file")


@store.command()
def drill(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A backup.")],
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Try a backup: restore it into a temporary place, prove its log, count its rows, open a sealed value."""
    from prescreen.store.backup import drill as try_out

    done = try_out(folder, find_keys(data, keys), database)
    print(f"restored {done.rows} rows in {done.seconds:.1f} s; opened {done.opened} sealed value")
    print(f"the log: {done.verdict.sentence}")
    if not done.verdict.whole:
        raise typer.Exit(1)


@store.command()
def rotate(
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run, no new key.")] = False,
) -> None:
    """Draw the clinic's next key and seal everything under it; the clinic may go on working."""
    from prescreen.store.rotate import rotate_keys

    with open_clinic(data, database, keys) as opened:
        done = rotate_keys(opened, new=not resume)
        version = opened.keys.version
    print(f"{done.values} values under clinic-{version}.key; copy that key to the keys' other medium now")
    if done.skipped:
        print(f"{done.skipped} values could not be opened and stay as they are; the audit log names them")
        raise typer.Exit(1)


@store.command()
def shred(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="The patient's id in the store.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; a wrong one is answered with the choice.")],
    by: By,
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Destroy a patient's key: nothing of them can be read again. Refused under a legal hold or unsent."""
    from prescreen.store.retention import scrub
    from prescreen.store.retention import shred as destroy

    who = _name_person(by)
    if not yes:
        typer.confirm("Nothing brings this patient's data back. Destroy the key?", abort=True)
    with open_clinic(data, database, keys) as opened:
        with opened.act(who) as act:
            copies = destroy(act, patient, reason)
        scrub(opened)
    print(f"the key is destroyed, {copies} copies in the embedded record deleted; backups keep it until they lapse")


@store.command()
def hold(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="The patient's id in the store.")],
    by: By,
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    lift: Annotated[bool, typer.Option("--lift", help="Lift the hold instead.")] = False,
) -> None:
    """Put a patient under a legal hold, so that nobody can shred them, or lift it."""
    from prescreen.store.retention import hold as keep

    with open_clinic(data, database, keys) as opened, opened.act(_name_person(by)) as act:
        keep(act, patient, not lift)
    print("the hold is lifted" if lift else "the patient is under a legal hold")


@audit.command()
def verify(
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    anchor: Annotated[Path | None, typer.Option("--anchor", help="The marks kept outside the database.")] = None,
) -> None:
    """Prove that no line was changed, removed, added, moved or cut off; exit code 1 names the first bad one."""
    from prescreen.store.audit import verify as prove

    with open_clinic(data, database, keys) as opened:
        verdict = prove(opened, anchor)
    print(f"{'whole' if verdict.whole else 'NOT WHOLE'}: {verdict.sentence}")
    print(f"checkpoints met: {verdict.checkpoints}; marks of the anchor met: {verdict.anchored}")
    if not verdict.whole:
        raise typer.Exit(1)


@audit.command("anchor")
def anchor(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The anchor, on another medium than the database.")],
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Sign the end of the log and add the mark to a file outside the database."""
    from prescreen.store.anchors import take_checkpoint

    with open_clinic(data, database, keys) as opened:
        mark = take_checkpoint(opened, out)
    print(f"{out}: up to date" if mark is None else f"{out}: marked line {mark.number}")


@audit.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    form: Annotated[Literal["jsonl", "csv"], typer.Option("--form", help="jsonl or csv.")] = "jsonl",
) -> None:
    """Write the log for an auditor: codes, ids and times, nothing a patient said."""
    from prescreen.store.extract import export as write

    with open_clinic(data, database, keys) as opened:
        count = write(opened, out, form)
    print(f"{out}: {count} lines")


@audit.command()
def show(
    visit: Annotated[str, typer.Argument(metavar="VISIT", help="The visit's id.")],
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Show who did what with one visit."""
    from prescreen.store.extract import AUDITOR, read_visit

    with open_clinic(data, database, keys) as opened, opened.look(AUDITOR) as act:
        lines = read_visit(act, visit)
    if not lines:
        raise InputError("the log holds no line of this visit; look at its id")
    for line in lines:
        print(f"{line.number:>8} {line.at[:19]} {line.role:<9} {line.actor:<20} {line.action:<18} {line.detail}")
