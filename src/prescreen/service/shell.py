"""Around every request: size, host, security headers, one line in the log, no fault that tells a tale. Pure ASGI.

The log line holds method, route name, status and time: no path, no query, no body, for they may name a patient. A
fault is logged by its type and places in our code, never by its message or variables.
"""

import json
import logging
import re
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from starlette.requests import ClientDisconnect

from prescreen.service.settings import Web

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("prescreen.service")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ("cache-control", "no-store"),
)
INNER: Final = ("/live", "/ready")  # asked from inside by any address; they tell nothing of anybody
_TOO_LONG: Final = (413, "That is too long to be sent at once.")
_NO_FORM: Final = (415, "No form of ours sends that.")
_HOST: Final = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_STRICT: Final = ("strict-transport-security", "max-age=63072000; includeSubDomains")


class Shell:
    """The outermost layer."""

    def __init__(self, app: App, web: Web) -> None:
        self.app, self.web = app, web
        extra = (*HEADERS, _STRICT) if web.is_secure else HEADERS
        self._headers = [(name.encode(), value.encode()) for name, value in extra]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        begun, mark = time.monotonic(), secrets.token_hex(6)
        sent: dict[str, int] = {}
        refused = self._refuse(scope)

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
                own = {name for name, _ in message.get("headers", [])}
                added = [pair for pair in self._headers if pair[0] not in own]
                message["headers"] = [*message.get("headers", []), *added, (b"x-request-id", mark.encode())]
            await send(message)

        try:
            body = await self._read(receive) if refused is None else b""
            if refused is not None or body is None:
                await _say(send_marked, *(refused or _TOO_LONG))
            else:
                await self.app(scope, _replay(body, receive), send_marked)
        except ClientDisconnect:  # nobody is there to be answered
            sent.setdefault("status", 0)
        except Exception as error:  # nothing of a fault may reach the person or the log but where it happened
            _log(mark=mark, fault=type(error).__name__, at=_places(error))
            if "status" not in sent:
                await _say(send_marked, 500, f"Something went wrong here; nothing was lost. Reference {mark}.")
        route = scope.get("route")
        _log(
            mark=mark,
            method=scope["method"],
            route=route.name if route is not None else "",
            status=sent.get("status", 0),
            ms=round((time.monotonic() - begun) * 1000),
        )

    def _refuse(self, scope: Scope) -> tuple[int, str] | None:
        headers = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        host = _HOST.fullmatch(hosts[0].decode("latin-1").lower()) if len(hosts) == 1 else None
        known = host is not None and host[1].strip("[]") in self.web.hosts
        if not known and scope["path"] not in INNER:
            return 421, "This service is not reached by that name."
        for name, value in headers:
            if name == b"content-length" and not self._fits(value):
                return _TOO_LONG
            if name == b"content-type" and value.strip().lower().startswith(b"multipart/"):
                return _NO_FORM  # its parts may name any encoding, half characters among them
        return None

    def _fits(self, length: bytes) -> bool:
        return length.isdigit() and len(length) < 10 and int(length) <= self.web.body_limit

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body before anybody acts on a part of it; None where it goes over the limit."""
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect  # half a form is no form
            body += message.get("body", b"")
            if len(body) > self.web.body_limit:
                return None
            if not message.get("more_body", False):
                return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """What the application reads: the body once, then whatever comes (a hang-up)."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


def _places(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames[-6:]))


def _log(**told: str | int) -> None:
    LOG.info("%s", json.dumps(told))


async def _say(send: Send, status: int, sentence: str) -> None:
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>prescreen</title>'
        '<link rel="stylesheet" href="/static/app.css"></head>'
        f"<body><main><h1>{sentence}</h1></main></body></html>"
    ).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
