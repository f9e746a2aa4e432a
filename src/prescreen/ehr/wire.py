"""A FHIR request and its answer as plain values, and the one place that sends them over HTTP.

No proxy, no redirect, bounded answers, TLS unless the address is this machine. Knows no resource.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from prescreen.ehr.channel import DeliveryError
from prescreen.errors import InputError, PrescreenError

if TYPE_CHECKING:
    from httpx2 import Client, Response

FHIR_JSON = "application/fhir+json"
PASSING = frozenset({408, 429, 500, 502, 503, 504})
MAX_BYTES = 8 * 1024 * 1024
SLOWEST = 3  # times the time-out between two pieces that a whole answer may take


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self) -> dict[str, Any]:
        """The JSON object in the answer; a passing DeliveryError where there is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise DeliveryError("the record system answered with something that is not FHIR JSON", lasting=False)
        return found


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Turns an answer that lacks what FHIR requires, and what we cannot write or sign, into a DeliveryError; no
    answer is quoted."""
    try:
        yield
    except DeliveryError:
        raise
    except PrescreenError as error:
        raise DeliveryError(str(error), lasting=True) from None
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        kind = type(error).__name__
        raise DeliveryError(
            f"the record system tells of {what} in no form we can read ({kind})", lasting=True
        ) from None


class Wire(Protocol):
    """Sends one request; DeliveryError where no answer came. `path` is below the base, e.g. "Patient/1"."""

    def send(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply: ...


class Auth(Protocol):
    """Who we are to the record system."""

    def header(self) -> str:
        """The value of Authorization."""

    def forget(self) -> None:
        """The last value was refused."""


def check_address(url: str) -> str:
    """An https address, or http on this machine alone; InputError otherwise."""
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise InputError("the address must look like https://record.example/fhir, without user name or query")
    if parts.scheme == "http" and not _is_local(parts.hostname):
        raise InputError("the address must begin with https: patient data does not travel in clear")
    return url.rstrip("/")


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def open_client(timeout_s: float, ca: str | None = None) -> "Client":
    """A client that goes where it is sent and nowhere else; `ca` is a file of the clinic's own authority."""
    import logging
    import ssl

    from httpx2 import Client

    for name in ("httpx2", "httpcore2"):  # they would log every address, and an address names a patient
        logging.getLogger(name).setLevel(logging.WARNING)
    verify = ssl.create_default_context(cafile=ca) if ca else True
    return Client(timeout=timeout_s, trust_env=False, follow_redirects=False, verify=verify)


def fetch(client: "Client", method: str, url: str, *, most: int = MAX_BYTES, **content: Any) -> Reply:
    """One request; DeliveryError where no whole answer of bounded size came."""
    import httpx2

    try:
        with client.stream(method, url, **content) as response:
            until = time.monotonic() + SLOWEST * (client.timeout.read or 0.0)
            return Reply(response.status_code, dict(response.headers), _read_bounded(response, most, until))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DeliveryError(f"the record system does not answer ({type(error).__name__})", lasting=False) from None


def _read_bounded(response: "Response", most: int, until: float) -> bytes:
    """A server that sends a byte now and then must not hold up all that waits behind it."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if time.monotonic() > until:
            raise DeliveryError("the record system answers too slowly", lasting=False)
        if len(body) > most:
            raise DeliveryError(f"the record system's answer is longer than {most} bytes", lasting=True)
    return bytes(body)


class HttpWire:
    """A FHIR server at an address. A refused token is fetched anew once."""

    def __init__(
        self, base_url: str, auth: Auth | None = None, *, timeout_s: float = 20.0, ca: str | None = None
    ) -> None:
        self.base = check_address(base_url)
        self._auth, self._client = auth, open_client(timeout_s, ca)

    def send(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        url = (f"{self.base}/{path}" if path else self.base) + (f"?{query}" if query else "")
        reply = self._send(method, url, headers, body)
        if reply.status == 401 and self._auth:
            self._auth.forget()
            reply = self._send(method, url, headers, body)
        return reply

    def _send(self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes) -> Reply:
        sent = {"Accept": FHIR_JSON, **({"Content-Type": FHIR_JSON} if body else {}), **(headers or {})}
        if self._auth:
            sent["Authorization"] = self._auth.header()
        return fetch(self._client, method, url, headers=sent, content=body or None)

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()
