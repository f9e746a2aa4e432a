"""A chat server that misbehaves as servers do: free where a schema was asked, its thought in the answer, half a
body, a byte at a time, lists that name another model."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prescreen.service.engine.faults import DRAFT

NAME = "small"
LISTED = ({"id": NAME},)


class BadServer:
    """What it does wrong, by name; see `answer` and `Handler`."""

    def __init__(
        self, *wrong: str, listed: tuple[dict[str, Any], ...] = ({"id": NAME},), version: str = ""
    ) -> None:
        self.wrong, self.listed, self.version = set(wrong), listed, version
        self.url, self.asked = "", list[dict[str, Any]]()
        self.stopping = threading.Event()

    def answer(self, body: dict[str, Any]) -> tuple[str, str]:
        """Content and reasoning of one answer."""
        said = body["messages"][-1]["content"]
        form = body.get("response_format")
        if form and "ignores" not in self.wrong:
            content = json.dumps(fill(form["json_schema"]["schema"]))
        else:
            content = "I am fine, thank you. And you?"
        if "wrong json" in self.wrong:
            content = content.replace("}", "", 1)
        if "leaks" in self.wrong:
            content = f"<think>{said}</think>{content}"
        return content, f"They said: {said}"


def fill(schema: dict[str, Any]) -> Any:
    """An answer that fits: the one word a probe allows, or a whole draft."""
    if "word" in schema["properties"]:
        return {"word": schema["properties"]["word"]["enum"][0]}
    return DRAFT


@contextmanager
def misbehave(*wrong: str, **how: Any) -> Iterator[BadServer]:
    """A running server, stopped at the end."""
    server = BadServer(*wrong, **how)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "hangs" in server.wrong:
                server.stopping.wait(20)
            if self.path == "/v1/models" and "lists nothing" not in server.wrong:
                return self._send(200, json.dumps({"data": list(server.listed)}).encode())
            if self.path == "/version" and server.version:
                return self._send(200, json.dumps({"version": server.version}).encode())
            return self._send(404, b"no")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(body)
            if "hangs" in server.wrong or "hangs when asked" in server.wrong:
                server.stopping.wait(20)
            if "fails" in server.wrong:
                said = body["messages"][-1]["content"]
                return self._send(500, json.dumps({"error": {"message": f"cannot read {said}"}}).encode())
            if "refuses schemas" in server.wrong and "response_format" in body:
                return self._send(400, b'{"error": {"message": "response_format is not known here"}}')
            content, reasoning = server.answer(body)
            choice = {"message": {"role": "assistant", "content": content, "reasoning": reasoning}}
            choice["finish_reason"] = "length" if "cuts" in server.wrong else "stop"  # type: ignore[assignment]
            return self._send(200, json.dumps({"choices": [choice]}).encode())

        def _send(self, status: int, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if "drips" in server.wrong and status == 200 and self.command == "POST":
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        if server.stopping.wait(0.1):
                            return
                half = "breaks off" in server.wrong and self.command == "POST"
                self.wfile.write(body[: len(body) // 2] if half else body)
                if half:
                    self.close_connection = True
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
        server.stopping.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()
