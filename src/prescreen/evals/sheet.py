"""The case bank as a sheet a clinician fills in: one CSV line a case, and its way back with every fault named.

A sheet opens in any spreadsheet program; each line carries a mark of its case, so that a level given to an older
wording is never counted for a newer one. Knows files and cases; `evals.review` compares levels.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.authored import Entry
from prescreen.clinic.case import Case
from prescreen.config import digest
from prescreen.errors import InputError
from prescreen.model.prompt import history_lines
from prescreen.run import write_atomic

GIVEN = ("id", "text", "age", "sex", "history", "vitals", "proposed_level", "source", "mark")
FILLED = ("reviewer_level", "comment")
COLUMNS = (*GIVEN, *FILLED)
BLIND = ("proposed_level", "source")  # left empty where a reviewer must not see what the author thought
FORMULA = ("=", "+", "-", "@", "\t")  # what a spreadsheet would compute instead of show
LEVELS = {level.value: level for level in Acuity}


class Opinion(NamedTuple):
    """One reviewer's level for one case."""

    level: Acuity
    comment: str


class Sheet(NamedTuple):
    """One returned sheet: who filled it in (the file's name), levels by case id, how many lines stayed empty."""

    reviewer: str
    opinions: dict[str, Opinion]
    empty: int


def mark_case(case: Case) -> str:
    """Changes with anything a reviewer reads and with the label, but not with the case's number."""
    return digest(case.model_dump(mode="json", exclude={"id", "patient_id"}))[:10]


def write_sheet(path: Path, entries: Sequence[Entry], *, blind: bool = False) -> None:
    """All cases as CSV, with a byte-order mark so that spreadsheet programs read UTF-8."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for entry in entries:
        row = _write_row(entry)
        writer.writerow({name: "" if blind and name in BLIND else _defuse(cell) for name, cell in row.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "\ufeff" + text.getvalue())


def _write_row(entry: Entry) -> dict[str, str]:
    case = entry.case
    assert case.label is not None, "every case of the bank has a level"
    said = [f"{turn.speaker}: {turn.text}" for turn in case.turns]
    return {
        "id": case.id,
        "text": "\n".join([case.complaint, *said]),
        "age": "" if case.age_years is None else f"{case.age_years:g}",
        "sex": case.sex or "",
        "history": "\n".join(line for line in history_lines(case) if not line.startswith("Patient: ")),
        "vitals": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in case.vitals.measured.items()),
        "proposed_level": " or ".join(level.value for level in case.label.accepted),
        "source": f"{case.label.origin}. {entry.why}",
        "mark": mark_case(case),
    }


def _defuse(cell: str) -> str:
    """A leading apostrophe keeps a spreadsheet from taking words for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def read_sheet(path: Path, entries: Sequence[Entry]) -> Sheet:
    """A returned sheet; InputError names the line and the mend."""
    marks = {entry.case.id: mark_case(entry.case) for entry in entries}
    opinions: dict[str, Opinion] = {}
    seen: dict[str, int] = {}
    empty = 0
    for line, row in _read_rows(path):
        name = row["id"].strip()
        if name not in marks:
            raise InputError(f"there is no case {name!r} in the bank; do not change the ids", file=path, line=line)
        if name in seen:
            raise InputError(f"case {name} stands in line {seen[name]} already; keep one", file=path, line=line)
        seen[name] = line
        if not (given := row["reviewer_level"].strip()):
            empty += 1
            continue
        if given.lower() not in LEVELS:
            raise InputError(f"{given!r} is no level; write {', '.join(LEVELS)}", file=path, line=line)
        if row["mark"].strip() != marks[name]:
            raise InputError(
                f"case {name} has changed since this sheet was written; export it again", file=path, line=line
            )
        opinions[name] = Opinion(LEVELS[given.lower()], row["comment"].strip())
    if not opinions:
        raise InputError("not one reviewer_level is filled in; write a level in each line reviewed", file=path)
    return Sheet(path.stem, opinions, empty)


def _read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with the numbers a spreadsheet shows, whichever of comma, semicolon and tab it wrote."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file; check the path", file=path) from None
    except UnicodeDecodeError:
        raise InputError("is not UTF-8; save it as CSV UTF-8", file=path) from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, restval="")
    missing = [name for name in ("id", "mark", *FILLED) if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"has no column {missing[0]!r}; start from `prescreen bank export`", file=path, line=1)
    try:
        for number, row in enumerate(reader, start=2):
            if any(cell for cell in row.values()):
                yield number, {name: str(row[name]) for name in ("id", "mark", *FILLED)}
    except csv.Error as error:
        raise InputError(
            f"is no readable CSV ({error}); export it again", file=path, line=reader.line_num
        ) from None
