"""The service as its own process on a free port, beside a record system that refuses and tells back all it read."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from attacks.citadel import hidden

ROOT = Path(__file__).parents[2]


class Running(NamedTuple):
    """A live service: where it is, what it writes to, who may sign in."""

    port: int
    folder: Path
    passwords: dict[str, str]
    pid: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers={"accept": "text/html"}, timeout=30, trust_env=False)

    def staff(self, login: str) -> tuple[httpx2.Client, str]:
        """A client that came in by the door, and its form token."""
        client = self.client()
        form = {
            "csrf": hidden(client.get("/sign-in").text, "csrf"),
            "login": login,
            "password": self.passwords[login],
        }
        assert client.post("/sign-in", data=form).status_code == 303
        return client, hidden(client.get("/account").text, "csrf")


class Told(NamedTuple):
    """A request the record system got."""

    line: str
    headers: str


@contextmanager
def refuse_all() -> Iterator[tuple[str, list[Told]]]:
    """A record system that refuses everything and quotes the whole request in its answer."""
    told: list[Told] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            told.append(Told(self.requestline, str(self.headers)))
            text = body.decode("utf-8", "replace").replace("\\", " ").replace('"', " ")
            issue = f'{{"severity":"error","code":"invalid","diagnostics":"{text}","details":{{"text":"{text}"}}}}'
            answer = f'{{"resourceType":"OperationOutcome","issue":[{issue}]}}'.encode()
            self.send_response(422)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_GET

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/fhir", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, record: str = "", more: str = "") -> Iterator[Running]:
    """The service, until the end of the block; `more` are lines of its settings."""
    port = free_port()
    way = f"[{{kind: fhir, base_url: '{record}'}}]" if record else "[{kind: embedded}]"
    (folder / "serve.yaml").write_text(
        "demo: true\nclinic: {name: Harbour Clinic, emergency_number: '112', languages: [en, es]}\n"
        f"identity: {{totp_for: []}}\nreview: {{undo_s: 0, blind_share: 0}}\nrecord: {way}\n{more}"
    )
    (folder / "tmp").mkdir()
    told = (folder / "console.txt").open("wb")
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"}
    command = [
        sys.executable,
        "-m",
        "attacks.faulty",
        str(folder),
        str(folder / "data"),
        str(port),
        str(folder / "log"),
    ]
    process = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, env=environment)
    try:
        yield Running(port, folder, _wait(process, folder / "console.txt", port), process.pid)
    finally:
        process.terminate()
        process.wait(20)
        told.close()


def _wait(process: "subprocess.Popen[bytes]", console: Path, port: int) -> dict[str, str]:
    for _ in range(600):
        assert process.poll() is None, console.read_text()
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return dict(re.findall(r"^    (\S+)\s+(\S+)$", console.read_text(), re.M))
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the service did not start")
