"""The sheet on which a human reads a sample of an import, and the signature under it.

The rule of the size: so many cases that, with no more leaks than allowed, the exact upper 95 % bound of leaking
cases is at most `bound`; 299 cases without a leak for 1 %. The sample is drawn by hash from the contents, so nobody
picks. Knows spreadsheets' ways with CSV. Knows no detector.
"""

import csv
import datetime
import io
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, get_args

from pydantic import ValidationError

from prescreen.clinic.audited import BOUND, NAME, Audit, bound_leaks, hash_contents, read_audit
from prescreen.clinic.case import Case
from prescreen.clinic.cells import defuse
from prescreen.config import Strict, digest
from prescreen.custody import CASES, OUTCOMES
from prescreen.errors import GuardError, InputError
from prescreen.records.deid.spans import Kind
from prescreen.records.share import draw
from prescreen.records.sheets import read_rows
from prescreen.records.written import (
    list_case_texts,
    list_outcome_texts,
    read_cases,
    read_outcomes,
)
from prescreen.run import hash_file, write_atomic, write_json

SHEET: Final = "audit_sheet.csv"
PLAN: Final = "audit_sheet.json"
COLUMNS: Final = ("id", "part", "text", "identifier_left", "what_kind")
MOST_CHARACTERS: Final = 20_000  # of one cell; a spreadsheet cuts off at 32,767
ANSWERS: Final = {"yes": True, "y": True, "no": False, "n": False}
KINDS: Final = frozenset(get_args(Kind))


class Plan(Strict):
    """What was fixed before anybody read: the sample, what is allowed, and of which contents."""

    contents: dict[str, str | None]
    cases: int
    sampled: int
    allowed: int
    bound: float
    rows: dict[str, str]  # `id part` -> hash of what the row shows, without ways of spelling it


class Row(NamedTuple):
    """One row as it is shown."""

    id: str
    part: str
    text: str


def size_sample(bound: float = BOUND, allowed: int = 0) -> int:
    """The fewest cases that bound the share of leaks when no more than `allowed` are found."""
    low, high = allowed, allowed + 1
    while bound_leaks(allowed, high, high + 1) > bound:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bound_leaks(allowed, middle, middle + 1) > bound else (low, middle)
    return high


def write_sheet(folder: Path, sheet: Path | None = None, *, bound: float = BOUND, allowed: int = 0) -> Path:
    """Draw the sample and write the sheet, and beside the cases what was fixed with it."""
    if not 0 < bound < 1 or allowed < 0:
        raise InputError("the bound lies between 0 and 1, and no fewer than 0 leaks are allowed")
    path = sheet or folder / SHEET
    if path.exists():
        raise InputError("there is a sheet already, perhaps half filled in; move it away first", file=path)
    plan, rows = _make_plan(folder, bound, allowed)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([*map(defuse, row), "", ""] for row in rows)
    write_atomic(path, "\ufeff" + text.getvalue())
    write_json(folder / PLAN, plan.model_dump(mode="json"))
    return path


def _make_plan(folder: Path, bound: float, allowed: int) -> tuple[Plan, list[Row]]:
    contents, size = hash_contents(folder), size_sample(bound, allowed)
    sample = draw(read_cases(folder / CASES), size, lambda case: case.id, f"audit {contents[CASES]}")
    if not sample:
        raise InputError("holds no case; there is nothing to audit", file=folder / CASES)
    rows = list(_list_rows(sample, folder))
    plan = Plan(
        contents=contents, cases=sum(1 for _ in read_cases(folder / CASES)), sampled=len(sample), allowed=allowed,
        bound=bound, rows={f"{row.id} {row.part}": hash_row(row) for row in rows},
    )  # fmt: skip
    if len(plan.rows) != len(rows):
        raise InputError("two cases have the same id; run the import again", file=folder / CASES)
    return plan, rows


def _list_rows(sample: Sequence[Case], folder: Path) -> Iterator[Row]:
    """What a human reads of each case: all its texts and those of its outcome."""
    wanted = {case.id for case in sample}
    outcomes = {row.id: row.outcome for row in read_outcomes(folder / OUTCOMES) if row.id in wanted}
    for case in sample:
        lines = [f"{name}: {text}" for name, text in list_case_texts(case)]
        if case.id in outcomes:
            lines += [f"outcome, {name}: {text}" for name, text in list_outcome_texts(outcomes[case.id])]
        parts = list(_cut("\n".join(_clean(line) for line in lines)))
        for number, part in enumerate(parts, 1):
            # Words before and behind keep a spreadsheet from reading the code or a text as a number or a date.
            yield Row(f"case {case.id}", f"{number} of {len(parts)}", f"[{part}]" if number > 1 else part)


def _clean(text: str) -> str:
    """Without control characters, which no spreadsheet keeps."""
    return "".join(" " if unicodedata.category(c) == "Cc" and c != "\n" else c for c in text)


