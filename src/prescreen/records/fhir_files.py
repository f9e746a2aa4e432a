"""Resources of FHIR files, one at a time: Bundles and NDJSON, plain or gzip.

Holds one resource and a few read-ahead buffers, however long the file is. What cannot be parsed becomes a Reject,
and reading goes on behind it where that place can be found. Knows JSON, not what resources mean.
"""

import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from prescreen.errors import InputError
from prescreen.records.fhir_values import Unreadable, as_object, as_objects, as_text
from prescreen.records.record import Reject

RESOURCE_LIMIT = 16 << 20  # characters of one resource, bytes of one line
CHUNK = 1 << 18
SUFFIXES = (".json", ".ndjson", ".jsonl")
_BRACKET = re.compile(r'\\.|["{}\[\]]', re.S)
_SPACE = re.compile(r"[ \t\r\n]*")
_BROKEN = "this is not valid JSON; export the file again"
_DEEP = "this is nested too deeply to be a FHIR resource"
_LONG = "this resource is longer than 16 MB; take its attachments out of the export"


class Found(NamedTuple):
    """One resource. References hold within a scope: a Bundle, or all NDJSON files of a folder."""

    scope: str
    file: str
    place: int  # line, or entry of the Bundle
    url: str  # the entry's fullUrl
    digest: bytes  # SHA-256 of its text in the file
    resource: dict[str, Any]


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def list_files(path: Path) -> list[Path]:
    """The file, or the FHIR files of a folder in order of their names; InputError where there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError("there is no such file or folder; correct the path", file=path)
    files = sorted(
        f for f in path.iterdir() if f.is_file() and f.name.lower().removesuffix(".gz").endswith(SUFFIXES)
    )
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise InputError("this folder holds no .json or .ndjson file; name the export's folder", file=path)
    return files


def read_resources(files: Sequence[Path]) -> Iterator[Found | Reject]:
    """Every resource of every file, in order."""
    for number, file in enumerate(files):
        lines = file.name.lower().removesuffix(".gz").endswith((".ndjson", ".jsonl"))
        place = 0
        try:
            with _open(file) as handle:
                for found in (
                    _read_lines(file.name, handle) if lines else _read_bundle(str(number), file.name, handle)
                ):
                    place = found.place
                    yield found
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield Reject(file.name, place + 1, "the gzip stream is damaged or cut off; copy the file again")
        except OSError as error:
            raise InputError(f"could not be read ({error.strerror}); mend that and run again", file=file) from None


def _open(file: Path) -> IO[bytes]:
    with file.open("rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    return gzip.open(file, "rb") if packed else file.open("rb")  # type: ignore[return-value]


def _read_lines(name: str, handle: IO[bytes]) -> Iterator[Found | Reject]:
    place = 0
    while line := handle.readline(RESOURCE_LIMIT):
        place += 1
        if len(line) == RESOURCE_LIMIT and not line.endswith(b"\n"):
            while (rest := handle.readline(CHUNK)) and not rest.endswith(b"\n"):
                pass
            yield Reject(name, place, _LONG)
            continue
        raw = line.removeprefix(b"\xef\xbb\xbf").strip() if place == 1 else line.strip()
        if not raw:
            continue
        try:
            resource = DECODER.decode(raw.decode("utf-8"))
        except UnicodeDecodeError:
            yield Reject(name, place, "this line is not valid UTF-8; export the file again as UTF-8")
        except RecursionError:
            yield Reject(name, place, _DEEP)
        except ValueError:
            yield Reject(name, place, "this line is not valid JSON, perhaps cut off; export the file again")
        else:
            digest = hashlib.sha256(raw).digest()
            if as_object(resource).get("resourceType") == "Bundle":
                for entry in as_objects(resource.get("entry")):
                    yield from _open_entry(f"{name}:{place}", name, place, entry, digest)
            else:
                yield from _open_entry("", name, place, {"resource": resource}, digest)


def _open_entry(scope: str, name: str, place: int, entry: Any, digest: bytes) -> Iterator[Found | Reject]:
    """The entry's resource; of a Bundle within the Bundle, its entries."""
    pending = [entry]
    while pending:
        found = as_object(pending.pop())
        resource = found.get("resource")
        if not isinstance(resource, dict) or not as_text(resource.get("resourceType")):
            yield Reject(name, place, "there is no FHIR resource here; it needs a resourceType")
        elif resource["resourceType"] == "Bundle":
            pending += reversed(as_objects(resource.get("entry")))
        else:
            yield Found(scope, name, place, as_text(found.get("fullUrl")), digest, resource)


