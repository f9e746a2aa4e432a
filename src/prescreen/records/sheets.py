"""Rows of a CSV or XLSX file, one at a time, however it was saved.

Knows encodings, delimiters, quoting and what a file's first bytes say it is. Knows nothing about columns.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, TextIO

MAX_LINE = 1 << 20  # characters of one physical line
SAMPLE = 1 << 16
_DELIMITERS = ",;\t|"


class Row(NamedTuple):
    """The cells of one row, and the line or sheet row it starts on; or why it cannot be read."""

    place: int
    cells: list[str]
    fault: str = ""
    short: bool = False  # whether empty cells at its end may have been left out, as workbooks do


def read_rows(path: str, sheet: str | None = None) -> Iterator[Row]:
    """Every row that is not blank, the header among them; a fault stands in its row's place."""
    with open(path, "rb") as handle:
        head = handle.read(8)
        if head[:4] == b"PK\x03\x04":
            from prescreen.records.workbook import read_workbook

            yield from read_workbook(handle, sheet)
        elif head[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            yield Row(1, [], "an old or password-protected Excel file; save it as plain .xlsx or as CSV")
        else:
            encoding = find_encoding(handle)
            with open(path, encoding=encoding, errors="replace", newline="") as text:
                yield from _read_csv(text)


def find_encoding(handle: BinaryIO) -> str:
    """UTF-16 or UTF-8 by their marks or their bytes, else Windows-1252; reads the file once, in pieces."""
    handle.seek(0)
    sample = handle.read(SAMPLE)
    if sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if len(sample) > 3:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if max(even, odd) > len(sample) // 4 and min(even, odd) < len(sample) // 64 + 1:
            return "utf-16-le" if odd > even else "utf-16-be"
    handle.seek(0)
    rest = b""
    while piece := handle.read(1 << 20):
        data = rest + piece
        try:
            data.decode("utf-8")
            rest = b""
        except UnicodeDecodeError as error:
            if len(data) - error.start > 3 or error.reason != "unexpected end of data":
                return "cp1252"
            rest = data[error.start :]
    return "cp1252" if rest else "utf-8-sig"


class _Lines:
    """Lines of a text, numbered; one that is too long is dropped and its number kept in `cut`."""

    def __init__(self, handle: TextIO) -> None:
        self.handle, self.number = handle, 0
        self.cut: list[int] = []

    def __iter__(self) -> Iterator[str]:
        while line := self.handle.readline(MAX_LINE):
            self.number += 1
            if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
                self.cut.append(self.number)
                while line and not line.endswith(("\n", "\r")):
                    line = self.handle.readline(MAX_LINE)
                line = "\n"
            yield line


def _read_csv(handle: TextIO) -> Iterator[Row]:
    sample = handle.read(SAMPLE)
    handle.seek(0)
    delimiter = find_delimiter(sample)
    lines = _Lines(handle)
    reader = csv.reader(iter(lines), delimiter=delimiter, skipinitialspace=delimiter != "\t")
    if sample[:4].lower() == "sep=":
        next(reader, None)  # Excel's own hint
    while True:
        place = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            yield Row(place, [], "a quotation mark is never closed or a field is too long; mend the quoting")
            continue
        for number in lines.cut:
            yield Row(number, [], f"a line of more than {MAX_LINE:,} characters; shorten its texts")
        lines.cut.clear()
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield Row(place, cells)


def find_delimiter(sample: str) -> str:
    """The delimiter that cuts the header and most lines of a sample into the same number of cells, two or more."""
    first = sample.split("\n", 1)[0].strip()
    if first[:4].lower() == "sep=" and len(first) == 5:
        return first[4]
    best, found = (False, 0.0, 0), ","
    for delimiter in _DELIMITERS:
        widths: Counter[int] = Counter()
        header = 0
        try:
            for row in csv.reader(sample.splitlines(keepends=True)[:-1] or [sample], delimiter=delimiter):
                if row:
                    header = header or len(row)
                    widths[len(row)] += 1
                if widths.total() >= 50:
                    break
        except csv.Error:
            pass
        width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1]), default=(1, 0))
        score = (header == width, count / max(1, widths.total()), width)
        if header > 1 and score > best:
            best, found = score, delimiter
    return found
