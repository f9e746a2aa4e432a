"""The way of a signature to the record: taken under lease, sent, tried again, given up; nothing is ever forgotten.

A row that was given up (dead) stays in sight until a person sends it again. Knows no channel's inside.
"""

import datetime
from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import aliased

from prescreen.clinic.signed import SignedVisit
from prescreen.errors import RefusedError
from prescreen.store.base import Act
from prescreen.store.leases import is_due, is_free
from prescreen.store.reviews import read_signed
from prescreen.store.tables import Outgoing, Review

LEASE: Final = datetime.timedelta(seconds=120)
TRIES: Final = 12
_FIRST, _LONGEST = 2.0, 900.0  # seconds between tries
FARTHEST: Final = datetime.timedelta(hours=1)  # no row is ever put off longer, nor may be undone longer


class Parcel(NamedTuple):
    """A signature to send through one channel."""

    row_id: str
    channel: str
    visit: SignedVisit
    attempts: int


class Ways(NamedTuple):
    """Whose rows are meant: those of the channels named, or with `others` of every channel but these."""

    names: tuple[str, ...] = ()
    others: bool = True


ALL: Final = Ways()


def is_parcel_due(act: Act, lease: datetime.timedelta = LEASE, ways: Ways = ALL) -> bool:
    """Whether `take_parcel` would find one: a look takes no turn from anybody."""
    return act.session.scalar(_due(act, lease, ways).with_only_columns(Outgoing.id)) is not None


def take_parcel(act: Act, worker: str, lease: datetime.timedelta = LEASE, ways: Ways = ALL) -> Parcel | None:
    """The oldest row that is due and nobody holds; a correction waits until what it corrects has left."""
    row = act.session.scalar(_due(act, lease, ways).with_for_update(skip_locked=True))
    if row is None:
        return None
    row.lease, row.lease_until, row.attempts = worker, act.now + lease, row.attempts + 1
    return Parcel(row.id, row.channel, read_signed(act, act.session.get_one(Review, row.review_id)), row.attempts)


def mark_sent(act: Act, parcel: Parcel, receipt: str) -> None:
    """The record has it. Said twice it stays said once."""
    row: Outgoing = act.lock(Outgoing, parcel.row_id)
    if row.state == "sent":
        return
    row.state, row.receipt, row.sent, row.error = "sent", receipt, act.now, ""
    row.lease = row.lease_until = None
    act.log("record.sent", parcel.visit.visit_id, review=parcel.visit.id, channel=row.channel, receipt=receipt)


def mark_failed(act: Act, parcel: Parcel, error: str, *, lasting: bool) -> None:
    """It did not arrive: later again, each time twice as late, or given up where trying again cannot help."""
    row: Outgoing = act.lock(Outgoing, parcel.row_id)
    if row.state != "waiting":
        return
    row.error, row.lease, row.lease_until = error, None, None
    if lasting or row.attempts >= TRIES:
        row.state = "dead"
        act.log("record.dead", parcel.visit.visit_id, "failed", review=parcel.visit.id, channel=row.channel)
    else:
        wait = min(_FIRST * 2 ** (row.attempts - 1), _LONGEST)
        row.due = act.now + datetime.timedelta(seconds=wait)


def send_again(act: Act, row_id: str) -> None:
    """A person lets a dead row be tried anew; not where a correction of it has left or will, which it would undo.

    A correction may itself be corrected, so all that came after are asked for.
    """
    row: Outgoing = act.lock(Outgoing, row_id)
    corrections = select(Review.id).where(Review.corrects == row.review_id).cte(recursive=True)
    corrections = corrections.union(select(Review.id).join(corrections, Review.corrects == corrections.c.id))
    later = select(Outgoing.state).where(Outgoing.review_id.in_(select(corrections.c.id)))
    if {"sent", "waiting"} & set(act.session.scalars(later.where(Outgoing.channel == row.channel))):
        raise RefusedError("a correction of it is in the record or on its way; this would bring back the old one")
    if row.state == "dead":
        row.state, row.attempts, row.due = "waiting", 0, act.now
        act.log("record.again", row.review_id, channel=row.channel)


class Sent(NamedTuple):
    """A row as reconciliation sees it."""

    row_id: str
    signature: str
    channel: str
    state: str


def list_since(act: Act, since: datetime.datetime) -> list[Sent]:
    """All rows of signatures since a moment, but those taken back."""
    query = select(Outgoing).join(Review, Review.id == Outgoing.review_id)
    query = query.where(Review.at >= since, Outgoing.state != "cancelled").order_by(Review.at)
    return [Sent(row.id, row.review_id, row.channel, row.state) for row in act.session.scalars(query)]


def settle(act: Act, row_id: str, receipt: str) -> None:
    """The record turned out to hold it."""
    row: Outgoing = act.lock(Outgoing, row_id)
    if row.state in ("waiting", "dead"):
        row.state, row.receipt, row.sent, row.error = "sent", receipt, act.now, ""
        row.lease = row.lease_until = None
        act.log("record.settled", row.review_id, channel=row.channel, receipt=receipt)


def report_lost(act: Act, row_id: str) -> None:
    """The record does not hold what it had taken: a person must see it."""
    row: Outgoing = act.lock(Outgoing, row_id)
    if row.state == "sent":
        row.state, row.error = "dead", "the record does not hold it any more"
        act.log("record.lost", row.review_id, "failed", channel=row.channel)


def list_rows(act: Act, states: Collection[str], limit: int = 200) -> list[Outgoing]:
    """Rows in these states, those given up first; they name no patient."""
    query = select(Outgoing).where(Outgoing.state.in_(states)).order_by(Outgoing.state, Outgoing.due).limit(limit)
    return list(act.session.scalars(query))


def count_states(act: Act) -> dict[str, int]:
    """How many rows there are in each state."""
    query = select(Outgoing.state, func.count()).group_by(Outgoing.state)
    return {state: count for state, count in act.session.execute(query)}


def _due(act: Act, lease: datetime.timedelta, ways: Ways) -> Select[Outgoing]:
    earlier = aliased(Outgoing)
    held_back = exists().where(
        Review.id == Outgoing.review_id,
        earlier.review_id == Review.corrects,
        earlier.channel == Outgoing.channel,
        earlier.state == "waiting",
    )
    return (
        select(Outgoing)
        .where(
            ~held_back,
            Outgoing.channel.not_in(ways.names) if ways.others else Outgoing.channel.in_(ways.names),
            Outgoing.state == "waiting",
            is_due(act, Outgoing.due, FARTHEST),
            is_free(act, Outgoing, lease),
        )
        .order_by(Outgoing.due)
        .limit(1)
    )
