"""Entries of a JSON or JSONL file, one at a time, in memory of one entry.

Knows brackets, commas and line ends, and where an entry stands. Knows nothing about what an entry means.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, TextIO

MAX_ENTRY = 16 << 20  # characters
CHUNK = 1 << 16
_BLANKS = re.compile("[ \t\r\n\ufeff]*")


class Entry(NamedTuple):
    """One JSON value and its own text; or why it cannot be read."""

    place: int
    value: Any
    text: str
    fault: str = ""


class _Window:
    """The part of a file being looked at; what lies before `at` is done with."""

    def __init__(self, handle: TextIO) -> None:
        self.handle, self.text, self.at = handle, "", 0

    def more(self) -> bool:
        """Read on: as much again as is held, so that a long entry is not decoded too often."""
        piece = self.handle.read(max(CHUNK, len(self.text) - self.at))
        self.text, self.at = self.text[self.at :] + piece, 0
        return bool(piece)

    def peek(self) -> str:
        """The next sign that is no blank, "" at the end."""
        while True:
            self.at = _BLANKS.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]


def read_entries(handle: TextIO) -> Iterator[Entry]:
    """Each value of the file's list, or each value that stands on its own, such as one a line; numbered from 1.

    After a value that is damaged the next one is looked for at the start of a line.
    """
    window = _Window(handle)
    inside = window.peek() == "["
    window.at += inside
    place = 0
    while (sign := window.peek()) and not (inside and sign == "]"):
        if sign == ",":
            window.at += 1
            continue
        place += 1
        entry = _take(window, place)
        yield entry
        if entry.fault and not _skip(window):
            return
    if inside and not sign:
        yield Entry(place + 1, None, "", "truncated: the list is never closed; export it again")


def _take(window: _Window, place: int) -> Entry:
    decoder = json.JSONDecoder()
    while True:
        try:
            value, end = decoder.raw_decode(window.text, window.at)
            if end == len(window.text) and window.more():
                continue  # a number may go on
            text, window.at = window.text[window.at : end], end
            return Entry(place, value, text)
        except json.JSONDecodeError as error:
            cut = error.msg.startswith("Unterminated string") or error.pos > len(window.text) - 12
            if not cut or not window.more():
                return Entry(place, None, "", "not valid JSON; export it again")
            if len(window.text) > MAX_ENTRY:
                return Entry(place, None, "", f"longer than {MAX_ENTRY >> 20} million letters; split it")
        except (RecursionError, ValueError):
            return Entry(place, None, "", "JSON nested too deeply or a number too long; export it again")


def _skip(window: _Window) -> bool:
    """Go to the next line that starts with an object; False where there is none."""
    while (found := window.text.find("\n{", window.at)) < 0:
        window.at = max(window.at, len(window.text) - 1)
        if not window.more():
            return False
    window.at = found + 1
    return True
