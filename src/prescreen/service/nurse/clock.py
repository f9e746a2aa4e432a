"""Waiting times in words, against what the clinic set for each level. Knows no page."""

import datetime
from collections.abc import Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo

from prescreen.clinic.acuity import Acuity


class Wait(NamedTuple):
    """How long somebody has waited: "17 min", "2 min over" or "43 min left", and ok | soon | over."""

    waited: str
    told: str
    state: str


def tell_wait(
    since: datetime.datetime, now: datetime.datetime, level: Acuity | None, targets: Mapping[Acuity, int]
) -> Wait:
    """A level nobody knows waits like HIGH, as in the queue."""
    minutes = max(0, int((now - since).total_seconds() // 60))
    left = targets[level or Acuity.HIGH] - minutes
    if left < 0 or (left == 0 and minutes > 0):
        return Wait(in_words(minutes), f"{in_words(-left)} over" if left else "due now", "over")
    return Wait(in_words(minutes), f"{in_words(left)} left", "soon" if left * 4 <= minutes else "ok")


def in_words(minutes: int) -> str:
    """17 min, 3 h 05 min, 2 d 4 h."""
    if minutes < 100:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def tell_time(at: datetime.datetime, zone: str, *, seconds: bool = False) -> str:
    """A time on the clinic's wall."""
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M:%S" if seconds else "%H:%M")


def tell_day(at: datetime.datetime, zone: str) -> str:
    """Day and time on the clinic's wall."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
