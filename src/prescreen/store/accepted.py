"""Accepted changes of signals as rows; each leaves its line in the log. Knows no signal and no figure."""

import datetime
from collections.abc import Sequence

from sqlalchemy import select

from prescreen.store.base import Act, new_id
from prescreen.store.loop_tables import AcceptedRow


def keep_accepted(act: Act, signal: str, since: datetime.date, why: str) -> AcceptedRow:
    """One more row, in the name of whoever acts."""
    row = AcceptedRow(id=new_id(), at=act.now, signal=signal, since=since.isoformat(), by=act.who.id, why=why)
    act.session.add(row)
    act.log("signal.accept", "", signal=signal, since=row.since)
    return row


def list_accepted(act: Act) -> Sequence[AcceptedRow]:
    """All rows, the oldest first."""
    return act.session.scalars(select(AcceptedRow).order_by(AcceptedRow.at, AcceptedRow.id)).all()
