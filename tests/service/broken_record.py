"""A FHIR server as a process for fault tests: `python -m service.broken_record FOLDER PORT`.

Our own desk behind HTTP over a shelf on the disk: a kill loses nothing it has answered for. `faults.json` in its
folder names what goes wrong, as shares of requests: hang, slow, drip, status, lost (done, but the answer never
leaves), early (hung up before anything is done).
"""

import json
import random
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prescreen.ehr.desk import FhirDesk, refuse
from prescreen.ehr.shelf import Found, ShelfConflict, Stored
from prescreen.ehr.wire import Reply
from prescreen.errors import StoreError
from prescreen.store.base import Store
from prescreen.store.migrate import open_store
from prescreen.store.shelf import SqlShelf

STATUSES = (500, 503, 429, 409, 412)


def open_record(folder: Path) -> tuple[Store, FhirDesk]:
    """The store behind the server and its desk; also for who counts afterwards."""
    store = open_store(f"sqlite:///{folder / 'record.db'}", folder / "keys")
    return store, FhirDesk(SqlShelf(store, Stored, Found, ShelfConflict))


class Fates:
    """What happens to each request, drawn by seed."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self._random, self._lock = path, random.Random(seed), threading.Lock()

    def draw(self) -> tuple[str, dict[str, float]]:
        try:
            told: dict[str, float] = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return "fine", {}
        with self._lock:
            point = self._random.random()
        for name in ("hang", "slow", "drip", "status", "lost", "early"):
            point -= told.get(name, 0.0)
            if point < 0:
                return name, told
        return "fine", told

    def pick(self) -> int:
        with self._lock:
            return self._random.choice(STATUSES)


def serve(folder: Path, port: int, seed: int) -> None:
    """Answer until killed."""
    _, desk = open_record(folder)
    fates = Fates(folder / "faults.json", seed)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fate, told = fates.draw()
            self.close_connection = fate in ("hang", "lost", "early")
            if fate == "hang":
                time.sleep(told.get("hang_s", 5.0))
            if fate in ("hang", "early"):
                return
            if fate == "status":
                return self._send(refuse(fates.pick(), "exception", "a fault on purpose"))
            path, _, query = self.path.partition("?")
            try:
                reply = desk.handle(self.command, path.lstrip("/"), query, dict(self.headers.items()), body)
            except StoreError as error:
                reply = refuse(503, "transient", str(error))
            if fate == "lost":
                return
            if fate == "slow":
                time.sleep(told.get("slow_s", 0.3))
            self._send(reply, drip_s=told.get("drip_s", 0.05) if fate == "drip" else 0.0)

        def _send(self, reply: Reply, drip_s: float = 0.0) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.flush()
            size = 1 if drip_s else len(reply.body)
            for at in range(0, len(reply.body), size or 1):
                self.wfile.write(reply.body[at : at + size])
                if drip_s:
                    self.wfile.flush()
                    time.sleep(drip_s)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # who asked has hung up
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
