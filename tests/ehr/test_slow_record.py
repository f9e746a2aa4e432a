"""A record system that answers a byte at a time or loses what it said: no endless wait, every signature once."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ehr.small_visit import make_visit
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.desk import FhirDesk, refuse
from prescreen.ehr.fhir_client import RecordChannel
from prescreen.ehr.shelf import MemoryShelf, Query
from prescreen.ehr.wire import SLOWEST, HttpWire, Reply

TIMEOUT_S = 0.3


@contextmanager
def drip() -> Iterator[str]:
    """The address of a server that sends a byte long before the time-out, for a minute."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1200")
            self.end_headers()
            try:
                for _ in range(1200):
                    self.wfile.write(b" ")
                    if over.wait(0.05):
                        return
            except (BrokenPipeError, ConnectionResetError):
                return

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_answer_that_drips_is_given_up_and_tried_again_later() -> None:
    with drip() as address:
        wire, begun = HttpWire(address, timeout_s=TIMEOUT_S), time.monotonic()
        with pytest.raises(DeliveryError, match="too slowly") as caught:
            wire.send("GET", "Patient/1")
        wire.close()
    assert not caught.value.lasting
    assert time.monotonic() - begun < SLOWEST * TIMEOUT_S + 15


class Breaking:
    """A wire to a desk on which the nth request goes wrong: `after` it was done, `before`, or with a status."""

    def __init__(self, desk: FhirDesk, nth: int, how: str | int) -> None:
        self.desk, self.nth, self.how, self.count = desk, nth, how, 0

    def send(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        self.count += 1
        if self.count != self.nth:
            return self.desk.send(method, path, query, headers, body)
        if isinstance(self.how, int):
            return refuse(self.how, "exception", "on purpose")
        if self.how == "after":
            self.desk.send(method, path, query, headers, body)
        raise DeliveryError("the connection broke", lasting=False)


@pytest.mark.parametrize("how", ["after", "before", 409, 412, 429, 500, 503])
def test_whatever_breaks_at_any_request_the_signature_arrives_once(how: str | int) -> None:
    visit = make_visit()
    calls = Breaking(FhirDesk(MemoryShelf()), 0, "before")
    RecordChannel(calls).deliver(visit)
    assert calls.count > 4
    for nth in range(1, calls.count + 1):
        shelf = MemoryShelf()
        desk = FhirDesk(shelf)
        broken = Breaking(desk, nth, how)
        try:
            RecordChannel(broken).deliver(visit)
        except DeliveryError as error:
            assert how in (409, 412) or not error.lasting, f"given up at request {nth}"
        receipt = RecordChannel(desk).deliver(visit)
        assert receipt == RecordChannel(desk).deliver(visit)
        for kind in ("Composition", "Task", "Encounter", "Patient", "QuestionnaireResponse"):
            assert shelf.search(Query(kind)).total == 1, f"{kind} after {how} at request {nth}"
        assert shelf.search(Query("Task")).page[0].body["status"] == "completed"
