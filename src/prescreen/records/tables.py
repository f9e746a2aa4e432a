"""Reader of tables: each row of a CSV or XLSX file becomes a record by the clinic's mapping of columns.

Cells are text and nothing but text: none is computed or opened as a link. A number that cannot be read is left out
of its record; a row whose cells do not fit the header is rejected. Knows nothing about encodings.
"""

import datetime
import hashlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prescreen.clinic.case import Vitals
from prescreen.errors import InputError
from prescreen.records.columns import VITALS, Guess, TableMapping, guess_mapping
from prescreen.records.measures import (
    age_at,
    make_vitals,
    read_age,
    read_coma,
    read_consciousness,
    read_moment,
    read_pressure,
    read_sex,
    read_vital,
    read_yes,
)
from prescreen.records.record import Identifiers, Outcome, Record, Reject, Source
from prescreen.records.sheets import Row, read_rows

SAMPLE = 200  # rows a guess is made from
NOTHING = frozenset(
    ("", "na", "n/a", "null", "none", "nan", "#n/a", "-", "--", ".", "unknown", "#null!", "k.a.", "s/d")
)
NONE_KNOWN = re.compile(
    r"(?:no (?:known|active)\b.*|nk[d]?a|none(?: known)?|nil|no|keine.*|ninguna?|sin alergias.*|aucune?|nein)[. ]*",
    re.I,
)
KNOWN = ("names", "numbers", "phones", "emails", "addresses", "others")
CLOCK = re.compile(r"\d{1,2}[:.]\d\d(?:[:.]\d\d)?(?: ?[ap]\.?m\.?)?", re.I)
MAX_TEXT = 200_000


class TableReader:
    """Tables by one mapping; without a mapping, by a guess at each file's own columns."""

    name = "table/1"

    def __init__(self, mapping: TableMapping | None = None) -> None:
        self.mapping = mapping

    def read(self, path: str, start: int = 1) -> Iterator[Record | Reject]:
        """Rows from line (of a sheet: row) `start` on; the header is read wherever one starts."""
        file = Path(path).name
        mapping = self.mapping or guess_file(path).mapping
        with_header = faulty = False
        try:
            for row in read_rows(path, mapping.sheet):
                if row.fault:
                    faulty = True
                    if row.place >= start:
                        yield Reject(file, row.place, row.fault)
                elif not with_header:
                    with_header, header = True, [name.strip() for name in row.cells]
                    if fault := check_header(header, mapping):
                        yield Reject(file, row.place, fault)
                        return
                    places = {f: [header.index(name) for name in mapping.of(f)] for f in mapping.columns}
                elif row.place >= start:
                    yield _read_row(row, len(header), places, mapping, file, self.name)
            if not with_header and not faulty:
                yield Reject(file, 1, "holds no row; export it again")
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror}); check the path", file=file) from None


def guess_file(path: str, sheet: str | None = None) -> Guess:
    """A guess at a file's mapping from its header and first rows, for a person to look at."""
    try:
        rows = (row.cells for row in read_rows(path, sheet) if not row.fault)
        header = [name.strip() for name in next(rows, [])]
        return guess_mapping(header, list(itertools.islice(rows, SAMPLE)))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); check the path", file=Path(path).name) from None


def preview(path: str, mapping: TableMapping, count: int = 10) -> list[Record | Reject]:
    """The first rows as they would be read, before anything is written."""
    return list(itertools.islice(TableReader(mapping).read(path), count))


def check_header(header: list[str], mapping: TableMapping) -> str:
    """Why a header does not fit a mapping, or "". Names only the mapping's own words: a header may be data."""
    wanted = [name for field in mapping.columns for name in mapping.of(field)]
    missing = [name for name in wanted if name not in header]
    if missing:
        return f"no column {missing[0]!r}, which the mapping names; mend the mapping or the header"
    if twice := [name for name in wanted if header.count(name) > 1]:
        return f"column {twice[0]!r} stands twice in the header; rename one"
    if not wanted:
        return "no column is known by its name or contents; write a mapping file"
    return ""


