"""The bank goes to clinicians as a sheet and comes back: nothing is lost, every fault is named."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import cohen_kappa_score

from prescreen.clinic.acuity import Acuity
from prescreen.errors import InputError
from prescreen.evals.bank import Entry, read_bank
from prescreen.evals.review import compare_raters, print_review, read_review
from prescreen.evals.sheet import BLIND, COLUMNS, read_sheet, write_sheet

LOW, MEDIUM, HIGH, EMERGENCY = Acuity


def write_bank(folder: Path, complaint: str = "-my elbow itches, that's all; honest") -> tuple[Entry, ...]:
    first = {"id": "a", "style": "patient", "complaint": complaint, "age": 40, "sex": "female"}
    first |= {"vitals": {"heart_rate": 70}, "conditions": ["eczema"]}
    first |= {"turns": [["assistant", "Since when?"], ["patient", 'Since\nSunday; "really".']]}
    more = [{"id": name, "style": "note", "complaint": f"itch number {name}"} for name in "bcd"]
    wide = {"id": "w", "style": "note", "complaint": "chest feels odd", "traps": ["ambiguous"]}
    wide |= {"accepted": ["high", "emergency"]}
    about = {"source": "a textbook, 2020", "why": "as it stands there"}
    conditions = [
        {"condition": "itch", "level": "low", **about, "cases": [first, *more]},
        {"condition": "odd chest", "level": "emergency", **about, "cases": [wide]},
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "skin.yaml").write_text(yaml.safe_dump({"conditions": conditions}))
    read_bank.cache_clear()
    return read_bank(folder)


@pytest.fixture
def entries(tmp_path: Path) -> tuple[Entry, ...]:
    return write_bank(tmp_path / "bank")


Rows = list[dict[str, str]]


def read_rows(path: Path) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def fill(path: Path, source: Path, levels: dict[str, str], comments: dict[str, str] | None = None) -> Path:
    """A returned sheet, as a European spreadsheet program saves it."""
    rows = read_rows(source)
    for row in rows:
        row["reviewer_level"] = levels.get(row["id"].removeprefix("bank-"), "")
        row["comment"] = (comments or {}).get(row["id"].removeprefix("bank-"), "")
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_sheet_holds_what_a_reviewer_needs(tmp_path: Path, entries: tuple[Entry, ...]) -> None:
    write_sheet(tmp_path / "sheet.csv", entries)
    assert (tmp_path / "sheet.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    rows = read_rows(tmp_path / "sheet.csv")
    assert [row["id"] for row in rows] == ["bank-a", "bank-b", "bank-c", "bank-d", "bank-w"]
    first = rows[0]
    assert first["text"].startswith("'-my elbow itches") and 'patient: Since\nSunday; "really".' in first["text"]
    assert (first["age"], first["sex"], first["vitals"]) == ("40", "female", "heart rate 70.0")
    assert first["history"] == "Conditions: eczema" and "textbook" in first["source"]
    assert [row["proposed_level"] for row in rows][-2:] == ["low", "high or emergency"]
    assert {row["reviewer_level"] + row["comment"] for row in rows} == {""}
    write_sheet(tmp_path / "blind.csv", entries, blind=True)
    assert {row[name] for row in read_rows(tmp_path / "blind.csv") for name in BLIND} == {""}


def test_two_reviewers_come_back(
    tmp_path: Path, entries: tuple[Entry, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    write_sheet(tmp_path / "sheet.csv", entries)
    ann = fill(tmp_path / "ann.csv", tmp_path / "sheet.csv", {"a": "low", "b": "Low ", "c": "MEDIUM", "w": "high"})
    levels = {"a": "low", "b": "low", "c": "low", "d": "high", "w": "medium"}
    ben = fill(tmp_path / "ben.csv", tmp_path / "sheet.csv", levels, {"d": "could be infected"})
    review = read_review([ann, ben], entries)
    one, two = review.reviewers
    assert (one.reviewer, one.empty) == ("ann", 1)
    assert [(r.in_range.figure.right, r.in_range.figure.n) for r in (one, two)] == [(3, 4), (3, 5)]  # type: ignore[union-attr]
    assert one.higher.failures == ("bank-c",) and two.lower.failures == ("bank-w",)
    (pair,) = review.between
    assert (pair.same.right, pair.same.n, pair.within_one.right) == (2, 4, 4)
    assert pair.kappa.n == 4 and pair.kappa.value is not None
    assert [(d.case_id, d.gap) for d in review.differences] == [("bank-d", 2), ("bank-c", 1), ("bank-w", 1)]
    assert json.loads(json.dumps(review.to_json()))["differences"][0]["comments"] == {"ben": "could be infected"}
    print_review(review)
    out = capsys.readouterr().out
    assert "ann and ben: the same level 2/4" in out and "ben: could be infected" in out and "(n = 4)" in out


def test_kappa_between_raters_is_the_weighted_one() -> None:
    draw = np.random.default_rng(0)
    first, second = draw.integers(0, 4, 60), draw.integers(0, 4, 60)
    levels = list(Acuity)
    a = {str(i): levels[x] for i, x in enumerate(first)}
    b = {str(i): levels[x] for i, x in enumerate(second)}
    agreement = compare_raters("a", a, "b", b)
    assert agreement.kappa.value == pytest.approx(cohen_kappa_score(first, second, weights="quadratic"))
    assert agreement.kappa.low is not None and agreement.kappa.low < agreement.kappa.value
    assert compare_raters("a", a, "b", {}).kappa.value is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("bank-b", "bank-z"), "line 3: there is no case 'bank-z'"),
        (lambda text: text.replace("bank-b", "bank-a"), "stands in line"),
        (
            lambda text: text.replace(";low;", ";lowish;"),
            "'lowish' is no level; write low, medium, high, emergency",
        ),
        (lambda text: text.replace("reviewer_level", "level"), "has no column 'reviewer_level'"),
        (lambda text: text.replace(";low;", ";;"), "not one reviewer_level"),
        (lambda text: text + '"open', "is no readable CSV"),
    ],
)
def test_faults_are_one_sentence_with_the_line(
    tmp_path: Path, entries: tuple[Entry, ...], change: Callable[[str], str], message: str
) -> None:
    write_sheet(tmp_path / "sheet.csv", entries)
    path = fill(tmp_path / "ann.csv", tmp_path / "sheet.csv", {"a": "low"})
    path.write_bytes(change(path.read_bytes().decode()).encode())
    with pytest.raises(InputError) as fault:
        read_sheet(path, entries)
    assert message in str(fault.value) and str(path) in str(fault.value)


def test_a_level_for_an_older_wording_is_refused(tmp_path: Path, entries: tuple[Entry, ...]) -> None:
    write_sheet(tmp_path / "sheet.csv", entries)
    path = fill(tmp_path / "ann.csv", tmp_path / "sheet.csv", {"a": "low"})
    with pytest.raises(InputError, match="bank-a has changed since"):
        read_sheet(path, write_bank(tmp_path / "bank", "my elbow is on fire"))


def test_files_that_cannot_be_read(tmp_path: Path, entries: tuple[Entry, ...]) -> None:
    (tmp_path / "ann.csv").write_bytes("id,é".encode("latin-1"))
    with pytest.raises(InputError, match="CSV UTF-8"):
        read_sheet(tmp_path / "ann.csv", entries)
    with pytest.raises(InputError, match="no such file"):
        read_sheet(tmp_path / "gone.csv", entries)
    with pytest.raises(InputError, match="names the reviewer"):
        read_review([tmp_path / "ann.csv", tmp_path / "x" / "ann.csv"], entries)
