"""The audit sheet survives spreadsheets and nothing else; only a passed audit of these very contents lets train."""

import csv
import datetime
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.audited import NAME, Audit, bound_leaks, require_audit
from prescreen.clinic.case import Turn
from prescreen.clinic.cells import FORMULA
from prescreen.errors import GuardError, InputError
from prescreen.records.audit import (
    COLUMNS,
    MOST_CHARACTERS,
    PLAN,
    Row,
    defuse,
    hash_row,
    sign,
    size_sample,
    write_sheet,
)
from prescreen.records.record import Outcome
from records.small_import import make_case, write_import

DAY = datetime.date(2026, 3, 2)
Cells = list[list[str]]
NASTY = (
    "=HYPERLINK(\"http://x\")", "+1", "-1;2", "@sum", "\t=1", "\r=1", 'says "ouch", then;\nnothing', "1/2", "00123",
    "é\u0301 naïve 🙂", "a\x00b\x0bc\x1f", "  two  spaces ", "'quoted", "",
)  # fmt: skip


def make(folder: Path, num: int = 12) -> Path:
    cases = [make_case(n, complaint=NASTY[n % len(NASTY)], history_text=f"history {n}") for n in range(num)]
    return write_import(folder, cases, [(cases[0].id, Outcome(diagnosis="=flu; acute", acuity="3"))])


def fill(sheet: Path, leaks: int = 0, kind: str = "name") -> Cells:
    """The sheet as a reader answers it."""
    rows = list(csv.reader(io.StringIO(sheet.read_text(encoding="utf-8-sig"), newline="")))
    for number, row in enumerate(rows[1:]):
        row[3:] = ["Yes", kind] if number < leaks else ["no ", ""]
    return rows


def save(
    sheet: Path, rows: Cells, *, delimiter: str = ",", encoding: str = "utf-8-sig", ends: str = "\r\n"
) -> Path:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    back = sheet.with_name("back.csv")
    back.write_bytes(text.getvalue().replace("\n", ends).encode(encoding))
    return back


def run(folder: Path, leaks: int = 0, num: int = 12, **settings: float) -> Audit:
    sheet = write_sheet(make(folder, num), **settings)  # type: ignore[arg-type]
    return sign(folder, save(sheet, fill(sheet, leaks)), "A. Reader", DAY)


def test_the_size_bounds_the_leaks() -> None:
    assert size_sample() == 299 and size_sample(0.05) == 59
    for allowed in (0, 1, 4):
        size = size_sample(0.02, allowed)
        assert bound_leaks(allowed, size, 10**6) <= 0.02 < bound_leaks(allowed, size - 1, 10**6)
    assert bound_leaks(0, 299, 10**6) == pytest.approx(1 - 0.05 ** (1 / 299))
    assert bound_leaks(3, 30, 30) == 0.1 and bound_leaks(5, 5, 9) == 1


def test_a_clean_audit_lets_train(tmp_path: Path) -> None:
    audit = run(tmp_path)
    assert (audit.passed, audit.sampled, audit.cases, audit.leaks, audit.signed_by) == (
        True,
        12,
        12,
        0,
        "A. Reader",
    )
    assert require_audit(tmp_path) == audit
    assert "history" not in (tmp_path / NAME).read_text() + (tmp_path / PLAN).read_text()


def test_the_sample_is_drawn_from_all_cases_and_bounds_the_rest(tmp_path: Path) -> None:
    audit = run(tmp_path, num=700)
    assert (audit.sampled, audit.cases) == (299, 700) and 0.0099 < audit.upper <= 0.01
    rows = fill(tmp_path / "audit_sheet.csv")[1:]
    numbers = {int(row[0].removeprefix("case "), 16) for row in rows}
    assert len(numbers) == 299 and min(numbers) < 20 and max(numbers) > 680
    with pytest.raises(GuardError, match="audit a larger sample"):
        require_audit(tmp_path, bound=0.005)


def test_no_cell_of_the_sheet_is_a_formula_and_all_texts_are_there(tmp_path: Path) -> None:
    cases = [
        make_case(
            1, complaint="=1+1", turns=(Turn(speaker="nurse", text="@who?"), Turn(speaker="patient", text="-me"))
        ),
        make_case(
            2, complaint="x", conditions=("+asthma",), medications=("=aspirin",), allergies=("\tnuts\x0b\x00",)
        ),
    ]
    sheet = write_sheet(write_import(tmp_path, cases, [(cases[1].id, Outcome(disposition="@home"))]))
    raw = sheet.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") and b"\r\n" in raw
    rows = fill(sheet)
    assert rows[0] == list(COLUMNS) and not any(c < " " and c not in "\r\n" for c in raw.decode())
    assert not any(cell.startswith(FORMULA) for row in rows for cell in row)
    text = "\n".join(row[2] for row in rows)
    for said in (
        "complaint: =1+1",
        "nurse: @who?",
        "patient: -me",
        "+asthma",
        "=aspirin",
        "nuts",
        "disposition: @home",
    ):
        assert said in text
    assert [defuse(cell) for cell in ("=1", "\t1", "1=", "'=")] == ["'=1", "'\t1", "1=", "'="]


