"""The signals of the last whole week as numbers, judged beside the service's work. Knows no page.

Judging reads a year of contacts (13 s of CPU for 2,080), so a thread of its own does it: when a week is first asked
for, an hour later where the store could not answer, and each day, for outcomes and accepted changes that come late.
"""

import datetime
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

from prescreen.monitor.chart import Chart
from prescreen.monitor.nesting import nest, parts_of
from prescreen.monitor.sheet import judge_week, parse_week
from prescreen.service.house import House
from prescreen.service.watch.labels import PART, SETS
from prescreen.service.watch.points import Point
from prescreen.store.base import Who

LOG: Final = logging.getLogger("prescreen.service")
WHO: Final = Who("watch", "service")
KEPT_S: Final = 24 * 3600.0
AGAIN_S: Final = 3600.0


class Weekly:
    """What was judged last, and a thread that judges anew when that is old."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lock = threading.Lock()
        self._charts: Sequence[Chart] = ()
        self._thread: threading.Thread | None = None
        self._week: datetime.date | None = None
        self._due = float("-inf")

    def tell(self) -> Iterator[Point]:
        """A point for each state of each signal, and its figure if it has one; none before a week is judged."""
        self._judge_when_due()
        with self._lock:
            charts = self._charts
        parts = parts_of(nest(charts))
        for chart in charts:
            stands = PART if chart.signal.name in parts else chart.state.replace(" ", "-")
            for state in sorted(SETS["verdict"]):
                yield Point("signal_state", state == stands, (chart.signal.name, state))
            last = chart.points[-1]
            if last.figure is not None:
                yield Point("signal_figure", last.figure, (chart.signal.name,))

    def wait(self, seconds: float) -> None:
        """Until the judging that goes on is over, or so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _judge_when_due(self) -> None:
        week = parse_week("", self._house.store.clock().date())
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            if week == self._week and time.monotonic() < self._due:
                return
            self._week, self._due = week, time.monotonic() + AGAIN_S
            self._thread = threading.Thread(target=self._judge, args=(week,), daemon=True, name="weekly")
            self._thread.start()

    def _judge(self, week: datetime.date) -> None:
        try:
            with self._house.store.look(WHO) as act:
                _, charts, _ = judge_week(act, week)
        except Exception as error:  # what was judged stands; a fault must not quote anything
            LOG.info("the week's signals were not judged: %s", type(error).__name__)
            return
        with self._lock:
            self._charts, self._due = charts, time.monotonic() + KEPT_S
