"""The MLLP channel against a real server of the `hl7` package, and against servers that misbehave."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hl7
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hl7.mllp import start_hl7_server
from hypothesis import given
from hypothesis import strategies as st

from ehr.small_visit import make_visit
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.messages import control_id, write_mdm, write_oru
from prescreen.ehr.mllp_client import END, START, MllpChannel, judge_answer, read_answer
from prescreen.errors import GuardError
from prescreen.records.mllp import Listener, acknowledge, listen
from prescreen.records.segments import parse_message

Reply = Callable[[hl7.Message], str]


class Receiver:
    """A hospital's interface: keeps what it was sent and answers as told."""

    def __init__(self, reply: Reply) -> None:
        self.reply, self.messages, self.open, self.most = reply, list[hl7.Message](), 0, 0

    async def serve(self, reader: Any, writer: Any) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            message = await reader.readmessage()
            self.messages.append(message)
            await asyncio.sleep(0.02)
            writer.writeblock(self.reply(message).encode())
            await writer.drain()
        finally:
            self.open -= 1
            writer.close()


def answer(code: str, extra: str = "") -> Reply:
    """An acknowledgement with this code, and further segments."""

    def reply(message: hl7.Message) -> str:
        return str(message.create_ack(code)).removesuffix("\r") + "\r" + extra

    return reply


