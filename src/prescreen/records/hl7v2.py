"""Reader of HL7 v2 files: ADT, ORU R01 and MDM T02 messages become one record a contact.

Messages of one visit, or of one patient within a day where no visit is named, are merged while at most WINDOW
contacts are open. Knows nothing about fields.
"""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

from prescreen.errors import InputError
from prescreen.records.contacts import Contact, message_time, patient_key
from prescreen.records.hl7v2_codes import LATER
from prescreen.records.measures import naive
from prescreen.records.record import Record, Reject
from prescreen.records.segments import Message, Raw, parse_message, split_messages

WINDOW = 64  # contacts and rejects held open, so that a feed's interleaved visits still meet
DAY = datetime.timedelta(hours=24)
TAKEN = {"ADT": ("A01", "A03", "A04", "A08"), "ORU": ("R01",), "MDM": ("T02",)}
TYPES = re.compile(
    r"ACK|ADT|BAR|DFT|MDM|MFN|OM[GLP]|OR[MRU]|OUL|PPR|QBP|RAS|RD[ES]|REF|RSP|S[IS]U|VXU"
)  # a type that is none of these may be a slice of a patient's data, so no message quotes it


def check_message(message: Message) -> str:
    """Why a message is not read, or ""."""
    head = message.first("MSH")
    kind, event = head.text(9, 1), head.text(9, 2)
    if event not in TAKEN.get(kind, ()):
        named = kind if TYPES.fullmatch(kind) else "of unknown type"
        taken = ", ".join(f"{k} {'/'.join(events)}" for k, events in TAKEN.items())
        return f"message {named} is not read (taken: {taken})"
    if not patient_key(message):
        return "no patient number in PID-3 or PID-2, so it joins to nobody; send PID"
    document = message.first("TXA")
    if kind == "MDM" and document.text(2) in LATER:
        return f"a {LATER[document.text(2)]} is written after the contact, so it is not read"
    if kind == "MDM" and document.text(19) in ("CA", "OB"):
        return "the document was cancelled or replaced (TXA-19)"
    return ""


class Hl7v2Reader:
    """Files of HL7 v2 messages; `place` is the number of a contact's first message."""

    name = "hl7v2/1"

    def read(self, path: str, start: int = 1) -> Iterator[Record | Reject]:
        """Everything from message `start` on; a contact that began before it is left out whole."""
        file = Path(path).name
        held: list[Contact | Reject] = []
        raw = None
        try:
            with open(path, "rb") as handle:
                for raw in split_messages(handle):
                    self._take(raw, file, held)
                    while len(held) > WINDOW:
                        yield from self._close(held.pop(0), file, start)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror}); check the path", file=path) from None
        if raw is None:
            held.append(Reject(file, 1, "holds no message; export it again"))
        for entry in held:
            yield from self._close(entry, file, start)

    def _take(self, raw: Raw, file: str, held: list[Contact | Reject]) -> None:
        message = parse_message(raw.data) if not raw.fault else raw.fault
        fault = message if isinstance(message, str) else check_message(message)
        if isinstance(message, str) or fault:
            held.append(Reject(file, raw.place, fault))
            return
        contact = find_contact(message, held)
        if contact is None:
            contact = Contact(raw.place, patient_key(message))
            held.append(contact)
        contact.add(message, raw.data)

    def _close(self, entry: Contact | Reject, file: str, start: int) -> Iterator[Record | Reject]:
        if entry.place >= start:
            yield entry if isinstance(entry, Reject) else entry.record(file, self.name)


def find_contact(message: Message, held: list[Contact | Reject]) -> Contact | None:
    """The open contact a message belongs to: the latest of the same patient and visit."""
    patient, visit = patient_key(message), message.first("PV1").text(19)
    now = message_time(message)
    for entry in reversed(held):
        if isinstance(entry, Reject) or entry.patient != patient:
            continue
        if visit and entry.visit:
            if visit == entry.visit:
                return entry
            continue
        if now is None or entry.when is None or abs(naive(now) - naive(entry.when[1])) <= DAY:
            return entry
    return None
