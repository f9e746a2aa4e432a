"""Where a simulated year's real minutes go, part by part. Knows a stopwatch."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Spent:
    """Seconds by the name of a part; a part met again adds up."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Count what happens within."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._seconds[part] += time.monotonic() - begun

    def minutes(self) -> dict[str, float]:
        """All parts, the longest first."""
        ordered = sorted(self._seconds.items(), key=lambda item: -item[1])
        return {part: round(seconds / 60, 2) for part, seconds in ordered}
