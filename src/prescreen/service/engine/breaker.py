"""A circuit breaker and a door: who may ask the model now. Knows clocks, no engine and no case.

The breaker opens after failures in a row, lets one question through after a pause, and closes on its success. The
door lets so many in at once and keeps so many waiting; a patient's question goes before a draft.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from prescreen.config import Strict
from prescreen.service.engine.calling import Fault

Lane = Literal["ask", "draft"]
State = Literal["closed", "open", "half-open"]


class BreakerSettings(Strict):
    """Opens after so many failures in a row, for `pause_s`; each failed try doubles it, up to `longest_pause_s`."""

    failures: Annotated[int, Field(ge=1)] = 3
    pause_s: Annotated[float, Field(gt=0)] = 15.0
    longest_pause_s: Annotated[float, Field(gt=0)] = 300.0


class Turn(NamedTuple):
    """Leave to ask one question."""

    is_trial: bool


class Breaker:
    """Closed, open or half-open. Every turn that `admit` gives is followed by exactly one `note`."""

    def __init__(self, settings: BreakerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings, self._clock = settings, clock
        self._failures, self._pause_s = 0, settings.pause_s
        self._opened: float | None = None
        self._trying = False
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """Where it stands now."""
        with self._lock:
            return self._read()

    def refuses(self) -> bool:
        """Whether a question would be turned away now; takes no turn."""
        with self._lock:
            state = self._read()
            return state == "open" or (state == "half-open" and self._trying)

    def admit(self) -> Turn | None:
        """Leave to ask, or None; a half-open breaker gives one at a time, as a trial."""
        with self._lock:
            state = self._read()
            if state == "open" or (state == "half-open" and self._trying):
                return None
            self._trying = state == "half-open"
            return Turn(is_trial=self._trying)

    def note(self, turn: Turn, failed: bool, at_once: bool = False) -> None:
        """How an admitted question ended; `at_once` opens without waiting for more failures.

        One that was let in before the breaker opened and ends during the pause proves nothing either way.
        """
        with self._lock:
            if self._opened is not None and not turn.is_trial:
                return
            if turn.is_trial:
                self._trying = False
            if not failed:
                self._failures, self._pause_s, self._opened = 0, self.settings.pause_s, None
                return
            self._failures += 1
            if turn.is_trial:
                self._pause_s = min(self._pause_s * 2, self.settings.longest_pause_s)
            if turn.is_trial or at_once or self._failures >= self.settings.failures:
                self._opened = self._clock()

    def _read(self) -> State:
        if self._opened is None:
            return "closed"
        return "half-open" if self._clock() - self._opened >= self._pause_s else "open"


class Door:
    """At most `at_once` inside and `waiting` before it in each lane, first come first served within a lane.

    Where more than one may be inside, one place is kept free of drafts: a patient waits for a question now.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self.waiting = waiting
        self.places: dict[Lane, int] = {"ask": at_once, "draft": max(1, at_once - 1)}
        self._inside: dict[Lane, int] = {"ask": 0, "draft": 0}
        self._lanes: dict[Lane, deque[object]] = {"ask": deque(), "draft": deque()}
        self._changed = threading.Condition()

    @property
    def queued(self) -> int:
        """Questions and drafts that wait."""
        with self._changed:
            return sum(map(len, self._lanes.values()))

    @contextmanager
    def enter(self, lane: Lane, deadline: float) -> Iterator[Fault | None]:
        """None once inside; FULL at once where too many wait, BUSY when the time is up first."""
        fault = self._wait(lane, deadline)
        try:
            yield fault
        finally:
            if fault is None:
                with self._changed:
                    self._inside[lane] -= 1
                    self._changed.notify_all()

    def _wait(self, lane: Lane, deadline: float) -> Fault | None:
        ticket, line = object(), self._lanes[lane]
        with self._changed:
            if len(line) >= self.waiting and not self._is_free(lane):
                return Fault.FULL
            line.append(ticket)
            try:
                while not (self._is_free(lane) and line[0] is ticket):
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return Fault.BUSY
                    self._changed.wait(left)
                self._inside[lane] += 1
                return None
            finally:
                line.remove(ticket)
                self._changed.notify_all()

    def _is_free(self, lane: Lane) -> bool:
        """Whether there is a place for the first of this lane; a draft lets every waiting question go before it."""
        if sum(self._inside.values()) >= self.places["ask"]:
            return False
        return lane == "ask" or (self._inside["draft"] < self.places["draft"] and not self._lanes["ask"])
