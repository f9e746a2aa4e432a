"""The case bank as a sheet a clinician fills in: one CSV line a case, and its way back with every fault named.

A sheet opens in any spreadsheet program; each line carries a mark of its case, so that a level given to an older
wording is never counted for a newer one. Knows files and cases; `evals.review` compares levels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.authored import Entry
from prescreen.clinic.cells import mark_case, read_cells, read_choice, show_case, write_cells
from prescreen.errors import InputError
from prescreen.model.prompt import history_lines

GIVEN = ("id", "text", "age", "sex", "history", "vitals", "proposed_level", "source", "mark")
FILLED = ("reviewer_level", "comment")
COLUMNS = (*GIVEN, *FILLED)
BLIND = ("proposed_level", "source")  # left empty where a reviewer must not see what the author thought
WANTED = ("id", "mark", *FILLED)
START = "start from `prescreen bank export`"


class Opinion(NamedTuple):
    """One reviewer's level for one case."""

    level: Acuity
    comment: str


class Sheet(NamedTuple):
    """One returned sheet: who filled it in (the file's name), levels by case id, how many lines stayed empty."""

    reviewer: str
    opinions: dict[str, Opinion]
    empty: int


def write_sheet(path: Path, entries: Sequence[Entry], *, blind: bool = False) -> None:
    """All cases as CSV."""
    rows = [_write_row(entry) for entry in entries]
    write_cells(path, COLUMNS, [row | dict.fromkeys(BLIND, "") if blind else row for row in rows])


def _write_row(entry: Entry) -> dict[str, str]:
    case = entry.case
    assert case.label is not None, "every case of the bank has a level"
    history = "\n".join(line for line in history_lines(case) if not line.startswith("Patient: "))
    return {
        **show_case(case, history),
        "proposed_level": " or ".join(level.value for level in case.label.accepted),
        "source": f"{case.label.origin}. {entry.why}",
        "mark": mark_case(case),
    }


def read_sheet(path: Path, entries: Sequence[Entry]) -> Sheet:
    """A returned sheet; InputError names the line and the mend."""
    marks = {entry.case.id: mark_case(entry.case) for entry in entries}
    opinions: dict[str, Opinion] = {}
    seen: dict[str, int] = {}
    empty = 0
    for line, row in read_cells(path, WANTED, START):
        name = row["id"].strip()
        if name not in marks:
            raise InputError(f"there is no case {name!r} in the bank; do not change the ids", file=path, line=line)
        if name in seen:
            raise InputError(f"case {name} stands in line {seen[name]} already; keep one", file=path, line=line)
        seen[name] = line
        level = read_choice(row["reviewer_level"], path, line)
        if level is None:
            empty += 1
            continue
        if row["mark"].strip() != marks[name]:
            raise InputError(
                f"case {name} has changed since this sheet was written; export it again", file=path, line=line
            )
        opinions[name] = Opinion(level, row["comment"].strip())
    if not opinions:
        raise InputError("not one reviewer_level is filled in; write a level in each line reviewed", file=path)
    return Sheet(path.stem, opinions, empty)