class _Cells:
    """One row by our fields."""

    def __init__(self, row: list[str], places: dict[str, list[int]], mapping: TableMapping) -> None:
        self.row, self.places, self.mapping = row, places, mapping

    def several(self, field: str) -> list[str]:
        """The cells of a field that say anything, codes translated."""
        cells = [self.row[n].strip() for n in self.places.get(field, ()) if n < len(self.row)]
        codes = self.mapping.codes.get(field, {})
        return [codes.get(cell.lower(), cell)[:MAX_TEXT] for cell in cells if cell.lower() not in NOTHING]

    def one(self, field: str) -> str:
        return next(iter(self.several(field)), "")

    def list(self, field: str) -> tuple[str, ...] | None:
        """A list in one cell; None where the cell is blank, empty where it says there are none."""
        cells = [self.row[n].strip() for n in self.places.get(field, ()) if n < len(self.row)]
        said = next((cell for cell in cells if cell), "")
        if NONE_KNOWN.fullmatch(said):
            return ()
        text = self.one(field)
        parts = re.split(r"[;\n|]" if re.search(r"[;\n|]", text) else r",(?!\d)", text)
        return tuple(dict.fromkeys(part.strip()[:1000] for part in parts if part.strip())) or None


def _read_row(
    row: Row, width: int, places: dict[str, list[int]], mapping: TableMapping, file: str, reader: str
) -> Record | Reject:
    spare = [cell for cell in row.cells[width:] if cell.strip()]
    if spare or (len(row.cells) < width and not row.short):
        return Reject(file, row.place, f"{len(row.cells)} cells where the header has {width}; quote its texts")
    cells = _Cells(row.cells, places, mapping)
    when, birth = _read_when(cells.several("when"), mapping.day_first), cells.one("birth_date")
    born = read_moment(birth, mapping.day_first)
    age = read_age(cells.one("age"))
    if age is None and born and when:
        age = age_at(born.date(), when.date())
    visit, key = cells.one("visit"), cells.one("patient")
    numbers = (*filter(None, (key, visit)), *cells.several("numbers"))
    known: dict[str, Any] = {field: tuple(cells.several(field)) for field in KNOWN}
    known["names"] = tuple(p for name in known["names"] for p in re.split(r"[\s,;]+", name) if len(p) > 1)
    known["numbers"] = tuple(dict.fromkeys(numbers))
    digest = hashlib.sha256("\x1f".join(row.cells).encode("utf-8", "surrogatepass")).hexdigest()
    acuity = cells.one("acuity").removesuffix(".0")
    return Record(
        source=Source(file=file, place=row.place, sha256=digest, reader=reader),
        patient=key or visit or f"{Path(file).stem}-{row.place}",
        identifiers=Identifiers(birth_date=born.date() if born else None, **known),
        when=when,
        age_years=age,
        sex=read_sex(cells.one("sex")),
        pregnant=read_yes(cells.one("pregnant")),
        conditions=cells.list("conditions"),
        medications=cells.list("medications"),
        allergies=cells.list("allergies"),
        history_text="\n".join(cells.several("history")),
        complaint=cells.one("complaint"),
        vitals=_read_vitals(cells),
        outcome=Outcome(
            acuity=acuity or None,
            scale=mapping.scale if acuity else None,
            disposition=cells.one("disposition") or None,
            diagnosis=cells.one("diagnosis") or None,
        ),
        consent=cells.one("consent") or mapping.consent,
        language=_language(cells.one("language"), mapping.language),
    )


def _read_vitals(cells: _Cells) -> Vitals:
    values: dict[str, Any] = {field: read_vital(field, cells.one(field)) for field in VITALS}
    if pressure := read_pressure(cells.one("blood_pressure")):
        for field, value in zip(("systolic", "diastolic"), pressure, strict=True):
            values[field] = value if values[field] is None else values[field]
    values["consciousness"] = read_consciousness(cells.one("consciousness")) or read_coma(cells.one("coma"))
    return make_vitals(values)


def _read_when(cells: list[str], day_first: bool | None) -> datetime.datetime | None:
    """One column, or a date and a clock time apart."""
    clock = next((cell for cell in cells if CLOCK.fullmatch(cell)), "")
    for cell in cells:
        whole = read_moment(f"{cell} {clock.replace('.', ':')}", day_first) if clock and ":" not in cell else None
        if moment := whole or read_moment(cell, day_first):
            return moment
    return None


def _language(said: str, default: str) -> str:
    word = said.strip().lower()
    return word[:2] if re.fullmatch(r"[a-z]{2}(?:[-_][a-z]{2})?", word) else default
