"""The wire form of HL7 v2: texts cleaned, escaped and held to a length, fields, segments, times. Knows no message.

Whatever a person typed passes through `line`, `whole` or `pieces`, the only makers of `Encoded` from free text, so
it can neither open a segment or a field, nor mean HL7's "delete this" (two double quotes), nor hold control signs.
"""

import base64
import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final, NewType

from prescreen.ehr.channel import DeliveryError

Encoded = NewType("Encoded", str)
NOTHING: Final = Encoded("")
MARKS: Final = Encoded("^~\\&")
LONGEST_FIELD: Final = 250  # of a composite field in 2.5.1
LONGEST_TEXT: Final = 65_536  # of an FT value in 2.5.1
_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\n": "\\.br\\"}
_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_UNSEEN = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff]")
_NULL = '""'


def clean(text: str) -> str:
    """The text with one kind of line break, without control characters or marks that turn its direction round."""
    broken = _BREAKS.sub("\n", text.encode("utf-8", "replace").decode()).replace("\t", " ")
    return _UNSEEN.sub("", broken).strip()


def line(text: str, limit: int | None = None) -> Encoded:
    """One value on one line, cut at `limit` characters as they go over the wire, never inside an escape."""
    return next(_chunks(" ".join(clean(text).split("\n")), limit or LONGEST_TEXT), NOTHING)


def whole(text: str) -> Encoded:
    """An id exactly as it is; one that would have to be changed stops the message, for it would be another id."""
    if clean(text) != text.strip() or "\n" in text.strip():
        raise DeliveryError("an id holds control characters; correct it in the record", lasting=True)
    return line(text)


def pieces(text: str) -> list[Encoded]:
    """A formatted text (FT), in as many values as its length needs; none where there is nothing to say."""
    return list(_chunks(clean(text), LONGEST_TEXT))


def _chunks(text: str, limit: int) -> Iterator[Encoded]:
    if text == _NULL:
        yield Encoded("\\X22\\\\X22\\")
        return
    held: list[str] = []
    size = 0
    for character in text:
        wire = _ESCAPES.get(character, character)
        if size + len(wire) > limit:
            yield Encoded("".join(held))
            held, size = [], 0
        held.append(wire)
        size += len(wire)
    if held:
        yield Encoded("".join(held))


def number(value: float) -> Encoded:
    """A measured value (NM): no exponent, no zeros behind."""
    return Encoded(f"{value:.4f}".rstrip("0").rstrip("."))


def moment(when: datetime.datetime) -> Encoded:
    """A time (TS) in UTC, so that the same instant is always written the same way."""
    return Encoded(when.astimezone(datetime.UTC).strftime("%Y%m%d%H%M%S+0000"))


def mark(text: str) -> Encoded:
    """Twenty characters that stand for an id of ours; MSH-10 and TXA-12 have no room for a UUID in 2.5.1."""
    return Encoded(base64.b32encode(hashlib.sha256(text.encode()).digest())[:20].decode())


def composite(*components: Encoded | tuple[Encoded, ...], limit: int = LONGEST_FIELD) -> Encoded:
    """A field of components, a tuple being subcomponents. Too long stops the message: an id cut is another's."""
    joined = "^".join("&".join(part) if isinstance(part, tuple) else part for part in components).rstrip("^&")
    if len(joined) > limit:
        raise DeliveryError(
            f"an id or code is longer than the {limit} characters HL7 v2 has for it; shorten it in the settings or "
            "in the record, or send by FHIR",
            lasting=True,
        )
    return Encoded(joined)


def segment(name: str, fields: Mapping[int, Encoded]) -> str:
    """One segment from its fields by HL7's own numbers."""
    values = [fields.get(place, NOTHING) for place in range(1, max(fields) + 1)]
    if name == "MSH":  # HL7 counts the separator itself as MSH-1
        values = values[1:]
    return "|".join((name, *values)) + "\r"
