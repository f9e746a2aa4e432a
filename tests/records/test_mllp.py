"""The listener over a real socket: acknowledgements, what lies on the disk, limits and rude senders."""

import asyncio
import contextlib
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.errors import GuardError
from prescreen.records.hl7v2 import Hl7v2Reader
from prescreen.records.mllp import Listener, listen
from prescreen.records.record import Record

ADT = "MSH|^~\\&|KIS|WARD|PS|CLINIC|20260310101500||ADT^A04|C1|P|2.5\rPID|1||4711\rPV2|||^cough\r"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def frame(text: str | bytes) -> bytes:
    return b"\x0b" + (text.encode() if isinstance(text, str) else text) + b"\x1c\r"


async def reply(reader: asyncio.StreamReader) -> list[list[str]]:
    async with asyncio.timeout(5):
        data = await reader.readuntil(b"\x1c\r")
    assert data[:1] == b"\x0b"
    return [line.split("|") for line in data[1:-2].decode().strip("\r").split("\r")]


def talk(listener: Listener, *talks: Talk) -> None:
    async def main() -> None:
        async with listen(listener, port=0) as port:

            async def one(act: Talk) -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    await act(reader, writer)
                finally:
                    writer.close()

            await asyncio.gather(*map(one, talks))

    asyncio.run(main())


def test_a_message_is_on_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    spool = tmp_path / "spool"

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(3):
            writer.write(frame(ADT.replace("C1", f"C{number}")))
            head, accepted = await reply(reader)
            assert head[2:6] == ["PS", "CLINIC", "KIS", "WARD"] and head[8] == "ACK^A04^ACK"
            assert accepted == ["MSA", "AA", f"C{number}"]
            assert len(list(spool.glob("*.hl7"))) == number + 1

    talk(Listener(spool), act)
    files = sorted(spool.iterdir())
    assert [f.read_text().split("|")[9] for f in files] == ["C0", "C1", "C2"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600 and stat.S_IMODE(spool.stat().st_mode) == 0o700
    (record,) = Hl7v2Reader().read(str(files[0]))
    assert isinstance(record, Record) and record.complaint == "cough"


def test_two_messages_in_one_packet_and_one_in_many(tmp_path: Path) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in frame(ADT) + frame(ADT):
            writer.write(bytes([byte]))
            await writer.drain()
        assert [(await reply(reader))[1][1] for _ in range(2)] == ["AA", "AA"]

    talk(Listener(tmp_path), act)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_no_message_is_rejected_and_the_connection_lives(tmp_path: Path) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for body in ("Zora Quirrel", "", "MSH|^~\\&|A", ADT.replace("|C1|", "||"), "MSHX"):
            writer.write(frame(body))
            answer = await reply(reader)
            assert answer[1][1] == "AR" and "Zora" not in str(answer)
        writer.write(b"noise\r\n" + frame(ADT))
        assert (await reply(reader))[1][1] == "AA"

    listener = Listener(tmp_path)
    talk(listener, act)
    assert listener.counts == {"AA": 1, "AE": 0, "AR": 5, "refused": 0}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_message_begun_anew_replaces_the_broken_one(tmp_path: Path) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x0b" + ADT[:30].encode() + frame(ADT.replace("C1", "C9")))
        assert (await reply(reader))[1][1:3] == ["AA", "C9"]

    talk(Listener(tmp_path), act)


def test_a_full_disk_answers_ae_and_leaves_no_half_file(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "spool")

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.spool.rmdir()
        writer.write(frame(ADT))
        assert (await reply(reader))[1][:3] == ["MSA", "AE", "C1"]
        listener.spool.mkdir()
        writer.write(frame(ADT))
        assert (await reply(reader))[1][1] == "AA"

    talk(listener, act)
    assert len(list(listener.spool.iterdir())) == 1


def test_too_large_is_refused_and_closed(tmp_path: Path) -> None:
    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(ADT + "NTE|" + "x" * 5000))
        assert (await reply(reader))[1][1] == "AR"
        with contextlib.suppress(ConnectionError):  # what was not read of the message makes the close a reset
            assert await reader.read() == b""

    talk(Listener(tmp_path, limit=2000), act)
    assert list(tmp_path.iterdir()) == []


def test_silent_and_dripping_senders_are_cut_off(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(3):
            assert await reader.read() == b""

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(3):
            for byte in frame(ADT):
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)
                if reader.at_eof():
                    return
        raise AssertionError("never cut off")

    talk(Listener(tmp_path, idle_s=0.3), silent, dripping)
    assert list(tmp_path.iterdir()) == []


def test_connections_are_bounded(tmp_path: Path) -> None:
    listener = Listener(tmp_path, connections=1)
    met = asyncio.Event()

    async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(ADT))
        await reply(reader)
        met.set()
        while not listener.counts["refused"]:
            await asyncio.sleep(0.01)

    async def second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await met.wait()

    async def main() -> None:
        async with listen(listener, port=0) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            task = asyncio.create_task(first(reader, writer))  # type: ignore[arg-type]
            await met.wait()
            other_reader, other = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.timeout(3):
                assert await other_reader.read() == b""
            await task
            writer.close()
            other.close()

    asyncio.run(main())
    assert listener.counts["refused"] == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_no_listening_in_clear_beyond_this_machine(tmp_path: Path, host: str) -> None:
    async def main() -> None:
        async with listen(Listener(tmp_path), host):
            raise AssertionError("listening")

    with pytest.raises(GuardError, match="in clear"):
        asyncio.run(main())


@settings(max_examples=25)
@given(
    pieces=st.lists(
        st.sampled_from([b"\x0b", b"\x1c", b"\r", frame(ADT), b"MSH|^~\\&|A||||||X^|1\r", b"MSH"])
        | st.binary(max_size=20),
        max_size=8,
    )
)
def test_no_bytes_stop_the_listener(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    listener = Listener(tmp_path_factory.mktemp("spool"), limit=4000, idle_s=5)

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(pieces))
        writer.write_eof()
        async with asyncio.timeout(3):
            await reader.read()

    async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(ADT))
        assert (await reply(reader))[1][1] == "AA"

    talk(listener, rude, polite)
