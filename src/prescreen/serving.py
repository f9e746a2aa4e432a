"""The verbs of the clinic at work: the people who may sign in, the audit log. Knows typer alone."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prescreen.errors import InputError
from prescreen.storing import (
    CLINIC,
    Data,
    Database,
    KeyFolder,
    find_database,
    find_keys,
    name_person,
    open_clinic,
)

if TYPE_CHECKING:
    from prescreen.store.accounts import Made
    from prescreen.store.base import Act
    from prescreen.store.people import User

user = typer.Typer(no_args_is_help=True, help="Who may sign in: add, list, disable, reset.")
audit = typer.Typer(no_args_is_help=True, help="Read and prove the clinic's audit log.")
Login = Annotated[str, typer.Argument(metavar="LOGIN", help="What the person signs in with.")]
Admin = Annotated[str, typer.Option("--by", help="Who does it, for the audit log.")]


@user.command()
def add(
    login: Login,
    role: Annotated[Literal["nurse", "physician", "admin", "auditor"], typer.Option(help="What they may do.")],
    name: Annotated[str, typer.Option(help="Their name, as it stands under a signature.")],
    team: Annotated[list[str] | None, typer.Option(help="A team whose visits they see; again for more.")] = None,
    reference: Annotated[str, typer.Option(help="Who they are in the record, e.g. Practitioner/7.")] = "",
    by: Admin = "console",
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Make an account and print a password for its first sign-in, once."""
    from prescreen.store.accounts import add_user

    teams = team or (["clinic"] if role in ("nurse", "physician") else [])
    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        made = add_user(act, login, name=name, role=role, teams=teams, reference=reference or None)
    _tell_password(made)


@user.command("list")
def list_accounts(data: Data = CLINIC, database: Database = "", keys: KeyFolder = None) -> None:
    """List the accounts, to lay beside the list of staff."""
    from prescreen.store.accounts import list_users

    with open_clinic(data, database, keys) as opened, opened.look(name_person("console")) as act:
        people = list_users(act)
    for person in people:
        state = "disabled" if person.disabled else "identity provider" if person.issuer else "may sign in"
        print(f"{person.login:<24} {person.role:<10} {state:<18} {','.join(person.teams):<24} {person.name}")


@user.command()
def disable(
    login: Login, by: Admin = "console", data: Data = CLINIC, database: Database = "", keys: KeyFolder = None
) -> None:
    """Let nobody sign in with an account from this moment on; what they signed stays theirs."""
    from prescreen.store.accounts import disable_user

    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        person = disable_user(act, _find(act, login).id)
    print(f"{person.login} is disabled; their sessions have ended")


@user.command()
def reset(
    login: Login, by: Admin = "console", data: Data = CLINIC, database: Database = "", keys: KeyFolder = None
) -> None:
    """Give an account a new password for one use and take its second factor away."""
    from prescreen.store.accounts import reset_user

    with open_clinic(data, database, keys) as opened, opened.act(name_person(by)) as act:
        made = reset_user(act, _find(act, login).id)
    _tell_password(made)


def _find(act: "Act", login: str) -> "User":
    from prescreen.store.accounts import find_user

    found = find_user(act, login)
    if found is None:
        raise InputError("there is no such account; `prescreen user list` shows them")
    return found


def _tell_password(made: "Made") -> None:
    from prescreen.store.passwords import ONCE_FOR

    hours = ONCE_FOR.total_seconds() / 3600
    print(f"login {made.user.login}, password {made.password}")
    print(f"told once, for one sign-in within {hours:.0f} hours; hand it over in person")


@audit.command()
def verify(
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    anchor: Annotated[Path | None, typer.Option("--anchor", help="The marks kept outside the database.")] = None,
) -> None:
    """Prove that no line was changed, removed, added, moved or cut off; exit code 1 names the first bad one."""
    from prescreen.store.audit import verify as prove
    from prescreen.store.figures import note_verdict

    with open_clinic(data, database, keys) as opened:
        verdict = prove(opened, anchor)
    print(f"{'whole' if verdict.whole else 'NOT WHOLE'}: {verdict.sentence}")
    print(f"checkpoints met: {verdict.checkpoints}; marks of the anchor met: {verdict.anchored}")
    with open_clinic(data, database, keys) as opened:
        if not note_verdict(opened, verdict):
            print("the log took no line about this: see that the database can be written")
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
def record(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder with a serve.yaml.")],
    data: Data = CLINIC,
    database: Database = "",
    keys: KeyFolder = None,
    days: Annotated[int, typer.Option("--days", min=1, help="Signatures of so many days.")] = 7,
) -> None:
    """Ask the record for every signature: what it lost, what arrived unseen; exit code 1 where anything differs."""
    from prescreen.service.opening import Places, open_record
    from prescreen.service.record.reconciling import reconcile
    from prescreen.service.settings import read_settings

    places = Places(find_database(data, database), find_keys(data, keys))
    house = open_record(read_settings(folder), places, make=False)
    try:
        told = reconcile(house, house.store.clock() - timedelta(days=days))
    finally:
        house.close()
    for difference in told.differences:
        print(f"{difference.signature} {difference.channel} ({difference.state}): {difference.sentence}")
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(told.counts.items())) or "nothing was signed")
    if told.differences:
        raise typer.Exit(1)


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
