"""Plain numbers about the questions a model was asked, for monitoring. Holds no id and no word of anybody."""

import threading
from bisect import bisect_left
from collections import Counter
from typing import Final

BUCKETS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)  # upper ends; longer ones follow


class Tally:
    """Counts and two latency histograms; every method may be called from any thread.

    `asked`, `answered`, `drafts`, `drafted`, `repaired` and `schema_failures` count acts; a fault counts under its
    lane and code, such as `draft_late`.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._seconds: dict[str, list[int]] = {}
        self._sums: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, name: str) -> None:
        """One more."""
        with self._lock:
            self._counts[name] += 1

    def time(self, lane: str, seconds: float) -> None:
        """How long one took, whatever came of it."""
        with self._lock:
            row = self._seconds.setdefault(lane, [0] * (len(BUCKETS_S) + 1))
            row[bisect_left(BUCKETS_S, seconds)] += 1
            self._sums[lane] += seconds  # type: ignore[assignment]

    def snapshot(self) -> dict[str, int]:
        """All counts so far."""
        with self._lock:
            return dict(self._counts)

    def latencies(self, lane: str) -> tuple[list[int], float]:
        """How many took up to each of BUCKETS_S and longer, and the seconds of all together."""
        with self._lock:
            return list(self._seconds.get(lane, [0] * (len(BUCKETS_S) + 1))), float(self._sums[lane])