def _cut(text: str) -> Iterator[str]:
    """Pieces that fit a cell, cut at a space where there is one."""
    while len(text) > MOST_CHARACTERS:
        at = max(text.rfind(space, MOST_CHARACTERS // 2, MOST_CHARACTERS) for space in " \n")
        at = at if at > 0 else MOST_CHARACTERS
        yield text[:at]
        text = text[at:]
    yield text


def hash_row(row: Row) -> str:
    """Changes with any word of the row, but not with how a spreadsheet writes line ends, spaces and accents."""
    return digest([" ".join(unicodedata.normalize("NFC", cell).lstrip("'").split()) for cell in row])


def sign(folder: Path, sheet: Path, by: str, date: datetime.date) -> Audit:
    """Check the returned sheet and write audit.json, passed or failed; InputError where the sheet is not whole."""
    if not by.strip():
        raise InputError("who signs is empty; give the name of the person who read the sheet")
    plan = _read_plan(folder)
    contents = hash_contents(folder)
    if plan.contents != contents or plan != _make_plan(folder, plan.bound, plan.allowed)[0]:
        raise GuardError(f"{folder}: its cases or {PLAN} changed since the sheet was written; write a new sheet")
    earlier = read_audit(folder)
    if earlier is not None and earlier.contents == contents and not earlier.passed:
        raise GuardError(f"{folder}: these cases failed the audit of {earlier.date}; mend and import again")
    leaking = _read_answers(sheet, plan)
    upper = bound_leaks(len(leaking), plan.sampled, plan.cases)
    audit = Audit(
        signed_by=" ".join(by.split()), date=date, sheet_sha256=hash_file(sheet), contents=contents,
        cases=plan.cases, sampled=plan.sampled, leaks=len(leaking),
        kinds=dict(sorted(Counter(kind for kinds in leaking.values() for kind in kinds).items())),
        allowed=plan.allowed, bound=plan.bound, upper=upper,
        passed=len(leaking) <= plan.allowed and upper <= plan.bound,
    )  # fmt: skip
    write_json(folder / NAME, audit.model_dump(mode="json"))
    return audit


def _read_plan(folder: Path) -> Plan:
    path = folder / PLAN
    if not path.is_file():
        raise InputError("no such file; write the audit sheet first", file=path)
    try:
        return Plan.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError):
        raise InputError("cannot be read; write the audit sheet anew", file=path) from None


def _read_answers(sheet: Path, plan: Plan) -> dict[str, set[str]]:
    """The leaking cases and of what kinds; every row is there once, unchanged and answered, or InputError."""
    if not sheet.is_file():
        raise InputError("no such file; give the sheet as it came back", file=sheet)
    leaking: dict[str, set[str]] = {}
    seen: set[str] = set()
    for number, cells in _read_table(sheet):
        key = " ".join(" ".join(cell.lstrip("'").split()) for cell in cells[:2])
        if key not in plan.rows:
            raise InputError("was not in the sheet as written; take the row out", file=sheet, line=number)
        if key in seen:
            raise InputError("stands there twice; keep one", file=sheet, line=number)
        seen.add(key)
        if hash_row(Row(*cells[:3])) != plan.rows[key]:
            raise InputError(
                "its text is not as written; fill in the sheet again, and save it as CSV UTF-8",
                file=sheet,
                line=number,
            )
        answer = cells[3].strip().lower()
        if answer not in ANSWERS:
            raise InputError("identifier_left is neither yes nor no; answer it", file=sheet, line=number)
        kinds = {word.strip().lower() for word in cells[4].replace(";", ",").split(",") if word.strip()}
        if ANSWERS[answer] != bool(kinds):
            raise InputError(
                "what_kind is filled in if and only if identifier_left is yes; mend it", file=sheet, line=number
            )
        if kinds:
            leaking.setdefault(key.rsplit(" ", 3)[0], set()).update(
                kind if kind in KINDS else "other" for kind in kinds
            )
    if missing := len(plan.rows) - len(seen):
        raise InputError(
            f"{missing} of {len(plan.rows)} rows are gone; bring them back and answer them", file=sheet
        )
    return leaking


def _read_table(sheet: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header with their numbers, their cells in the order of COLUMNS."""
    places: list[int] = []
    for number, row in enumerate(read_rows(str(sheet)), 1):
        if row.fault:
            raise InputError(row.fault, file=sheet, line=number)
        if not places:
            header = [cell.strip().lower() for cell in row.cells]
            if lacking := [name for name in COLUMNS if name not in header]:
                raise InputError(
                    f"has no column {lacking[0]}; start from the sheet as written", file=sheet, line=number
                )
            places = [header.index(name) for name in COLUMNS]
            continue
        yield number, [row.cells[place] if place < len(row.cells) else "" for place in places]