def as_libre(rows: Cells) -> Cells:
    return [[cell.replace("\r\n", "\n") for cell in row] for row in rows]


def with_blank_lines(rows: Cells) -> Cells:
    return [*rows, [""] * 5, ["", "", "", "", "", ""]]


def shuffled(rows: Cells) -> Cells:
    return [rows[0], *random.Random(1).sample(rows[1:], len(rows) - 1)]


def columns_moved(rows: Cells) -> Cells:
    return [[*row[::-1], "note"] for row in rows]


def unescaped(rows: Cells) -> Cells:
    return [[cell.lstrip("'") for cell in row] for row in rows]


@pytest.mark.parametrize("change", [list, as_libre, with_blank_lines, shuffled, columns_moved, unescaped])
@pytest.mark.parametrize(
    ("delimiter", "encoding", "ends"),
    [(",", "utf-8-sig", "\r\n"), (";", "utf-8", "\n"), ("\t", "utf-16", "\r\n"), (";", "utf-8-sig", "\r\n")],
)
def test_a_spreadsheet_round_trip_survives(
    tmp_path: Path, change: Callable[[Cells], Cells], delimiter: str, encoding: str, ends: str
) -> None:
    sheet = write_sheet(make(tmp_path, 40))
    back = save(sheet, change(fill(sheet)), delimiter=delimiter, encoding=encoding, ends=ends)
    assert sign(tmp_path, back, "A. Reader", DAY).passed


def drop_row(rows: Cells) -> Cells:
    return rows[:-1]


def repeat_row(rows: Cells) -> Cells:
    return [*rows, rows[1]]


def change_text(rows: Cells) -> Cells:
    return [*rows[:-1], [*rows[-1][:2], rows[-1][2].replace("history", "hystory"), *rows[-1][3:]]]


def add_row(rows: Cells) -> Cells:
    return [*rows, ["case Ottoline", "1 of 1", "x", "no", ""]]


def leave_out(rows: Cells) -> Cells:
    return [*rows[:-1], [*rows[-1][:3], "", ""]]


def say_perhaps(rows: Cells) -> Cells:
    return [*rows[:-1], [*rows[-1][:3], "Ottoline?", ""]]


def no_kind(rows: Cells) -> Cells:
    return [*rows[:-1], [*rows[-1][:3], "yes", " "]]


def kind_without_leak(rows: Cells) -> Cells:
    return [*rows[:-1], [*rows[-1][:3], "no", "name"]]


def no_column(rows: Cells) -> Cells:
    return [row[:4] for row in rows]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop_row, "1 of 12 rows are gone"), (repeat_row, "twice"), (change_text, "line 13: its text"),
        (add_row, "was not in the sheet"), (leave_out, "neither yes nor no"), (say_perhaps, "neither yes nor no"),
        (no_kind, "if and only if"), (kind_without_leak, "if and only if"), (no_column, "no column what_kind"),
    ],
)  # fmt: skip
def test_a_sheet_that_is_not_whole_is_refused_without_quoting(
    tmp_path: Path, change: Callable[[Cells], Cells], said: str
) -> None:
    sheet = write_sheet(make(tmp_path))
    with pytest.raises(InputError, match=said) as raised:
        sign(tmp_path, save(sheet, change(fill(sheet))), "A. Reader", DAY)
    assert "Ottoline" not in str(raised.value) and "hystory" not in str(raised.value)
    assert not (tmp_path / NAME).exists()


def test_too_many_leaks_are_written_down_and_stop_training_for_good(tmp_path: Path) -> None:
    audit = run(tmp_path, leaks=1)
    assert not audit.passed and audit.leaks == 1 and audit.kinds == {"name": 1}
    with pytest.raises(GuardError, match="1 of 12 cases; mend what let them through"):
        require_audit(tmp_path, bound=0.5)
    sheet = tmp_path / "audit_sheet.csv"
    with pytest.raises(GuardError, match="failed the audit"):
        sign(tmp_path, save(sheet, fill(sheet)), "A. Reader", DAY)


def test_no_more_leaks_than_allowed_pass_however_loose_the_bound(tmp_path: Path) -> None:
    audit = run(tmp_path, leaks=1, num=3, bound=0.5)
    assert audit.upper < 0.5 and not audit.passed


