"""Sheets that clinicians fill in: CSV that opens in any spreadsheet program, and its way back, every fault named.

No cell can be taken for a formula. Knows cells, cases and levels; not what a sheet is for.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.config import digest
from prescreen.errors import InputError
from prescreen.run import write_atomic

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute instead of show
LEVELS = {level.value: level for level in Acuity}


def mark_case(case: Case) -> str:
    """Changes with anything a reviewer reads and with the label, but not with the case's number."""
    return digest(case.model_dump(mode="json", exclude={"id", "patient_id"}))[:10]


def show_case(case: Case, history: str) -> dict[str, str]:
    """What a clinician reads of a case, its label left out; `history` as the caller words it."""
    said = [f"{turn.speaker}: {turn.text}" for turn in case.turns]
    return {
        "id": case.id,
        "text": "\n".join([case.complaint, *said]),
        "age": "" if case.age_years is None else f"{case.age_years:g}",
        "sex": case.sex or "",
        "history": history,
        "vitals": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in case.vitals.measured.items()),
    }


def write_cells(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """One CSV, with a byte-order mark so that spreadsheet programs read UTF-8; a column not given stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: defuse(cell) for name, cell in row.items()} for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "\ufeff" + text.getvalue())


def defuse(cell: str) -> str:
    """A leading apostrophe keeps a spreadsheet from taking words for a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell


def _restore(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and defuse(cell[1:]) == cell else cell


def read_choice(cell: str, path: Path, line: int) -> Acuity | None:
    """The level a clinician wrote, None where the cell is empty."""
    if not (given := cell.strip()):
        return None
    if given.lower() not in LEVELS:
        raise InputError(f"{given!r} is no level; write {', '.join(LEVELS)}", file=path, line=line)
    return LEVELS[given.lower()]


def read_cells(path: Path, columns: Sequence[str], start: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of these columns with the numbers a spreadsheet shows, whichever of comma, semicolon and tab it wrote.

    `start` tells whoever lacks a column what to begin with.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file; check the path", file=path) from None
    except UnicodeDecodeError:
        raise InputError("is not UTF-8; save it as CSV UTF-8", file=path) from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, restval="")
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"has no column {missing[0]!r}; {start}", file=path, line=1)
    try:
        for number, row in enumerate(reader, start=2):
            if any(cell for cell in row.values()):
                yield number, {name: _restore(str(row[name])) for name in columns}
    except csv.Error as error:
        raise InputError(
            f"is no readable CSV ({error}); export it again", file=path, line=reader.line_num
        ) from None
