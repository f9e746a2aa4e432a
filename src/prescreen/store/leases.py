"""When work is due and free to take. Knows no kind of work.

A clock that jumped ahead and came back must not hold anything for a year: a time farther off than any we set is of
such a clock, and counts as passed.
"""

import datetime
from typing import Final

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

from prescreen.store.base import Act
from prescreen.store.tables import Job, Outgoing

SLACK: Final = datetime.timedelta(minutes=5)  # two machines' clocks, or two acts begun at once, differ by less


def is_free(act: Act, row: type[Job] | type[Outgoing], lease: datetime.timedelta) -> ColumnElement[bool]:
    """Whether nobody holds it: never taken, run out, or held longer than any lease lasts."""
    return or_(row.lease_until.is_(None), row.lease_until < act.now, row.lease_until > act.now + lease + SLACK)


def is_due(
    act: Act, due: InstrumentedAttribute[datetime.datetime], farthest: datetime.timedelta
) -> ColumnElement[bool]:
    """Whether its time has come."""
    return or_(due <= act.now, due > act.now + farthest)
