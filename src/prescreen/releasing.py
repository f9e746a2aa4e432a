"""The verbs of a release's life. Knows typer; the work is done in `monitor/` and `release`."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prescreen.errors import InputError, RefusedError
from prescreen.storing import Database, KeyFolder, open_clinic

if TYPE_CHECKING:
    from prescreen.monitor.shelf import Shelf
    from prescreen.pipeline import Outcome

release = typer.Typer(help="What may serve: show it, sign it, take it back, prove its history.")
Releases = Annotated[Path, typer.Option("--releases", help="Where releases are kept.")]
Clinic = Annotated[Path | None, typer.Option("--data", help="The clinic's folder: it signs each line.")]
Why = Annotated[str, typer.Option(help="Why, in a few words; no patient's name.")]
By = Annotated[str, typer.Option("--by", help="Who does it.")]
RELEASES = Path("releases")


@contextmanager
def open_shelf(
    context: typer.Context, releases: Path, data: Path | None, database: str = "", keys: Path | None = None
) -> Iterator["Shelf"]:
    """The folder of releases, with the clinic's store where one is named."""
    from prescreen.monitor.shelf import Shelf

    stages = context.find_root().obj
    if data is None:
        yield Shelf(releases, stages)
        return
    with open_clinic(data, database, keys) as store:
        yield Shelf(releases, stages, store, store.clock)


