"""A chat server of a few lines, on this machine: answers from a function, counts what it is asked."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

MODEL = "small"


class Reply(NamedTuple):
    """What the server says: a chat completion holding `text`, or `raw` bytes, with a status, after a while."""

    text: str = ""
    status: int = 200
    raw: bytes | None = None
    after_s: float = 0.0
    finish: str = "stop"


class Server:
    """Where it listens, and all requests it has seen."""

    def __init__(self, answer: Callable[[dict[str, Any]], Reply]) -> None:
        self.answer, self.bodies = answer, list[dict[str, Any]]()
        self.headers: list[dict[str, str]] = []
        self.url = ""


def completion(reply: Reply) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": reply.text, "reasoning": "hm"}}
    document = {"choices": [choice | {"finish_reason": reply.finish}], "usage": {"completion_tokens": 7}}
    return json.dumps(document).encode()


@contextmanager
def serve(answer: Callable[[dict[str, Any]], Reply]) -> Iterator[Server]:
    """A running server, stopped at the end."""
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, json.dumps({"data": [{"id": MODEL}]}).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.bodies.append(body)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            if self.path != "/v1/chat/completions":
                return self._send(404, b"{}")
            reply = server.answer(body)
            time.sleep(reply.after_s)
            return self._send(reply.status, completion(reply) if reply.raw is None else reply.raw)

        def _send(self, status: int, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the other side has given up waiting

        def log_message(self, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}/v1"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
