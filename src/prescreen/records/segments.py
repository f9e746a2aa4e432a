"""HL7 v2 on the wire: messages of a stream, their segments, fields and escapes.

Knows framing, batch envelopes, encoding characters and character sets; memory is bounded by one message.
Knows nothing about what a segment means.
"""

import datetime
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_MESSAGE = 8 << 20  # bytes
MAX_LINES = 20_000
CHUNK = 1 << 18
_MARKS = re.compile(rb"([\r\n\x0b\x1c])")
_HEAD = re.compile(rb"MSH[^A-Za-z0-9\s]")
_ENVELOPE = re.compile(rb"(?:FHS|BHS|BTS|FTS)[^A-Za-z0-9\s]")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_DTM = re.compile(r"^(\d{4})(\d\d)(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d{1,6})?)?)?)?([+-]\d{4})?$")
CHARSETS = {
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    **{f"8859/{n}": f"iso8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}


class Raw(NamedTuple):
    """The bytes of one message, or why there are none."""

    place: int
    data: bytes
    fault: str = ""


class _Splitter:
    """Collects the lines between two marks; at most MAX_MESSAGE bytes in MAX_LINES lines are held."""

    def __init__(self) -> None:
        self.place, self.size = 0, 0
        self.lines: list[bytes] = []
        self.framed = self.over = False

    def take(self, line: bytes) -> Iterator[Raw]:
        line = line.lstrip(b" \t\0").removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            return
        if _HEAD.match(line):
            yield from self.flush(closed=not self.framed)
        elif _ENVELOPE.match(line):
            yield from self.flush(closed=not self.framed)
            return
        self.size += len(line)
        if self.over or self.size > MAX_MESSAGE or len(self.lines) >= MAX_LINES:
            self.over, self.lines = True, self.lines[:1] or [line[:64]]
        else:
            self.lines.append(line)

    def mark(self, byte: bytes) -> Iterator[Raw]:
        if byte == b"\x0b":
            yield from self.flush(closed=not self.framed)
            self.framed = True
        elif byte == b"\x1c":
            yield from self.flush(closed=True)
            self.framed = False

    def flush(self, closed: bool) -> Iterator[Raw]:
        lines, over = self.lines, self.over
        self.lines, self.size, self.over = [], 0, False
        if not lines:
            return
        self.place += 1
        if over:
            limits = f"{MAX_MESSAGE >> 20} MiB or {MAX_LINES:,} segments"
            yield Raw(self.place, b"", f"larger than {limits}; leave embedded documents out of it")
        elif not _HEAD.match(lines[0]):
            yield Raw(self.place, b"", "no MSH segment, so no HL7 v2 message; export it again")
        elif not closed:
            yield Raw(self.place, b"", "truncated: its frame is never closed; send it again")
        else:
            yield Raw(self.place, b"\r".join(lines))


def split_messages(handle: BinaryIO) -> Iterator[Raw]:
    """Every message of a stream in order, numbered from 1; what is none is numbered too."""
    splitter = _Splitter()
    chunk = rest = handle.read(CHUNK)
    while chunk:
        parts = _MARKS.split(rest)
        for text, mark in zip(parts[::2], parts[1::2], strict=False):
            yield from splitter.take(text)
            yield from splitter.mark(mark)
        rest = parts[-1]
        if len(rest) > MAX_MESSAGE:
            yield from splitter.take(rest)
            rest = b""
        chunk = handle.read(CHUNK)
        rest += chunk
    yield from splitter.take(rest)
    yield from splitter.flush(closed=not splitter.framed)


class Marks(NamedTuple):
    """Encoding characters of a message."""

    field: str
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    sub: str = "&"


class Segment(NamedTuple):
    """One segment; fields by HL7's own numbers, decoded when asked for."""

    name: str
    fields: list[str]
    marks: Marks
    charset: str

    def text(self, field: int, component: int = 1, sub: int = 1) -> str:
        """One value of the first repetition; "" where there is none."""
        repetitions = self.repetitions(field)
        parts = repetitions[0] if repetitions else []
        if component > len(parts):
            return ""
        subs = parts[component - 1].split(self.marks.sub)
        return self.decode(subs[sub - 1]) if sub <= len(subs) else ""

    def repetitions(self, field: int) -> list[list[str]]:
        """The raw components of each repetition of a field that says anything."""
        if field >= len(self.fields) or self.fields[field] in ("", '""'):
            return []
        return [r.split(self.marks.component) for r in self.fields[field].split(self.marks.repetition) if r]

    def values(self, field: int) -> list[list[str]]:
        """Components of each repetition, decoded; subcomponents stand apart by a space."""
        return [
            [" ".join(filter(None, map(self.decode, part.split(self.marks.sub)))) for part in parts]
            for parts in self.repetitions(field)
        ]

    def whole(self, field: int) -> str:
        """A text field with its separators, as FT and TX may hold them unescaped; repetitions are lines."""
        if field >= len(self.fields):
            return ""
        return "\n".join(self.decode(part) for part in self.fields[field].split(self.marks.repetition)).strip()

    def decode(self, text: str) -> str:
        """A value without escapes; HL7's null is an empty text."""
        if text == '""':
            return ""
        if self.marks.escape not in text:
            return text.strip()
        mark = re.escape(self.marks.escape)
        return re.sub(f"{mark}([^{mark}\r\n]{{1,512}}){mark}", self._escape, text).strip()

    def _escape(self, match: re.Match[str]) -> str:
        code, marks = match[1], self.marks
        plain = {"F": marks.field, "S": marks.component, "T": marks.sub, "R": marks.repetition, "E": marks.escape}
        if code in plain:
            return plain[code]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", code):
            return bytes.fromhex(code[1:]).decode(self.charset, "replace")
        if re.fullmatch(r"\.(?:br|sp|ce)\+?\d*", code):
            return "\n"
        if re.fullmatch(r"[HN]|\.[a-z]{2}[+-]?\d*|[CM](?:[0-9A-Fa-f]{2}){2,3}|P", code):
            return ""
        return match[0]


class Message(NamedTuple):
    """All segments of one message."""

    segments: list[Segment]

    def first(self, name: str) -> Segment:
        """The first segment of a name; an empty one where there is none."""
        return next(self.all(name), Segment(name, [name], Marks("|"), "utf-8"))

    def all(self, name: str) -> Iterator[Segment]:
        return (segment for segment in self.segments if segment.name == name)


def parse_message(data: bytes) -> Message | str:
    """The message, or in one sentence why it cannot be read."""
    head = data.split(b"\r", 1)[0].decode("latin-1")
    separator = head[3:4]
    fields = head.split(separator)
    signs = fields[1] if len(fields) > 1 else ""
    marks = Marks(separator, *(signs[n : n + 1] or default for n, default in enumerate("^~\\&")))
    if len(set(marks)) < 5 or not signs or any(c.isalnum() or not c.isprintable() for c in marks):
        return "MSH-2 does not name usable encoding characters; export it again"
    if len(fields) < 9 or not fields[8].strip():
        return "truncated: MSH ends before the message type (MSH-9); send it again"
    said = fields[17].split(marks.repetition)[0].strip().upper() if len(fields) > 17 else ""
    text, charset = _decode(data, CHARSETS.get(said))
    segments: list[Segment] = []
    for line in text.split("\r"):
        values = line.split(separator)
        if _SEGMENT.fullmatch(values[0]):
            if values[0] == "MSH":
                values.insert(1, separator)  # HL7 counts the separator itself as MSH-1
            segments.append(Segment(values[0], values, marks, charset))
        else:  # a line break inside a value, sent without its escape
            segments[-1].fields[-1] += "\n" + values[0]
            segments[-1].fields.extend(values[1:])
    return Message(segments)


def _decode(data: bytes, charset: str | None) -> tuple[str, str]:
    for name in (charset, "utf-8", "cp1252"):
        if name:
            try:
                return data.decode(name), name
            except UnicodeDecodeError:
                continue
    return data.decode("latin-1"), "latin-1"


def read_dtm(text: str) -> datetime.datetime | None:
    """An HL7 time of at least a day's precision, with its zone where it has one."""
    match = _DTM.match(text.strip())
    if not match:
        return None
    zone = datetime.datetime.strptime(match[7], "%z").tzinfo if match[7] and _hours(match[7]) else None
    try:
        parts = [int(match[n] or 0) for n in range(1, 7)]
        moment = datetime.datetime(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], tzinfo=zone)
    except ValueError:
        return None
    return moment if 1880 <= moment.year <= 2100 else None


def _hours(zone: str) -> bool:
    return int(zone[1:3]) < 24 and int(zone[3:]) < 60
