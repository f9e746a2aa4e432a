"""Rows of an XLSX workbook, streamed; values only, formulas are never computed.

Knows the shared strings, date formats and where a sheet is. Knows nothing about columns, nor how XML is bounded.
"""

import datetime
import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from typing import BinaryIO

from prescreen.records.parts import Handler, Refused, feed_part, parse_part, read_attributes
from prescreen.records.sheets import Row

MAX_SHEET = 2 << 30  # bytes of a sheet's XML; it is streamed
MAX_STRINGS = 128 << 20  # of the shared strings, which are held
MAX_COUNT = 5_000_000  # of shared strings
MAX_COLUMNS = 2000
DAMAGE = (EOFError, IndexError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError)
_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})$")


def read_workbook(handle: BinaryIO, sheet: str | None = None) -> Iterator[Row]:
    """Rows of the named sheet, else of the first one."""
    place = 0
    try:
        with zipfile.ZipFile(handle) as archive:
            for row in _read_sheet(archive, sheet):
                place = row.place
                yield row
    except Refused as refused:
        yield Row(place + 1, [], str(refused))
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, *DAMAGE):
        yield Row(place + 1, [], "a damaged or encrypted workbook; save it again without password, or as CSV")


def _read_sheet(archive: zipfile.ZipFile, sheet: str | None) -> Iterator[Row]:
    part, from_1904 = _find_sheet(archive, sheet)
    strings = _Strings()
    if "xl/sharedStrings.xml" in archive.namelist():
        parse_part(archive, "xl/sharedStrings.xml", MAX_STRINGS, strings)
    epoch = datetime.datetime(1904, 1, 1) if from_1904 else datetime.datetime(1899, 12, 30)
    cells = _Cells(strings, _find_dates(archive), epoch)
    for _ in feed_part(archive, part, MAX_SHEET, cells):
        yield from cells.rows
        cells.rows.clear()


class _Strings(Handler):
    """The shared strings in one block of bytes, so that a million of them cost what their letters cost."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.ends, self.phonetic = bytearray(), array("Q", [0]), 0

    def start(self, tag: str, values: dict[str, str]) -> None:
        self.phonetic += tag == "rPh"
        self.open = tag == "t" and not self.phonetic

    def end(self, tag: str) -> None:
        self.open = False
        self.phonetic -= tag == "rPh"
        if tag == "si":
            self.block += self.take().encode()
            self.ends.append(len(self.block))
            if len(self.ends) > MAX_COUNT:
                raise Refused(f"the workbook holds more than {MAX_COUNT:,} different texts; save it as CSV")

    def get(self, number: str) -> str:
        index = int(number) if number.isdecimal() and len(number) < 10 else -1
        return (
            self.block[self.ends[index] : self.ends[index + 1]].decode() if 0 <= index < len(self.ends) - 1 else ""
        )


class _Cells(Handler):
    """Turns the sheet's elements into rows."""

    def __init__(self, strings: _Strings, dates: frozenset[int], epoch: datetime.datetime) -> None:
        super().__init__()
        self.strings, self.dates, self.epoch = strings, dates, epoch
        self.rows: list[Row] = []
        self.cells: list[str] = []
        self.number = self.column = self.phonetic = 0
        self.kind, self.style = "n", 0

    def start(self, tag: str, values: dict[str, str]) -> None:
        if tag == "row":
            said = values.get("r", "")
            self.number = int(said) if said.isdecimal() and len(said) < 9 else self.number + 1
            self.cells, self.column = [], 0
        elif tag == "c":
            match = _REFERENCE.match(values.get("r", ""))
            self.column = _column(match[1]) if match else self.column + 1
            self.kind = values.get("t", "n")
            style = values.get("s", "")
            self.style = int(style) if style.isdecimal() and len(style) < 9 else 0
            self.take()
        self.phonetic += tag == "rPh"
        self.open = tag == "v" or (tag == "t" and not self.phonetic)

    def end(self, tag: str) -> None:
        self.open = False
        self.phonetic -= tag == "rPh"
        if tag == "c" and self.column <= MAX_COLUMNS:
            text = self.take()
            self.cells.extend([""] * (self.column - len(self.cells)))
            self.cells[self.column - 1] = self._value(text)
        elif tag == "row" and any(cell.strip() for cell in self.cells):
            self.rows.append(Row(self.number, self.cells, short=True))

    def _value(self, text: str) -> str:
        if self.kind == "s":
            return self.strings.get(text.strip())
        if self.kind == "e":
            return ""
        if self.kind != "n" or not text:
            return text
        try:
            number = float(text)
            if self.style in self.dates:
                moment = self.epoch + datetime.timedelta(days=number)
                moment += datetime.timedelta(milliseconds=500)
                whole = moment.replace(microsecond=0)
                return whole.date().isoformat() if number % 1 == 0 else whole.isoformat(" ")
            return f"{number:.15g}"
        except (ValueError, OverflowError):
            return text


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _find_sheet(archive: zipfile.ZipFile, sheet: str | None) -> tuple[str, bool]:
    book = read_attributes(archive, "xl/workbook.xml")
    sheets = [values for tag, values in book if tag == "sheets/sheet"]
    chosen = [s for s in sheets if sheet is None or s.get("name") == sheet][:1]
    if not chosen:
        raise Refused("the workbook has no sheet of the name in the mapping; mend the mapping's `sheet`")
    key = next((value for name, value in chosen[0].items() if name.rpartition(":")[2] == "id"), "")
    for _, values in read_attributes(archive, "xl/_rels/workbook.xml.rels"):
        if values.get("Id") == key:
            target = values.get("Target", "")
            part = target[1:] if target.startswith("/") else posixpath.normpath(f"xl/{target}")
            from_1904 = any(v.get("date1904") in ("1", "true") for t, v in book if t.endswith("/workbookPr"))
            return part, from_1904
    raise Refused("the workbook does not say where its sheet is; save it again as .xlsx")


def _find_dates(archive: zipfile.ZipFile) -> frozenset[int]:
    """The cell styles that show a number as a date."""
    if "xl/styles.xml" not in archive.namelist():
        return frozenset()
    found = read_attributes(archive, "xl/styles.xml")
    own = set()
    for tag, values in found:
        code = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", values.get("formatCode", "")).lower()
        if tag == "numFmts/numFmt" and re.search(r"[ymdhs]", code.replace("general", "")):
            own.add(values.get("numFmtId", ""))
    formats = [values.get("numFmtId", "") for tag, values in found if tag == "cellXfs/xf"]
    dates = {str(number) for number in _DATES} | own
    return frozenset(n for n, number in enumerate(formats) if number in dates)
