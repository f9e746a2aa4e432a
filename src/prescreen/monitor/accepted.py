"""Changes a clinic has accepted: from that week on a signal has a new reference. Rows of the store; none goes away.

A reference that rolls by itself follows a slow decline and calls it normal; one that never moves alarms for ever
after a change that was meant. So it moves by a person's decision alone, with a name and a reason. Knows no figure.
"""

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from prescreen.config import Strict
from prescreen.errors import InputError
from prescreen.monitor.signals import find_signal

if TYPE_CHECKING:
    from prescreen.store.base import Act

LEAST, MOST = 10, 500  # characters of a reason


class Accepted(Strict):
    """One accepted change: the signal, the first week (a Monday) of its new reference, who says so, and why."""

    signal: str
    since: datetime.date
    by: str = Field(min_length=1)
    why: Annotated[str, Field(min_length=LEAST, max_length=MOST)]


def decide(signal: str, since: datetime.date, *, by: str, why: str) -> Accepted:
    """A change accepted by a person; RecipeError for a signal there is none of, InputError for the rest."""
    find_signal(signal)
    if since.weekday():
        raise InputError(f"{since} is no Monday; a reference begins with a whole week")
    told = " ".join(why.split())
    if not LEAST <= len(told) <= MOST or not told.isprintable() or not by.strip():
        raise InputError(f"say who accepts the change, and why: {LEAST} to {MOST} printable characters")
    return Accepted(signal=signal, since=since, by=by.strip(), why=told)


def latest(accepted: Iterable[Accepted]) -> dict[str, datetime.date]:
    """For `judge`: the last accepted change of each signal."""
    found: dict[str, datetime.date] = {}
    for one in accepted:
        found[one.signal] = max(one.since, found.get(one.signal, one.since))
    return found


def read_accepted(act: "Act") -> tuple[Accepted, ...]:
    """All accepted changes of a clinic, in the order they were accepted."""
    from prescreen.store.accepted import list_accepted

    return tuple(
        Accepted(signal=row.signal, since=datetime.date.fromisoformat(row.since), by=row.by, why=row.why)
        for row in list_accepted(act)
    )


def accept(act: "Act", signal: str, since: datetime.date, why: str) -> Accepted:
    """Keep one more, in the name of whoever acts; RecipeError and InputError as `decide`."""
    from prescreen.store.accepted import keep_accepted

    one = decide(signal, since, by=act.who.id, why=why)
    keep_accepted(act, one.signal, one.since, one.why)
    return one
