"""A signal's chart: its weeks, its limits, its state, and one sentence a nurse understands. Judges nothing."""

import datetime
from typing import Literal, NamedTuple

from prescreen.monitor.signals import Signal

State = Literal["steady", "watch", "alarm", "too few"]
Unit = Literal["share", "seconds", "shift"]  # a shift is PSI beyond chance, or the widest gap of shares


class Point(NamedTuple):
    """One week of a chart. `figure` is None where nothing was counted; `n` is what it was counted among."""

    week: datetime.date
    figure: float | None
    n: int
    state: State


class Chart(NamedTuple):
    """One signal up to a week.

    `centre` is the reference's figure, `low` and `high` the limits of a week as large as the last one; None where
    there is none. `p` is the smallest chance found, `allowed` what the budget of false alarms allows; `cases` are
    visits worth reading, `reference` says which weeks it is judged against.
    """

    signal: Signal
    unit: Unit
    points: tuple[Point, ...]
    centre: float | None
    low: float | None
    high: float | None
    state: State
    sentence: str
    p: float | None = None
    allowed: float = 0.0
    reference: str = ""
    cases: tuple[str, ...] = ()