def test_leaks_may_be_allowed_beforehand_by_a_larger_sample(tmp_path: Path) -> None:
    audit = run(tmp_path, leaks=2, num=700, allowed=2, bound=0.02)
    assert audit.passed and audit.sampled == size_sample(0.02, 2) == 313
    with pytest.raises(GuardError, match="audit a larger sample"):
        require_audit(tmp_path)
    require_audit(tmp_path, bound=0.02)


def test_what_was_found_is_counted_by_kind_and_never_kept_as_written(tmp_path: Path) -> None:
    sheet = write_sheet(make(tmp_path))
    audit = sign(tmp_path, save(sheet, fill(sheet, 3, "Name; phone, Ottoline")), "A. Reader", DAY)
    assert audit.kinds == {"name": 3, "other": 3, "phone": 3}
    assert "Ottoline" not in (tmp_path / NAME).read_text()


@pytest.mark.parametrize("name", ["cases.jsonl", "outcomes.jsonl"])
def test_an_audit_holds_for_these_very_contents(tmp_path: Path, name: str) -> None:
    run(tmp_path)
    content = (tmp_path / name).read_text()
    (tmp_path / name).write_text(content + "\n")
    with pytest.raises(GuardError, match="of other contents"):
        require_audit(tmp_path)
    sheet = tmp_path / "audit_sheet.csv"
    with pytest.raises(GuardError, match="changed since the sheet was written"):
        sign(tmp_path, save(sheet, fill(sheet)), "A. Reader", DAY)
    (tmp_path / name).write_text(content)
    require_audit(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(GuardError, match="of other contents"):
        require_audit(tmp_path)


def test_without_an_audit_nothing_trains(tmp_path: Path) -> None:
    write_sheet(make(tmp_path))
    with pytest.raises(GuardError, match="write the sheet, have it filled in, sign it"):
        require_audit(tmp_path)
    (tmp_path / NAME).write_text('{"passed": true}')
    with pytest.raises(GuardError, match="is no audit"):
        require_audit(tmp_path)


@pytest.mark.parametrize("change", [{"passed": False}, {"leaks": 5}, {"sampled": 20, "cases": 999}])
def test_an_audit_is_reckoned_again_when_it_is_read(tmp_path: Path, change: dict[str, object]) -> None:
    run(tmp_path)
    written = json.loads((tmp_path / NAME).read_text())
    (tmp_path / NAME).write_text(json.dumps({**written, **change}))
    with pytest.raises(GuardError):
        require_audit(tmp_path, bound=0.01 if "sampled" in change else 0.9)


def test_a_plan_changed_afterwards_is_refused(tmp_path: Path) -> None:
    sheet = write_sheet(make(tmp_path))
    plan = json.loads((tmp_path / PLAN).read_text())
    first = next(iter(plan["rows"]))
    del plan["rows"][first]
    (tmp_path / PLAN).write_text(json.dumps(plan))
    rows = [row for row in fill(sheet) if " ".join(row[:2]) != first]
    with pytest.raises(GuardError, match="changed since the sheet was written"):
        sign(tmp_path, save(sheet, rows), "A. Reader", DAY)


def test_long_texts_fill_several_rows_and_lose_nothing(tmp_path: Path) -> None:
    words = " ".join(f"word{n}" for n in range(9_000))
    sheet = write_sheet(
        write_import(tmp_path, [make_case(1, complaint=words), make_case(2, complaint="y" * 50_000)])
    )
    rows = fill(sheet, leaks=1)[1:]
    assert all(len(row[2]) <= MOST_CHARACTERS + 2 for row in rows) and len(rows) > 4
    shown = " ".join(row[2] for row in rows if row[0].endswith("1"))
    assert all(word in shown for word in words.split()[:100] + words.split()[-100:])
    audit = sign(tmp_path, save(sheet, fill(sheet, leaks=2)), "A. Reader", DAY)
    assert audit.sampled == 2 and audit.leaks <= 2


def test_a_sheet_is_never_written_over_and_needs_a_signature(tmp_path: Path) -> None:
    sheet = write_sheet(make(tmp_path))
    with pytest.raises(InputError, match="move it away first"):
        write_sheet(tmp_path)
    with pytest.raises(InputError, match="name of the person"):
        sign(tmp_path, save(sheet, fill(sheet)), " ", DAY)
    with pytest.raises(InputError, match="nothing to audit"):
        write_sheet(write_import(tmp_path / "empty", []))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_a_row_is_known_again_by_its_words(text: str, other: str) -> None:
    row = Row("case 1", "1 of 1", text)
    assert hash_row(row) == hash_row(row._replace(text=text.replace(" ", "\r\n ")))
    assert hash_row(row) == hash_row(Row("'case 1", "1 of 1", f"'{text}"))
    if text.lstrip("'").split() != other.lstrip("'").split() and text.isascii() and other.isascii():
        assert hash_row(row) != hash_row(row._replace(text=other))
