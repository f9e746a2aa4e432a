"""Changes a clinic has accepted: from that week on a signal has a new reference. Kept as lines, none taken away.

A reference that rolls by itself follows a slow decline and calls it normal; one that never moves alarms for ever
after a change that was meant. So it moves by a person's decision alone, with a name and a reason. Knows no figure.
"""

import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from prescreen.config import Strict
from prescreen.errors import InputError
from prescreen.monitor.signals import find_signal


class Accepted(Strict):
    """One accepted change: the signal, the first week (a Monday) of its new reference, who says so, and why."""

    signal: str
    since: datetime.date
    by: str = Field(min_length=1)
    why: Annotated[str, Field(min_length=10, max_length=500)]


def rebase(
    accepted: Iterable[Accepted], signal: str, since: datetime.date, *, by: str, why: str
) -> tuple[Accepted, ...]:
    """The accepted changes with one more; RecipeError for a signal there is none of, InputError for the rest."""
    find_signal(signal)
    if since.weekday():
        raise InputError(f"{since} is no Monday; a reference begins with a whole week")
    if len(why.strip()) < 10 or not by.strip():
        raise InputError("say who accepts the change, and in a sentence why")
    return (*accepted, Accepted(signal=signal, since=since, by=by.strip(), why=why.strip()[:500]))


def latest(accepted: Iterable[Accepted]) -> dict[str, datetime.date]:
    """For `judge`: the last accepted change of each signal."""
    found: dict[str, datetime.date] = {}
    for one in accepted:
        found[one.signal] = max(one.since, found.get(one.signal, one.since))
    return found


def read_accepted(path: Path) -> tuple[Accepted, ...]:
    """The lines of a file; none where there is no file yet. InputError names file and line."""
    if not path.exists():
        return ()
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(Accepted.model_validate_json(line))
        except ValidationError:
            raise InputError("is no accepted change; restore the file", file=path, line=number) from None
    return tuple(found)


def append_accepted(path: Path, one: Accepted) -> None:
    """Add a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(one.model_dump(mode="json"), ensure_ascii=False) + "\n")
