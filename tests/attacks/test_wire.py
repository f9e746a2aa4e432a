"""Bytes on the wire against the real server: two lengths, half requests, a crowd that never ends its sentence."""

import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

from attacks.process import Running, running

pytestmark = pytest.mark.long
HALF_OPEN = 200
SLOWEST_S = 2.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("wire")) as service:
        yield service


def talk(service: Running, data: bytes, *, close: bool = False, wait_s: float = 3.0) -> bytes:
    """What comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", service.port), 5) as link:
        link.sendall(data)
        if close:
            link.shutdown(socket.SHUT_WR)
        link.settimeout(wait_s)
        told = b""
        try:
            while chunk := link.recv(65_536):
                told += chunk
        except OSError:
            return told
        return told


def request(path: str = "/live", method: str = "GET", *more: str, body: bytes = b"") -> bytes:
    host = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    return (host + "".join(f"{line}\r\n" for line in more) + "\r\n").encode("latin-1") + body


INNER = b"GET /queue HTTP/1.1\r\nHost: localhost\r\nX-Inner: 1\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + INNER
SMUGGLED = {
    "two lengths": request("/sign-in", "POST", "Content-Length: 0", f"Content-Length: {len(INNER)}", body=INNER),
    "lengths in one": request("/sign-in", "POST", f"Content-Length: 0, {len(INNER)}", body=INNER),
    "length and chunks": request(
        "/sign-in", "POST", "Content-Length: 5", "Transfer-Encoding: chunked", body=CHUNKED
    ),
    "chunks and length": request(
        "/sign-in", "POST", "Transfer-Encoding: chunked", "Content-Length: 5", body=CHUNKED
    ),
    "chunked twice": request("/sign-in", "POST", "Transfer-Encoding: chunked, chunked", body=CHUNKED),
    "hidden chunked": request("/sign-in", "POST", "Transfer-Encoding: xchunked", "Content-Length: 5", body=CHUNKED),
    "chunked with tab": request(
        "/sign-in", "POST", "Transfer-Encoding:\tchunked", "Content-Length: 5", body=CHUNKED
    ),
    "space before colon": request("/sign-in", "POST", "Content-Length : 5", body=INNER),
    "folded header": request("/sign-in", "POST", "X: 1", " Content-Length: 5", body=INNER),
    "signed length": request("/sign-in", "POST", "Content-Length: +5", body=b"csrf="),
    "negative length": request("/sign-in", "POST", "Content-Length: -1", body=INNER),
    "long length": request("/sign-in", "POST", "Content-Length: " + "9" * 6_000, body=INNER),
    "odd chunk": request("/sign-in", "POST", "Transfer-Encoding: chunked", body=b"0x5\r\nhello\r\n0\r\n\r\n"),
    "huge chunk": request("/sign-in", "POST", "Transfer-Encoding: chunked", body=b"FFFFFFFFFFFFFFFFF\r\nx"),
    "negative chunk": request("/sign-in", "POST", "Transfer-Encoding: chunked", body=b"-1\r\nx"),
    "bare line feeds": b"GET /live HTTP/1.1\nHost: localhost\nConnection: close\n\n",
    "null in a header": request("/live", "GET", "X: a\0b"),
    "two hosts": request("/sign-in", "GET", "Host: evil.example"),
    "whole address": request("http://evil.example/sign-in"),
    "no host": b"GET /sign-in HTTP/1.1\r\nConnection: close\r\n\r\n",
    "old and no host": b"GET /sign-in HTTP/1.0\r\n\r\n",
    "huge header": request("/live", "GET", "X: " + "a" * 200_000),
    "many headers": request("/live", "GET", *(f"X-{n}: 1" for n in range(20_000))),
    "huge path": request("/" + "a" * 200_000),
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "two words": b"GET /\r\n\r\n",
    "web socket": request(
        "/queue", "GET", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"
    ),
    "http two": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_second_request_hides_in_the_first(service: Running, name: str) -> None:
    told = talk(service, SMUGGLED[name])
    answers = told.count(b"HTTP/1.1 ")
    assert answers <= 1 or (name == "http two" and told.rsplit(b"HTTP/1.1 ", 1)[1].startswith(b"400")), told[:500]
    status = int(told.split(b" ", 2)[1]) if answers else 0
    assert status < 500, told[:300]
    assert b"Traceback" not in told and b"uvicorn" not in told.lower() and b"x-inner" not in told.lower()
    calm = (
        "bare line feeds",
        "chunked with tab",
        "length and chunks",
        "chunks and length",
        "folded header",
        "web socket",
    )
    if name not in calm:
        assert status in (0, 400, 403, 404, 411, 413, 421, 431, 501), (name, status)
    assert httpx2.get(f"{service.url}/live", trust_env=False).status_code == 200


def test_half_a_form_is_no_form(service: Running) -> None:
    """Who hangs up in the middle has sent nothing: no half answer is kept, nothing half is signed."""
    with service.client() as client:
        page = client.get("/p/welcome/en").text
        token = page.split('name="csrf" value="')[1].split('"')[0]
        cookie = client.cookies["form"]
    body = f"csrf={token}&language=en&agree=yes&training=no".encode()
    kind = "Content-Type: application/x-www-form-urlencoded"
    log = service.folder / "log"
    before = log.read_text().count('"route": "patient-begin", "status": 200')
    head = request("/p/begin", "POST", kind, f"Cookie: form={cookie}", f"Content-Length: {len(body) + 50}")
    talk(service, head + body, close=True)
    time.sleep(0.5)
    assert log.read_text().count('"route": "patient-begin", "status": 200') == before
    whole = request("/p/begin", "POST", kind, f"Cookie: form={cookie}", f"Content-Length: {len(body)}")
    assert b"200" in talk(service, whole + body)[:20]


@pytest.mark.parametrize("kind", ["headers", "body", "idle", "reader"])
def test_half_open_crowds_keep_no_nurse_waiting(service: Running, kind: str) -> None:
    nurse = service.staff("nurse")[0]
    starts = {
        "headers": b"GET /queue HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        "body": request("/sign-in", "POST", "Content-Length: 200000") + b"csrf=",
        "idle": b"",
        "reader": request("/static/app.css") * 1,
    }
    links = []
    try:
        for _ in range(HALF_OPEN):
            link = socket.create_connection(("127.0.0.1", service.port), 5)
            link.sendall(starts[kind])
            links.append(link)
        slowest = 0.0
        for round in range(5):
            for link in links if kind in ("headers", "body") else ():
                link.sendall(b"a")
            begun = time.perf_counter()
            assert nurse.get("/queue").status_code == 200
            slowest = max(slowest, time.perf_counter() - begun)
            time.sleep(0.1 * round)
        assert slowest < SLOWEST_S
    finally:
        nurse.close()
        for link in links:
            link.close()


def test_the_console_tells_no_trace_after_all_of_it(service: Running) -> None:
    told = (service.folder / "console.txt").read_text() + (service.folder / "log").read_text()
    assert "Traceback" not in told