class _Text:
    """A window onto a long JSON text, moved on as values are taken."""

    def __init__(self, handle: IO[str]) -> None:
        self.handle = handle
        self.buffer = ""
        self.place = 0

    def fill(self) -> bool:
        """Read at least as much again as is waiting, so that retries stay linear."""
        more = self.handle.read(max(CHUNK, len(self.buffer) - self.place))
        if more:
            self.buffer, self.place = self.buffer[self.place :] + more, 0
        return bool(more)

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self.buffer, self.place)
            self.place = match.end() if match else self.place
            if self.place < len(self.buffer):
                return self.buffer[self.place]
            if not self.fill():
                return ""

    def take(self, expected: str) -> None:
        if not (found := self.peek()) or found not in expected:
            raise Unreadable(_BROKEN)
        self.place += 1

    def value(self) -> tuple[Any, str]:
        """The next JSON value and its text; ValueError or RecursionError leaves it in place."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self.buffer, self.place)
                if end < len(self.buffer) or not self.fill():
                    text = self.buffer[self.place : end]
                    self.place = end
                    return value, text
            except RecursionError:
                raise
            except ValueError:
                if len(self.buffer) - self.place > RESOURCE_LIMIT or not self.fill():
                    raise

    def skip(self) -> bool:
        """Step over an object or array by its brackets alone; False where it does not end."""
        depth, quoted = 0, False
        while True:
            for match in _BRACKET.finditer(self.buffer, self.place):
                mark = match[0]
                if mark == '"':
                    quoted = not quoted
                elif not quoted and mark in "{}[]":
                    depth += 1 if mark in "{[" else -1
                    if depth <= 0:
                        self.place = match.end()
                        return True
                self.place = match.end()
            if self.buffer[self.place :].endswith("\\"):
                self.place = len(self.buffer) - 1
            else:
                self.place = len(self.buffer)
            if not self.fill():
                return False


def _read_bundle(scope: str, name: str, handle: IO[bytes]) -> Iterator[Found | Reject]:
    """Entries of a Bundle as they come; that it is one is known when its resourceType has been read."""
    kind: Any = None
    place = 0
    with io.TextIOWrapper(handle, encoding="utf-8-sig", errors="surrogateescape", newline="") as opened:
        text = _Text(opened)
        try:
            text.take("{")
            while text.peek() != "}":
                key = text.value()[0]
                text.take(":")
                if key == "entry" and text.peek() == "[":
                    for found in _read_entries(scope, name, text):
                        place = found.place
                        yield found
                else:
                    value = text.value()[0]
                    kind = value if key == "resourceType" else kind
                if text.peek() != "}":
                    text.take(",")
        except RecursionError:
            yield Reject(name, place + 1, _DEEP)
        except ValueError:
            yield Reject(
                name, place + 1, "from here on the file is not valid JSON, perhaps cut off; export it again"
            )
        else:
            if kind != "Bundle":
                yield Reject(name, place + 1, "this file is not a FHIR Bundle; give Bundles as .json, else .ndjson")


def _read_entries(scope: str, name: str, text: _Text) -> Iterator[Found | Reject]:
    place = 0
    text.take("[")
    while text.peek() != "]":
        place += 1
        opening = text.peek()
        try:
            entry, raw = text.value()
            digest = hashlib.sha256(raw.encode("utf-8", "surrogateescape")).digest()
            yield from _open_entry(scope, name, place, entry, digest)
        except (ValueError, RecursionError) as error:
            reason = _DEEP if isinstance(error, RecursionError) else _BROKEN
            reason = _LONG if len(text.buffer) - text.place > RESOURCE_LIMIT else reason
            if opening not in "{[" or not text.skip():
                raise
            yield Reject(name, place, reason)
        if text.peek() != "]":
            text.take(",")
    text.take("]")
