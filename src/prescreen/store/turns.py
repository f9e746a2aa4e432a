"""Who writes next, among the threads of one process: first come, first served. Knows no database.

SQLite lets one act write at a time and has the others look again every so often, up to a tenth of a second apart:
who looked at the wrong moment waits for seconds. Here the one who waited longest is woken when the turn is free.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

from prescreen.errors import StoreError


class Turns:
    """One turn at a time, in the order of asking; StoreError for who waited `most_s` in vain."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._lock = Lock()
        self._taken = False
        self._waiting: deque[Event] = deque()

    @property
    def waiting(self) -> int:
        """How many stand in the line."""
        with self._lock:
            return len(self._waiting)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold the turn; it is handed on however this ends."""
        self._enter()
        try:
            yield
        finally:
            self._hand_on()

    def _enter(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            called = Event()
            self._waiting.append(called)
        if called.wait(self._most_s):
            return
        with self._lock:
            if called.is_set():  # called in the moment of giving up
                return
            self._waiting.remove(called)
        raise StoreError("others kept the database busy; nothing of this act was kept: try again")

    def _hand_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