@contextmanager
def run_loop(start: Callable[[], Any]) -> Iterator[Any]:
    """An event loop in a thread; gives what the coroutine `start` returns."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    finally:

        async def stop() -> None:
            rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def run_receiver(reply: Reply, tls: ssl.SSLContext | None = None) -> Iterator[tuple[Receiver, int]]:
    receiver = Receiver(reply)

    async def start() -> Any:
        return await start_hl7_server(receiver.serve, "127.0.0.1", 0, limit=1 << 22, encoding="utf-8", ssl=tls)

    with run_loop(start) as server:
        yield receiver, server.sockets[0].getsockname()[1]
        server.get_loop().call_soon_threadsafe(server.close)  # a loop is no other thread's


@contextmanager
def run_socket(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with its one connection what a test wants."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join(10)


def read_frame(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(END + b"\r"):
        data += connection.recv(65536)
    return data


@pytest.mark.parametrize("kind", ["MDM", "ORU"])
@pytest.mark.parametrize("code", ["AA", "CA"])
def test_taken(kind: Any, code: str) -> None:
    visit = make_visit(note="Ärztin, 医生 | «ok» & \\ done")
    with run_receiver(answer(code)) as (receiver, port):
        receipt = MllpChannel("127.0.0.1", port, kind=kind, timeout_s=5).deliver(visit)
    assert receipt.reference == f"{kind}/{control_id(visit, kind)}"
    (message,) = receiver.messages
    assert str(message) == {"MDM": write_mdm, "ORU": write_oru}[kind](visit)
    note = next(row for row in message.segments("OBX") if str(row[3]).startswith("NOTE"))
    assert message.unescape(str(note[5])).endswith("Ärztin, 医生 | «ok» & \\ done")


@pytest.mark.parametrize(
    ("code", "extra", "lasting"),
    [
        ("AE", "", False),
        ("CE", "", False),
        ("AR", "", True),
        ("CR", "", True),
        ("AE", "ERR||PID^1^3|101^Required field missing^HL70357|E\r", True),
        ("AE", "ERR||TXA^1^12|205^Duplicate key identifier^HL70357|E\r", True),
        ("AE", "ERR|||206^Application record locked^HL70357|E\r", False),
        ("AR", "ERR|||207^Application internal error^HL70357|E\r", False),
        ("AR", "ERR|||SECRET words of a patient|E\r", True),
        ("ZZ", "", False),
        ("", "", False),
    ],
)
def test_refused(code: str, extra: str, lasting: bool) -> None:
    with run_receiver(answer(code, extra)) as (receiver, port), pytest.raises(DeliveryError) as caught:
        MllpChannel("127.0.0.1", port, timeout_s=5).deliver(make_visit())
    assert caught.value.lasting is lasting
    assert len(receiver.messages) == 1
    assert "SECRET" not in str(caught.value) and "Testa" not in str(caught.value)


def test_an_answer_to_another_message_is_no_receipt() -> None:
    def reply(message: hl7.Message) -> str:
        return answer("AA")(message).replace(control_id(make_visit(), "MDM"), "OTHER")

    with run_receiver(reply) as (_, port), pytest.raises(DeliveryError, match="another message") as caught:
        MllpChannel("127.0.0.1", port, timeout_s=5).deliver(make_visit())
    assert not caught.value.lasting


@pytest.mark.parametrize("said", ["", "MSH|^~\\&|A|B", "MSA|AA|1", "MSH|^~\\&|A\rMSA|AA", "\0\xff<html>"])
def test_what_is_no_acknowledgement_is_tried_again(said: str) -> None:
    with (
        run_receiver(lambda _: said) as (_, port),
        pytest.raises(DeliveryError, match="no acknowledgement") as caught,
    ):
        MllpChannel("127.0.0.1", port, timeout_s=5).deliver(make_visit())
    assert not caught.value.lasting


def test_sent_again_it_is_the_same_message() -> None:
    with run_receiver(answer("AE")) as (receiver, port):
        channel = MllpChannel("127.0.0.1", port, timeout_s=5)
        for _ in range(2):
            with pytest.raises(DeliveryError):
                channel.deliver(make_visit())
    assert str(receiver.messages[0]) == str(receiver.messages[1])


def test_one_message_at_a_time() -> None:
    visits = [make_visit(id=f"0000000{n}-0000-4000-8000-000000000000") for n in range(6)]
    with run_receiver(answer("AA")) as (receiver, port):
        channel = MllpChannel("127.0.0.1", port, timeout_s=10)
        threads = [threading.Thread(target=channel.deliver, args=(visit,)) for visit in visits]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(receiver.messages) == 6
    assert receiver.most == 1


def hang(connection: socket.socket) -> None:
    read_frame(connection)
    while connection.recv(4096):
        pass


def drop_after_sent(connection: socket.socket) -> None:
    read_frame(connection)


def drop_before_read(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def half_frame(connection: socket.socket) -> None:
    sent = parse_message(read_frame(connection)[1:-2])
    assert not isinstance(sent, str)
    connection.sendall(START + acknowledge("AA", "", sent)[:-10])


def drip(connection: socket.socket) -> None:
    read_frame(connection)
    try:
        for _ in range(200):
            connection.sendall(b"M")
            threading.Event().wait(0.05)
    except OSError:
        pass  # the channel has given up


def flood(connection: socket.socket) -> None:
    read_frame(connection)
    try:
        while True:
            connection.sendall(b"M" * 4096)
    except OSError:
        pass  # the channel has given up


@pytest.mark.parametrize("behave", [hang, drop_after_sent, drop_before_read, half_frame, drip])
def test_a_lost_answer_is_a_passing_fault(behave: Callable[[socket.socket], None]) -> None:
    visit = make_visit(note="x" * 200_000)
    with run_socket(behave) as port, pytest.raises(DeliveryError) as caught:
        MllpChannel("127.0.0.1", port, timeout_s=1).deliver(visit)
    assert not caught.value.lasting


def test_an_answer_without_end_is_given_up() -> None:
    with run_socket(flood) as port, pytest.raises(DeliveryError, match="ended before") as caught:
        MllpChannel("127.0.0.1", port, timeout_s=2).deliver(make_visit())
    assert not caught.value.lasting


def test_an_answer_in_pieces_is_read_whole() -> None:
    def pieces(connection: socket.socket) -> None:
        sent = parse_message(read_frame(connection)[1:-2])
        assert not isinstance(sent, str)
        for byte in b"\r\n" + START + acknowledge("AA", "", sent) + END + b"\r":
            connection.sendall(bytes([byte]))

    with run_socket(pieces) as port:
        MllpChannel("127.0.0.1", port, timeout_s=5).deliver(make_visit())


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DeliveryError, match="not there") as caught:
        MllpChannel("127.0.0.1", port, timeout_s=1).deliver(make_visit())
    assert not caught.value.lasting


def test_our_own_listener_takes_it(tmp_path: Path) -> None:
    async def exchange() -> None:
        async with listen(Listener(tmp_path / "spool"), port=0) as port:
            channel = MllpChannel("127.0.0.1", port, kind="ORU", timeout_s=5)
            await asyncio.to_thread(channel.deliver, make_visit())
            await asyncio.sleep(0.1)  # the listener sees the end of the connection

    asyncio.run(exchange())
    (stored,) = (tmp_path / "spool").glob("*.hl7")
    assert stored.read_bytes() == write_oru(make_visit()).encode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


def test_over_tls(certificate: Path) -> None:
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(certificate)
    trusting, strange = ssl.create_default_context(cafile=certificate), ssl.create_default_context()
    with run_receiver(answer("AA"), offered) as (receiver, port):
        MllpChannel("127.0.0.1", port, tls=trusting, timeout_s=5).deliver(make_visit())
        with pytest.raises(DeliveryError, match="certificate") as caught:
            MllpChannel("127.0.0.1", port, tls=strange, timeout_s=5).deliver(make_visit())
        with pytest.raises(DeliveryError):
            MllpChannel("127.0.0.1", port, timeout_s=1).deliver(make_visit())
    assert not caught.value.lasting
    assert len(receiver.messages) == 1


def test_a_host_that_is_no_name() -> None:
    with pytest.raises(DeliveryError, match="not there"):
        MllpChannel("x" * 80 + "..example", 1, allow_plain=True, timeout_s=1).deliver(make_visit())


def test_nothing_in_clear_to_another_machine() -> None:
    with pytest.raises(GuardError, match="in clear"):
        MllpChannel("engine.clinic.example", 2575)
    MllpChannel("engine.clinic.example", 2575, allow_plain=True)
    MllpChannel("localhost", 2575)


def test_it_cannot_be_asked() -> None:
    channel = MllpChannel("127.0.0.1", 1)
    assert channel.can_be_asked is False
    for ask in (channel.find, channel.read_history):
        with pytest.raises(DeliveryError, match="cannot be asked") as caught:
            ask("x")
        assert caught.value.lasting


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none_and_never_a_receipt(raw: bytes) -> None:
    with pytest.raises(DeliveryError):
        judge_answer(read_answer(raw), control_id(make_visit(), "MDM"))