def promote(
    context: typer.Context,
    gate: Annotated[Path, typer.Argument(metavar="GATE_RUN", help="A finished gate run, e.g. runs/tiny/08-gate.")],
    releases: Releases = RELEASES,
    by: Annotated[str, typer.Option(help="Who does it.")] = "",
    data: Clinic = None,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Put the gate's candidate forward, but only with a passing, unexpired verdict on the weights on disk.

    With --data it serves once a physician and an admin have signed; without, at once, and marked unsigned.
    """
    from prescreen.monitor.advance import advance, read_contacts
    from prescreen.monitor.life import promote_unsigned, propose
    from prescreen.monitor.registry import tell
    from prescreen.store.base import Who

    who = Who(by.strip()[:64] or "console", "admin")
    with open_shelf(context, releases, data, database, keys) as shelf:
        if shelf.store is None:
            made = promote_unsigned(shelf, gate, who)
            print(f"{made.candidate} may serve until {made.expires} ({made.serves}): {releases / 'current.json'}")
            print("unsigned: a clinic's service refuses it; with --data two people sign a release")
            return
        propose(shelf, gate, who)
        print(advance(shelf, read_contacts(shelf), who).sentence)
        tell(shelf)


def update(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Recipes with a limits.yaml.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings.")] = None,
    releases: Releases = RELEASES,
    runs: Annotated[Path, typer.Option("--runs", help="Where runs are kept.")] = Path("runs"),
    data: Clinic = None,
    database: Database = "",
    keys: KeyFolder = None,
    status: Annotated[bool, typer.Option("--status", help="Only say where the candidate stands.")] = False,
) -> None:
    """Learn from the nurses' corrections within the limits, or take the candidate one step further."""
    from prescreen.monitor.advance import read_contacts, tell_status
    from prescreen.monitor.registry import tell
    from prescreen.monitor.update import Place
    from prescreen.monitor.update import update as take_step
    from prescreen.pipeline import parse_overrides
    from prescreen.store.base import Who

    with open_shelf(context, releases, data, database, keys) as shelf:
        if status:
            print("\n".join(tell_status(shelf, read_contacts(shelf))))
            return
        if shelf.store is None:
            raise InputError("an update learns from a clinic's signed visits; name its folder with --data")
        if database:
            os.environ["PRESCREEN_DATABASE"] = database  # the feedback stage opens the store itself
        told = {"feedback.clinic": json.dumps(str(data)), **parse_overrides(overrides or [])}
        told |= {"feedback.keys": json.dumps(str(keys))} if keys is not None else {}
        place = Place(folder, runs / folder.resolve().name, told)
        print(take_step(place, shelf, read_contacts(shelf), Who("update", "service"), say_progress))
        tell(shelf)


@release.callback(invoke_without_command=True)
def current(context: typer.Context, releases: Releases = RELEASES) -> None:
    """Show the model that may serve now, after looking at verdict, day and weights again."""
    if context.invoked_subcommand is None:
        show(context, releases)


@release.command()
def show(context: typer.Context, releases: Releases = RELEASES, data: Clinic = None) -> None:
    """Show the model that may serve now, after looking at verdict, day and weights again."""
    from prescreen.monitor.advance import read_contacts, tell_status
    from prescreen.release import open_release

    with open_shelf(context, releases, data) as shelf:
        for line in tell_status(shelf, read_contacts(shelf)):
            typer.echo(line, err=True)
    print(open_release(releases, context.find_root().obj).model_dump_json(indent=2))


@release.command()
def approve(
    context: typer.Context,
    login: Annotated[str, typer.Option(help="Who signs; a physician and an admin must.")],
    data: Annotated[Path, typer.Option("--data", help="The clinic's folder.")] = Path("clinic"),
    releases: Releases = RELEASES,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Sign the candidate by password and code: exactly its gate and weights. The second signature promotes it."""
    from datetime import timedelta

    from prescreen.monitor.advance import advance, read_contacts
    from prescreen.monitor.life import approve as sign
    from prescreen.monitor.registry import tell
    from prescreen.monitor.shelf import read_proposed, read_state
    from prescreen.store.base import Who
    from prescreen.store.sign_in import vouch

    with open_shelf(context, releases, data, database, keys) as shelf:
        state = read_state(shelf.ledger.read())
        if not state.candidate:
            raise RefusedError("no candidate waits for a signature; `prescreen promote GATE --data` proposes one")
        candidate = read_proposed(shelf, state.candidate)
        print(f"candidate {candidate.candidate}\n  weights {candidate.weights}\n  gate    {candidate.gate}")
        print(f"  key     {state.candidate}")
        password = typer.prompt("Password", hide_input=True)
        code = typer.prompt("Code of the authenticator app, if any", default="", show_default=False)
        assert shelf.store is not None
        person = vouch(shelf.store, login, password, code)
        if isinstance(person, timedelta):
            raise RefusedError(f"too many tries; wait {int(person.total_seconds()) + 1} seconds")
        if person is None:
            raise RefusedError("login, password or code is wrong; nothing was signed")
        sign(shelf, who := Who(person.id, person.role), state.candidate)
        print(advance(shelf, read_contacts(shelf), who).sentence)
        tell(shelf)


@release.command()
def rollback(
    context: typer.Context,
    why: Why = "by hand",
    by: By = "console",
    releases: Releases = RELEASES,
    data: Clinic = None,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Take the release back: the one before it serves again within seconds, or the rules alone."""
    from prescreen.monitor.life import rollback as take_back
    from prescreen.monitor.registry import tell
    from prescreen.store.base import Who

    with open_shelf(context, releases, data, database, keys) as shelf:
        before = take_back(shelf, Who(by.strip()[:64] or "console", "admin"), why[:200])
        tell(shelf)
    print(f"{before.candidate} ({before.weights[:12]}) serves again" if before else "the rules alone draft now")


@release.command()
def retire(
    context: typer.Context,
    why: Why,
    by: By = "console",
    releases: Releases = RELEASES,
    data: Clinic = None,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """End the candidate, on trial or waiting for signatures: nobody sees its drafts again; what serves goes on."""
    from prescreen.monitor.life import withdraw
    from prescreen.monitor.registry import tell
    from prescreen.store.base import Who

    with open_shelf(context, releases, data, database, keys) as shelf:
        ended = withdraw(shelf, Who(by.strip()[:64] or "console", "admin"), why[:200])
        print(f"candidate {ended[:16]} is retired")
        tell(shelf)


@release.command()
def verify(
    context: typer.Context,
    releases: Releases = RELEASES,
    data: Clinic = None,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """Prove the ledger: no line changed, moved, put in or cut off; exit code 1 names the first bad one."""
    with open_shelf(context, releases, data, database, keys) as shelf:
        verdict = shelf.ledger.verify()
    print(f"{'whole' if verdict.whole else 'NOT WHOLE'}: {verdict.sentence}")
    if data is None:
        print("signatures and the audit log were not looked at; name the clinic's folder with --data")
    if not verdict.whole:
        raise typer.Exit(1)


@release.command()
def history(
    context: typer.Context,
    releases: Releases = RELEASES,
    data: Clinic = None,
    database: Database = "",
    keys: KeyFolder = None,
) -> None:
    """List what was done to releases, when and by whom."""
    with open_shelf(context, releases, data, database, keys) as shelf:
        for line in shelf.ledger.read():
            told = [f"{key} {value}" for key, value in line.detail.items()]
            print(f"{line.number:>4} {line.at:%Y-%m-%d %H:%M} {line.deed:<14} {line.role}:{line.who}", end="")
            print(" signed " if line.signature else " unsigned ", ", ".join(told))


def say_progress(name: str, outcome: "Outcome | None") -> None:
    """One line when a stage is done."""
    if outcome is not None:
        print(f"{name:<14} {'unchanged, skipped' if outcome.skipped else f'done in {outcome.seconds:.1f} s'}")
