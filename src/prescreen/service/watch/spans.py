"""Traces with content off, and the only module that knows OpenTelemetry. Without settings every span is nothing.

A span holds codes and times: no word, no id of a patient or visit, no message of an exception. The gen_ai.* names
are still in development upstream, so all names stand in one table here. Knows no page and no engine.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from prescreen.errors import GuardError
from prescreen.service.record.ways import read_secret
from prescreen.service.watch.labels import SETS, Labels
from prescreen.service.watch.settings import TraceSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Kind = Literal["request", "draft", "question", "delivery"]
Code = str | int | float | bool
NAMES: Final[Mapping[str, str]] = {
    "kind": "prescreen.kind",
    "route": "http.route",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "model": "gen_ai.request.model",
    "finish": "gen_ai.response.finish_reasons",
    "output": "gen_ai.output.type",
    "version": "prescreen.model.version",
    "by": "prescreen.draft.by",
    "why": "prescreen.draft.why",
    "channel": "prescreen.channel",
    "fault": "error.type",
}
_SETS: Final = {
    "kind": frozenset({"request", "draft", "question", "delivery"}),
    "operation": frozenset({"chat"}),
    "provider": frozenset({"prescreen"}),
    "finish": frozenset({"stop", "length", "error"}),
    "output": frozenset({"json", "text"}),
    "by": SETS["by"],
    "why": SETS["why"],
    "method": SETS["method"],
}
_GEN_AI: Final[Mapping[str, dict[str, Code]]] = {
    "draft": {"operation": "chat", "provider": "prescreen", "output": "json"},
    "question": {"operation": "chat", "provider": "prescreen", "output": "text"},
}
MISSING: Final = (
    "serve.yaml asks for traces, but OpenTelemetry is not installed here; "
    "install prescreen[watch] or take `traces` out of the settings"
)


class Span:
    """A piece of work being timed; this one goes nowhere."""

    def tell(self, **codes: Code) -> None:
        """More about it, by the keys of NAMES."""


class Spans:
    """Makes spans; this one makes none. `labels` tells the sets that routes, channels and models are of."""

    def __init__(self) -> None:
        self.labels: Callable[[], Labels] = Labels

    @contextmanager
    def span(self, kind: Kind, **codes: Code) -> Iterator[Span]:
        """A span over the block. What the block raises goes on; of it the span keeps the type's name."""
        yield Span()

    def close(self) -> None:
        """Send what is left."""


class _Told(Span):
    def __init__(self, own: Any, labels: Labels) -> None:
        self._own, self._labels = own, labels

    def tell(self, **codes: Code) -> None:
        for key, value in codes.items():
            fitted = self._fit(key, value)
            self._own.set_attribute(NAMES[key], (fitted,) if key == "finish" else fitted)

    def _fit(self, key: str, value: Code) -> Code:
        """A text is one of its key's set; numbers are themselves."""
        if not isinstance(value, str) or key == "fault":
            return value
        known = _SETS.get(key)
        return self._labels.fit(key, value) if known is None else value if value in known else "other"


class TracedSpans(Spans):
    """Spans that an exporter gets, in batches, from a thread of their own."""

    def __init__(self, exporter: "SpanExporter", version: str, *, at_once: bool = False) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        super().__init__()
        told = {"service.name": "prescreen", "service.version": version}  # no detector: nothing of the machine
        self._provider = TracerProvider(resource=Resource(told), sampler=ALWAYS_ON, shutdown_on_exit=False)
        self._provider.add_span_processor(
            SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter, schedule_delay_millis=2000)
        )
        self._tracer = self._provider.get_tracer("prescreen")

    @contextmanager
    def span(self, kind: Kind, **codes: Code) -> Iterator[Span]:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        where = {"request": SpanKind.SERVER, "delivery": SpanKind.CLIENT}.get(kind, SpanKind.INTERNAL)
        with self._tracer.start_as_current_span(
            kind, kind=where, record_exception=False, set_status_on_exception=False
        ) as own:
            told = _Told(own, self.labels())
            told.tell(kind=kind, **_GEN_AI.get(kind, {}), **codes)
            try:
                yield told
            except BaseException as error:
                own.set_attribute(NAMES["fault"], type(error).__name__)
                own.set_status(Status(StatusCode.ERROR))
                raise

    def close(self) -> None:
        self._provider.shutdown()


def open_spans(settings: TraceSettings | None, version: str) -> Spans:
    """What the settings ask for; GuardError where a package or the file of headers is missing."""
    if settings is None:
        return Spans()
    try:
        import requests
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise GuardError(MISSING) from None
    session = requests.Session()
    session.trust_env = False  # no proxy, no password file: the settings alone say where spans go
    exporter = OTLPSpanExporter(
        endpoint=settings.endpoint,
        certificate_file=None if settings.ca is None else str(settings.ca),
        headers=_read_headers(settings.headers_file),
        timeout=5,
        session=session,
    )
    return TracedSpans(exporter, version)


def _read_headers(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    lines = [line.partition(":") for line in read_secret(path).splitlines() if line.strip()]
    if not all(mark and name.strip() for name, mark, _ in lines):
        raise GuardError(f"{path}: write one `name: value` a line")
    return {name.strip(): value.strip() for name, _, value in lines}
