"""A channel over MLLP: one HL7 v2 message a connection, delivered when the receiver has acknowledged it by its id.

Exactly once needs the receiver: a message whose answer was lost is sent again, byte for byte, under the same
control id (MSH-10) and document number (TXA-12), by which it tells a repetition. Knows nothing of what is sent.
"""

import datetime
import ipaddress
import re
import socket
import ssl
import threading
import time
from typing import Final, NamedTuple

from prescreen.clinic.contact import Later
from prescreen.clinic.signed import SignedVisit
from prescreen.ehr.channel import DeliveryError, History, Receipt
from prescreen.ehr.messages import ROUTE, Kind, Route, control_id, write_mdm, write_oru
from prescreen.errors import GuardError

START, END = b"\x0b", b"\x1c"
LONGEST_ANSWER: Final = 64 << 10  # bytes; an acknowledgement has some hundred
TAKEN, REFUSED = ("AA", "CA"), ("AR", "CR")
_LASTING = {*map(str, range(100, 106)), *map(str, range(200, 206))}  # table 0357: this message, not this moment
_PASSING = {"206", "207"}  # record locked, error inside the receiver


class Answer(NamedTuple):
    """MSA-1, MSA-2 and the number of ERR-3 (table 0357) of an acknowledgement. Its texts may quote a patient."""

    code: str
    control_id: str
    error: str = ""


class MllpChannel:
    """Sends to one address; `tls` is a context that checks the receiver."""

    can_be_asked = False  # a delivery is known by its acknowledgement alone

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        allow_plain: bool = False,
        kind: Kind = "MDM",
        route: Route = ROUTE,
        timeout_s: float = 30.0,
    ) -> None:
        if tls is None and not allow_plain and not _is_local(host):
            raise GuardError(
                f"sending to {host} without TLS would carry patient data in clear; set a certificate, "
                "or allow_plain where the network itself is closed"
            )
        self.name = f"mllp-{kind.lower()}"
        self.host, self.port, self.tls = host, port, tls
        self.kind, self.route, self.timeout_s = kind, route, timeout_s
        self._one = threading.Lock()

    def deliver(self, visit: SignedVisit) -> Receipt:
        """Send and wait for the acknowledgement, all within `timeout_s`."""
        message = (write_mdm if self.kind == "MDM" else write_oru)(visit, self.route)
        with self._one:
            try:
                raw = self._exchange(message.encode())
            except ssl.SSLCertVerificationError:
                raise DeliveryError(
                    "the receiver's certificate is not trusted; check it and the address",
                    lasting=False,
                ) from None
            except TimeoutError:
                raise DeliveryError(
                    f"no acknowledgement within {self.timeout_s:g} s; it is sent again", lasting=False
                ) from None
            except (OSError, UnicodeError) as error:
                reason = type(error).__name__
                raise DeliveryError(f"the receiver is not there or hung up ({reason})", lasting=False) from None
        sent = control_id(visit, self.kind)
        judge_answer(read_answer(raw), sent)
        return Receipt(f"{self.kind}/{sent}", datetime.datetime.now(datetime.UTC))

    def find(self, signature: str) -> Receipt | None:
        """Always an error: None would claim that the record does not hold it."""
        raise DeliveryError("a record behind HL7 v2 cannot be asked what it holds; look there", lasting=True)

    def read_history(self, reference: str) -> History:
        """Always an error: no history comes this way."""
        raise DeliveryError("a record behind HL7 v2 cannot be asked for a history", lasting=True)

    def read_aftermath(self, signature: str, reference: str | None, since: datetime.datetime) -> Later | None:
        """Always an error: it is not known, which is not the same as nothing."""
        raise DeliveryError("a record behind HL7 v2 cannot be asked what came after", lasting=True)

    def _exchange(self, message: bytes) -> bytes:
        deadline = time.monotonic() + self.timeout_s
        with socket.create_connection((self.host, self.port), self.timeout_s) as plain:
            plain.settimeout(_left(deadline))
            wire = self.tls.wrap_socket(plain, server_hostname=self.host) if self.tls else plain
            with wire:
                wire.settimeout(_left(deadline))
                wire.sendall(START + message + END + b"\r")
                answer = b""
                while END not in answer:
                    wire.settimeout(_left(deadline))
                    more = wire.recv(4096)
                    answer += more
                    if not more or len(answer) > LONGEST_ANSWER:
                        raise DeliveryError(
                            "the connection ended before an acknowledgement; it is sent again", lasting=False
                        )
        return answer


def read_answer(raw: bytes) -> Answer | None:
    """The acknowledgement in a frame; None where it is none."""
    body = raw.partition(END)[0].rpartition(START)[2].decode("utf-8", "replace")
    if not re.match(r"MSH[^\w\s]", body):
        return None
    separator, component = body[3], body[4:5] or "^"
    rows = [row.split(separator) for row in re.split(r"\r\n|\r|\n", body)]
    said = next((row for row in rows if row[0] == "MSA" and len(row) > 2), None)
    if said is None:
        return None
    error = next((row[3].split(component)[0] for row in rows if row[0] == "ERR" and len(row) > 3), "")
    return Answer(said[1].strip(), said[2].strip(), error if re.fullmatch(r"\d{3}", error) else "")


def judge_answer(answer: Answer | None, sent: str) -> None:
    """Nothing where the message was taken, DeliveryError otherwise.

    AA and CA: taken. AR and CR: refused, lasting. AE and CE: tried again, for engines say so of a full disk as of a
    missing field; the outbox gives up in the end and shows it. A number of table 0357 tells more than either.
    """
    if answer is None:
        raise DeliveryError("the receiver's answer is no acknowledgement; it is sent again", lasting=False)
    if answer.control_id != sent:
        raise DeliveryError("the receiver acknowledged another message; it is sent again", lasting=False)
    if answer.code in TAKEN:
        return
    if answer.code not in (*REFUSED, "AE", "CE"):
        raise DeliveryError("the receiver's acknowledgement has no known code; it is sent again", lasting=False)
    lasting = answer.error in _LASTING or (answer.code in REFUSED and answer.error not in _PASSING)
    number = f", error {answer.error}" if answer.error else ""
    if answer.error == "205":
        mend = "it may hold this document already: look in the record"
    else:
        mend = "see the receiver's own log for the reason"
    raise DeliveryError(f"the receiver did not take the message ({answer.code}{number}); {mend}", lasting=lasting)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
