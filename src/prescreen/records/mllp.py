"""MLLP listener: takes HL7 v2 messages from a hospital's interface and spools each to a file of its own.

Answers AA once a message is on the disk, AE when it could not be stored, AR when it is no HL7 message. Binds to
this machine alone unless told otherwise. Knows framing and acknowledgements, and of the content only MSH; a message
sent twice is stored twice, and the reader merges it.
"""

import asyncio
import datetime
import ipaddress
import itertools
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prescreen.errors import GuardError
from prescreen.records.segments import Message, parse_message

START, END = b"\x0b", b"\x1c"


@dataclass
class Listener:
    """One spool folder and its limits; the counts say what became of the messages."""

    spool: Path
    limit: int = 8 << 20  # bytes of one message
    idle_s: float = 60.0  # in which a whole message must arrive
    connections: int = 32
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("AA", "AE", "AR", "refused"), 0))
    _open: int = 0
    _numbers: itertools.count = field(default_factory=itertools.count)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it closes, idles, or sends what cannot be framed."""
        if self._open >= self.connections:
            self.counts["refused"] += 1
            writer.close()
            return
        self._open += 1
        try:
            while True:
                async with asyncio.timeout(self.idle_s):
                    await reader.readuntil(START)
                    frame = await reader.readuntil(END)
                data = frame[:-1].rpartition(START)[2]  # a sender that starts anew has given up what it began
                await self._reply(writer, *await self._judge(data))
        except asyncio.LimitOverrunError:
            await self._reply(writer, "AR", f"no whole message within {self.limit} bytes", None)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass  # a silent, half-sent or broken connection: nothing was acknowledged, so the sender sends again
        finally:
            self._open -= 1
            writer.close()

    async def _judge(self, data: bytes) -> tuple[str, str, Message | None]:
        body = data.strip(b"\r\n \t")
        message = parse_message(body.replace(b"\r\n", b"\r").replace(b"\n", b"\r")) if body[:3] == b"MSH" else ""
        if isinstance(message, str):
            return "AR", "not an HL7 v2 message", None
        if not message.first("MSH").text(10):
            return "AR", "no message control id (MSH-10)", message
        try:
            await asyncio.to_thread(self._store, body)
        except OSError:
            return "AE", "could not be stored; send again", message
        return "AA", "", message

    def _store(self, body: bytes) -> None:
        """The whole message under its final name, or nothing; names sort in the order of arrival."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%f")
        path = self.spool / f"{now}-{os.getpid()}-{next(self._numbers):06d}.hl7"
        partial = path.with_name(f".{path.name}.partial")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as handle:
                handle.write(body + b"\r")
                handle.flush()
                os.fsync(handle.fileno())
            partial.replace(path)
            folder = os.open(self.spool, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            partial.unlink(missing_ok=True)

    async def _reply(self, writer: asyncio.StreamWriter, code: str, reason: str, message: Message | None) -> None:
        self.counts[code] += 1
        try:
            writer.write(START + acknowledge(code, reason, message) + END + b"\r")
            async with asyncio.timeout(self.idle_s):
                await writer.drain()
        except (TimeoutError, ConnectionError):
            pass  # the sender is gone; it sends again what it saw no answer to


def acknowledge(code: str, reason: str, message: Message | None) -> bytes:
    """The ACK of a message, in that message's own encoding characters; of what is none, in the usual ones."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d%H%M%S+0000")
    if message is None:
        return f"MSH|^~\\&|PRESCREEN||||{now}||ACK|{now}|P|2.5.1\rMSA|{code}||{reason}\r".encode()
    head = message.first("MSH")
    marks, raw = head.marks, [*head.fields, *[""] * 12]
    separator, part = marks.field, marks.component
    event = raw[9].split(part)[1] if part in raw[9] else ""
    kind = part.join(("ACK", event, "ACK")) if event else "ACK"
    answer = [
        "MSH",
        raw[2],
        raw[5],
        raw[6],
        raw[3],
        raw[4],
        now,
        "",
        kind,
        f"A{now}",
        raw[11] or "P",
        raw[12] or "2.5.1",
    ]
    accepted = ["MSA", code, raw[10], *([reason] if reason else [])]
    text = separator.join(answer) + "\r" + separator.join(accepted) + "\r"
    return text.replace("\x0b", "").replace("\x1c", "").encode(head.charset, "replace")


@asynccontextmanager
async def listen(
    listener: Listener,
    host: str = "127.0.0.1",
    port: int = 2575,
    *,
    tls: ssl.SSLContext | None = None,
    allow_plain: bool = False,
) -> AsyncIterator[int]:
    """Listen while the block runs; yields the port. Another machine may only send in clear when that is allowed."""
    if tls is None and not allow_plain and not _is_local(host):
        raise GuardError(
            f"listening on {host} without TLS would carry patient data in clear; pass a TLS context, "
            "or allow_plain where the network itself is closed"
        )
    listener.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = await asyncio.start_server(listener.answer, host, port, limit=listener.limit, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
