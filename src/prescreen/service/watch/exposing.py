"""/metrics on a port of its own: collects the points, holds every label to its set, answers a scrape.

The library writes the text; the look at the store is kept for some seconds, so that many who ask cost no more than
one. Knows no metric's source but by its function.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prescreen.errors import GuardError, StoreError
from prescreen.service.house import House
from prescreen.service.watch.counting import SIGN_BOUNDS_S, count_all
from prescreen.service.watch.labels import Labels, name_labels
from prescreen.service.watch.machine import tell_machine
from prescreen.service.watch.points import METRICS, PREFIX, Point
from prescreen.service.watch.traffic import Traffic
from prescreen.service.watch.weekly import Weekly
from prescreen.store.base import Who
from prescreen.store.figures import Figures, Past, read_figures, read_past

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

LOG: Final = logging.getLogger("prescreen.service")
WHO: Final = Who("watch", "service")
KEPT_S: Final = 10.0
PAST_KEPT_S: Final = 60.0  # it walks whole tables
_PATIENCE_S: Final = 5.0
MISSING: Final = (
    "serve.yaml asks for metrics, but prometheus-client is not installed here; "
    "install prescreen[watch] or take `metrics` out of the settings"
)


class Look:
    """The store's figures, read once in some seconds, the past once in a minute, by one thread at a time."""

    def __init__(self, house: House, kept_s: float = KEPT_S, past_kept_s: float = PAST_KEPT_S) -> None:
        self._house, self._kept_s, self._past_kept_s = house, kept_s, past_kept_s
        self._past: Past | None = None
        self._past_at = 0.0
        self._lock = threading.Lock()
        self._found: Figures | None = None
        self._at = float("-inf")
        self.seconds = 0.0

    def read(self) -> Figures | None:
        """The figures, None while the store cannot answer."""
        with self._lock:
            begun = time.monotonic()
            if begun - self._at >= self._kept_s:
                try:
                    with self._house.store.look(WHO) as act:
                        if self._past is None or begun - self._past_at >= self._past_kept_s:
                            self._past, self._past_at = read_past(act, SIGN_BOUNDS_S), begun
                        self._found = read_figures(act, self._past)
                except StoreError:
                    self._found = None
                self._at = time.monotonic()
                self.seconds = self._at - begun
            return self._found


class Collector:
    """All points of a house as the library's families; every label value is one of its set."""

    def __init__(self, house: House, traffic: Traffic, data: Path) -> None:
        self._house, self._traffic, self._data = house, traffic, data
        self._look, self.weekly = Look(house), Weekly(house)

    def collect(self) -> "Iterator[Family]":
        """What `generate_latest` asks for."""
        yield from make_families(self.points(), name_labels(self._house))

    def points(self) -> Iterator[Point]:
        """Everything as it is now."""
        figures = self._look.read()
        yield Point("store_up", figures is not None)
        yield Point("look_seconds", self._look.seconds)
        if figures is not None:
            settings = self._house.settings
            channels = [way.name for way in settings.record]
            yield from count_all(figures, settings.review.targets_min, self._house.draft_by, channels)
        yield from self.weekly.tell()
        yield from tell_machine(self._house, self._data)
        yield from self._traffic.tell()


def make_families(points: Iterable[Point], labels: Labels) -> "Iterator[Family]":
    """Points by metric; those whose labels fell together into `other` are added up."""
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.samples import Sample

    found: dict[str, dict[tuple[str, ...], Point]] = {name: {} for name in METRICS}
    for point in points:
        sets = [name for _, name in METRICS[point.name].labels]
        fitted = tuple(labels.fit(name, value) for name, value in zip(sets, point.labels, strict=True))
        before = found[point.name].get(fitted)
        found[point.name][fitted] = point if before is None else _add(before, point)
    for name, values in found.items():
        metric = METRICS[name]
        full = PREFIX + name
        family = Family(full.removesuffix("_total"), metric.meaning, metric.kind)
        for fitted, point in values.items():
            told = {label: value for (label, _), value in zip(metric.labels, fitted, strict=True)}
            family.samples += (Sample(full + tail, {**told, **more}, value) for tail, more, value in _lines(point))
        yield family


def _add(one: Point, other: Point) -> Point:
    """Two points of one label: counts are added up, of ages the older counts."""
    if one.name.endswith("oldest_seconds"):
        return one if one.value >= other.value else other
    buckets = tuple(a + b for a, b in zip(one.buckets, other.buckets, strict=True))
    return one._replace(value=one.value + other.value, buckets=buckets)


def _lines(point: Point) -> Iterator[tuple[str, dict[str, str], float]]:
    if not point.buckets:
        yield "", {}, float(point.value)
        return
    for bound, count in zip((*map(str, point.bounds), "+Inf"), point.buckets, strict=True):
        yield "_bucket", {"le": bound}, count
    yield "_count", {}, point.buckets[-1]
    yield "_sum", {}, point.value


@contextmanager
def expose(house: House, traffic: Traffic, data: Path) -> Iterator[None]:
    """The port for metrics over a block, where the settings name one."""
    settings = house.settings.metrics
    if settings is None:
        yield
        return
    with serve_metrics(Collector(house, traffic, data), settings.host, settings.port):
        yield


@contextmanager
def serve_metrics(collector: Collector, host: str, port: int) -> Iterator[int]:
    """The port, while it answers; GuardError where it is taken or the library is missing."""
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
    except ImportError:
        raise GuardError(MISSING) from None
    registry = CollectorRegistry()
    registry.register(collector)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S
        server_version, sys_version = "prescreen", ""

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self._answer(404, b"")
                return
            try:
                told = generate_latest(registry)
            except Exception as error:  # a fault of ours: it is counted by its absence, and must not quote anything
                LOG.info("metrics failed: %s", type(error).__name__)
                self._answer(500, b"")
                return
            self._answer(200, told)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: a scrape every half a minute is no news."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError:
        raise GuardError(f"port {port} of {host} cannot be opened; free it or set metrics.port") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
