"""Around every request: how many, how long, how they ended, and a span for each. Pure ASGI, outside the shell.

It keeps the route's template, never a path: a path may name a visit. Knows no page and no header.
"""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Final

from prescreen.service.shell import App, Message, Receive, Scope, Send
from prescreen.service.watch.labels import name_status
from prescreen.service.watch.points import Point
from prescreen.service.watch.spans import Spans

BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Traffic:
    """Counts of the requests since the start; any thread may read them."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        self._inside = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """One more is being answered."""
        with self._lock:
            self._inside += 1

    def end(self, route: str, method: str, status: int, seconds: float) -> None:
        """It was answered, or nobody was there any more (status 0)."""
        with self._lock:
            self._inside -= 1
            self._counts[(route, method, name_status(status))] += 1
            row = self._seconds.setdefault(route, [0] * (len(BOUNDS_S) + 1))
            row[bisect_left(BOUNDS_S, seconds)] += 1
            self._sums[route] = self._sums.get(route, 0.0) + seconds

    def tell(self) -> Iterator[Point]:
        """All counts so far."""
        with self._lock:
            inside, counts, sums = self._inside, dict(self._counts), dict(self._sums)
            rows = {route: list(row) for route, row in self._seconds.items()}
        yield Point("requests_in_flight", inside)
        for labels, count in counts.items():
            yield Point("requests_total", count, labels)
        for route, row in rows.items():
            up_to = tuple(sum(row[: at + 1]) for at in range(len(row)))
            yield Point("request_seconds", sums[route], (route,), up_to, BOUNDS_S)


class Counted:
    """The layer itself: tells `traffic` of every request."""

    def __init__(self, app: App, traffic: Traffic) -> None:
        self.app, self.traffic = app, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, sent = time.monotonic(), {"status": 0}

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
            await send(message)

        self.traffic.begin()
        with self.traffic.spans.span("request") as span:
            try:
                await self.app(scope, receive, send_noted)
            finally:
                route = scope.get("route")
                path, method = "" if route is None else str(route.path), str(scope["method"])
                self.traffic.end(path, method, sent["status"], time.monotonic() - begun)
                span.tell(route=path, method=method, status=sent["status"])
