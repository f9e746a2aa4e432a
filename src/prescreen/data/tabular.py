"""A user's JSON, JSONL or CSV file as numbered records, however it was saved.

Knows encodings, quoting and where a record stands in its file. A fault of the file raises; a fault of one
record is yielded as an InputError in its place, for the caller to raise or to collect.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.errors import InputError

MAX_FIELD = 1_000_000
KINDS = {".json": "JSON", ".jsonl": "JSONL", ".ndjson": "JSONL", ".csv": "CSV", ".tsv": "CSV"}


class Numbered(NamedTuple):
    """One record and the line it starts on."""

    line: int
    values: dict[str, Any]


Entry = Numbered | InputError


def read_table(path: Path) -> Iterator[Entry]:
    """All records of a file, each a Numbered or the InputError that stands in its place."""
    if not path.is_dir() and path.suffix.lower() not in KINDS:
        raise InputError(
            f"cannot read {path.suffix or 'a file without ending'}; save it as CSV or JSONL", file=path
        )
    text = read_text(path)
    found = False
    readers = {"CSV": _read_csv, "JSONL": _read_json_lines, "JSON": _read_json}
    for entry in readers[KINDS[path.suffix.lower()]](path, text):
        found = True
        yield entry if isinstance(entry, InputError) else _check_fields(path, entry)
    if not found:
        raise InputError("holds no record; export it again", file=path)


def read_text(path: Path) -> str:
    """The file as text; a byte-order mark is dropped; what is no text is named with its line."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError("no such file; check the path", file=path) from None
    except IsADirectoryError:
        raise InputError("this is a folder; name a file in it", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); check its permissions", file=path) from None
    if not data.strip():
        raise InputError("the file is empty; export it again", file=path)
    if (null := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, null) + 1
        raise InputError("holds NUL bytes, so it is no UTF-8 text; save it as UTF-8", file=path, line=line)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8; save the file with encoding UTF-8", file=path, line=line) from None


def _as_record(path: Path, line: int, value: Any) -> Entry:
    if isinstance(value, dict):
        return Numbered(line, value)
    return InputError('expected an object such as {"symptoms": "..."}', file=path, line=line)


def _decode(path: Path, text: str, position: int, line: int) -> tuple[Any, int]:
    """One JSON value and where it ends; every way it can fail names a line."""
    try:
        return json.JSONDecoder().raw_decode(text, position)
    except json.JSONDecodeError as error:
        at = line + text.count("\n", position, error.pos)
        raise InputError(
            f"not valid JSON ({error.msg}, column {error.colno}); mend it", file=path, line=at
        ) from None
    except (RecursionError, ValueError):
        raise InputError("JSON nested too deeply or a number too long; mend it", file=path, line=line) from None


def _read_json_lines(path: Path, text: str) -> Iterator[Entry]:
    # not splitlines(): a field may hold U+2028, which ends no line of JSON
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped:
            continue
        try:
            value, end = _decode(path, stripped, 0, number)
        except InputError as error:
            yield error
            continue
        if end < len(stripped):
            yield InputError("more than one JSON value; put each on its own line", file=path, line=number)
        else:
            yield _as_record(path, number, value)


def _read_json(path: Path, text: str) -> Iterator[Entry]:
    """One object, or a list of objects each with the line it starts on."""
    start = len(text) - len(text.lstrip())
    line = 1 + text.count("\n", 0, start)
    if text[start] == "[":
        yield from _read_json_list(path, text, start + 1, line)
        return
    value, end = _decode(path, text, start, line)
    if text[end:].strip():
        at = line + text.count("\n", start, end)
        raise InputError("text after the object; name the file .jsonl if it has one a line", file=path, line=at)
    yield _as_record(path, line, value)


def _read_json_list(path: Path, text: str, position: int, line: int) -> Iterator[Entry]:
    while True:
        position, line = _skip_blanks(text, position, line)
        if text.startswith("]", position):
            break
        value, end = _decode(path, text, position, line)
        yield _as_record(path, line, value)
        line += text.count("\n", position, end)
        position, line = _skip_blanks(text, end, line)
        if text.startswith(",", position):
            position += 1
        elif not text.startswith("]", position):
            raise InputError("a comma or ] is missing after an entry", file=path, line=line)
    if text[position + 1 :].strip():
        raise InputError("text after the closing bracket; remove it", file=path, line=line)


def _skip_blanks(text: str, position: int, line: int) -> tuple[int, int]:
    """Where the next value starts, and its line."""
    end = position
    while end < len(text) and text[end] in " \t\r\n":
        end += 1
    return end, line + text.count("\n", position, end)


def _read_csv(path: Path, text: str) -> Iterator[Entry]:
    header_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header_line.count)
    rows = _numbered_rows(path, text, delimiter)
    header = [name.strip() for name in rows[0][1]]
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(f"column {twice!r} stands twice in the header; rename one", file=path, line=1)
    if len(rows) == 1:
        raise InputError("only a header and no row; export it again", file=path, line=1)
    for line, row in rows[1:]:
        if len(row) == len(header):
            yield Numbered(line, dict(zip(header, row, strict=True)))
        else:
            message = f"{len(row)} fields where the header has {len(header)}; quote texts that hold a {delimiter!r}"
            yield InputError(message, file=path, line=line)


def _numbered_rows(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    previous = csv.field_size_limit(max(len(text), 1 << 17))  # our own limit names field and line; csv's does not
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for row in reader:
            if row:
                rows.append((start, row))
            start = reader.line_num + 1
    except csv.Error as error:
        message = f"a quotation mark is not closed or stands inside a field ({error}); mend it"
        raise InputError(message, file=path, line=start) from None
    finally:
        csv.field_size_limit(previous)
    return rows


def _check_fields(path: Path, entry: Numbered) -> Entry:
    for name, value in entry.values.items():
        if isinstance(value, str) and len(value) > MAX_FIELD:
            message = f"field {name[:40]!r} holds {len(value):,} characters, more than {MAX_FIELD:,}; shorten it"
            return InputError(message, file=path, line=entry.line)
    return entry
