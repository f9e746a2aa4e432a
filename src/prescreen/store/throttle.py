"""Tries at a door, slowed down: counted in the database, so for all processes together. Nobody is locked out.

After `free` tries each next one waits twice as long as the one before, up to `longest`; a try is forgotten per
`forget`. A try that came too early is refused, not counted and not looked at. Logins, devices, addresses and codes
are kept as keyed hashes. Knows no password.

| limit   | free | longest wait | forgotten | guesses a day, at most |
| login   |    5 | 15 min       | 15 min    | about 110 |
| device  |    5 | 1 min        | 5 min     | about 1,450, from a browser that has signed this login in before |
| address |   20 | 1 min        | 3 min     | about 1,470, all logins together |
| code    |   10 | 15 min       | 15 min    | about 115, per address |
"""

import datetime
import ipaddress
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, select

from prescreen.store.base import Act
from prescreen.store.leases import SLACK
from prescreen.store.people import Attempt


class Limit(NamedTuple):
    """How tries of one kind are slowed down."""

    kind: str
    free: int
    longest: datetime.timedelta
    forget: datetime.timedelta


MINUTE: Final = datetime.timedelta(minutes=1)
LOGIN: Final = Limit("login", 5, 15 * MINUTE, 15 * MINUTE)
DEVICE: Final = Limit("device", 5, MINUTE, 5 * MINUTE)
ADDRESS: Final = Limit("address", 20, MINUTE, 3 * MINUTE)
CODE: Final = Limit("code", 10, 15 * MINUTE, 15 * MINUTE)


def enter(act: Act, *tries: tuple[Limit, str]) -> datetime.timedelta | None:
    """Count one try against all of these; None lets it through, else how long to wait.

    Counted before the try is looked at: a hundred guesses at the same moment are a hundred.
    """
    longest = read_wait(act, *tries)
    if longest is None:  # rows are made for tries let through alone: who is held up cannot fill the table
        rows = [(limit, _lock_row(act, _look(act, limit, text))) for limit, text in sorted(tries)]
        longest = _longest_wait(act, rows)
        for limit, row in rows if longest is None else ():
            row.count = _remembered(limit, row, act.now) + 1
            row.since = act.now
    return longest


def read_wait(act: Act, *tries: tuple[Limit, str]) -> datetime.timedelta | None:
    """How long the next try has to wait, None where it need not; counts nothing."""
    known = [(limit, act.session.get(Attempt, _look(act, limit, text))) for limit, text in tries]
    return _longest_wait(act, [(limit, row) for limit, row in known if row is not None])


def forgive(act: Act, limit: Limit, text: str) -> None:
    """Forget the tries: the right password was given, or an admin says so."""
    act.session.execute(delete(Attempt).where(Attempt.look == _look(act, limit, text)))


def give_back(act: Act, limit: Limit, text: str) -> None:
    """Take one try off again: it was right. Others of the same caller still count."""
    row = act.session.get(Attempt, _look(act, limit, text), with_for_update=True, populate_existing=True)
    if row is not None and row.count:
        row.count -= 1


def sweep_attempts(act: Act, older: datetime.timedelta = datetime.timedelta(days=2)) -> int:
    """Drop what was forgotten long ago."""
    old = list(act.session.scalars(select(Attempt).where(Attempt.since < act.now - older)))
    for row in old:
        act.session.delete(row)
    return len(old)


def network_of(address: str) -> str:
    """What of an address stands for one caller: IPv4 whole, of IPv6 the network, for a household has 2^64."""
    try:
        told = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(told, ipaddress.IPv6Address):
        if told.ipv4_mapped is not None:
            return str(told.ipv4_mapped)
        return str(ipaddress.ip_network((told, 64), strict=False))
    return str(told)


def _look(act: Act, limit: Limit, text: str) -> str:
    return act.keys.look(f"attempt|{limit.kind}", text).hex()


def _remembered(limit: Limit, row: Attempt, now: datetime.datetime) -> int:
    """How many tries still count. Those of a clock that was ahead are none, or it would hold everybody behind an
    address until its day has come."""
    if row.since > now + SLACK:
        return 0
    quiet = max(now - row.since, datetime.timedelta())
    return max(0, row.count - quiet // limit.forget)


def _longest_wait(act: Act, rows: Sequence[tuple[Limit, Attempt]]) -> datetime.timedelta | None:
    longest = max((_left(limit, row, act.now) for limit, row in rows), default=datetime.timedelta())
    return longest if longest > datetime.timedelta() else None


def _left(limit: Limit, row: Attempt, now: datetime.datetime) -> datetime.timedelta:
    """How long the next try has to wait."""
    count = _remembered(limit, row, now)
    if count < limit.free:
        return datetime.timedelta()
    wait = min(limit.longest, datetime.timedelta(seconds=2 ** min(count - limit.free, 20)))
    return min(wait - (now - row.since), limit.longest)


def _lock_row(act: Act, look: str) -> Attempt:
    """The row, made where it is missing: two processes that make it at the same moment both go on."""
    if act.session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    values: dict[str, Any] = {"look": look, "since": act.now, "count": 0}
    act.session.execute(insert(Attempt).values(**values).on_conflict_do_nothing())
    row: Attempt = act.lock(Attempt, look)
    return row
