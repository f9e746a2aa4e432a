"""The verbs that keep the clinic's store, and how a verb opens it. Knows typer; the work is done in `store/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prescreen.errors import InputError

if TYPE_CHECKING:
    from prescreen.store.base import Store, Who

store = typer.Typer(no_args_is_help=True, help="Keep the clinic's store: make, copy, restore, rotate, shred.")
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


def name_person(by: str) -> "Who":
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
    dated: Annotated[bool, typer.Option("--dated", help="A new folder in FOLDER, named by the time.")] = False,
    keep_days: Annotated[int, typer.Option("--keep-days", min=0, help="Then end dated ones older than this.")] = 0,
) -> None:
    """Copy the running database with a manifest; the keys only to another folder."""
    from prescreen.store.backup import backup as make_backup
    from prescreen.store.backup import copy_keys
    from prescreen.store.nightly import end_old, name_by_time

    if keep_days and not dated:
        raise InputError("--keep-days ends backups made with --dated; give both")
    place, folder = folder, folder / name_by_time() if dated else folder
    if with_keys is not None and with_keys.resolve().is_relative_to(folder.resolve()):
        raise InputError("keys and backup must not lie together; name another medium", file=with_keys)
    with open_clinic(data, database, keys) as opened:
        made = make_backup(opened, folder)
        print(f"{folder}: {sum(made.rows.values())} rows, audit log to line {made.audit_number}")
        if with_keys is not None:
            print(f"{with_keys}: {copy_keys(opened.keys, with_keys)} keys")
    for old in end_old(place, keep_days) if keep_days else ():
        print(f"{old}: ended, older than {keep_days} days")


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

    who = name_person(by)
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

    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        keep(act, patient, not lift)
    print("the hold is lifted" if lift else "the patient is under a legal hold")


@store.command()
def overdue(
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    signed: Annotated[int, typer.Option("--signed", min=1, help="Months after the last signed visit.")] = 120,
    unsigned: Annotated[int, typer.Option("--unsigned", min=1, help="Months after a visit nobody signed.")] = 24,
    left: Annotated[int, typer.Option("--left", min=1, help="Months after an interview left half-way.")] = 1,
) -> None:
    """List whose time has passed, oldest first, nobody under a hold; a person decides, then `store shred`."""
    from prescreen.store.retention import Retention, find_overdue

    with open_clinic(data, database, keys) as opened, opened.look(name_person("overdue")) as act:
        rows = find_overdue(act, Retention(signed=signed, unsigned=unsigned, left=left))
    for row in rows:
        print(f"{row.patient_id}  {row.kept_as:<8}  last {row.last:%Y-%m-%d}")
    print(f"{len(rows)} patients, of at most 1000 listed at once")
