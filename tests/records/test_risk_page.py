"""The page says what the figures say, escapes them, reaches out to nothing, and follows the audit."""

import datetime
import re
from pathlib import Path

import pytest

from prescreen.errors import InputError
from prescreen.records.anonymity import measure_anonymity
from prescreen.records.audit import sign, write_sheet
from prescreen.records.blindfold import Blindfold
from prescreen.records.planted import Planted
from prescreen.records.risk_page import Risk, group_reasons, save_risk, write_risk_page
from prescreen.records.share import Recall, Share
from records.small_import import make_case, write_import
from records.test_audit import fill, save

RECALLS = (
    Recall(kind="email", whole=Share(right=400, n=400), characters=Share(right=4000, n=4000)),
    Recall(kind="town", whole=Share(right=300, n=400), characters=Share(right=3900, n=4000)),
    Recall(kind="mrn", whole=Share(right=3, n=3), characters=Share(right=30, n=30)),
)


def render(folder: Path, mode: str = "safe_harbor", **values: object) -> str:
    write_import(folder, [make_case(n, age_years=40, complaint="since 2019") for n in range(7)])
    risk = Risk.model_validate(
        {
            "mode": mode, "licence": "clinic", "records": 9, "cases": 7, "taken": {"name": 12, "age_over_89": 1},
            "refused": {"refused: the scan still found name": 2},
            "blindfold": Blindfold(records=5, with_identifiers=4, errored=1, recalls=RECALLS[2:]).model_dump(),
            "planted": Planted(records=5, errored=0, recalls=RECALLS[:2], by_style=(), by_case=()).model_dump(),
            "anonymity": measure_anonymity(folder).model_dump(), **values,
        }
    )  # fmt: skip
    save_risk(folder, risk)
    return read(write_risk_page(folder))


def read(path: Path) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", path.read_text()).split())


def test_figures_stand_with_counts_intervals_and_verdicts(tmp_path: Path) -> None:
    said = render(tmp_path)
    assert "town 300 of 400 = 75.0 % [70.5, 79.0] 3900 of 4000 = 97.5 % [97.0, 97.9] weak" in said
    assert "e-mail addresses 400 of 400 = 100.0 % [99.0, 100.0]" in said
    assert "record numbers 3 of 3 = 100.0 % [43.9, 100.0] 30 of 30 = 100.0 % [88.6, 100.0] too few to say" in said
    assert "Less than 99 % found: town (planted)." in said
    assert "names 12" in said and "ages over 89 1" in said and "Found nowhere: places smaller than a state" in said
    assert "2 rows were refused" in said and "1 failed and count neither way" in said
    assert "7 people with 7 contacts" in said and "5 people alike 0 of 7 = 0.0 %" in said
    assert "11 people alike 7 of 7 = 100.0 %" in said
    assert "What this does not cover" in said and "not measured" not in said.split("1 What was taken out")[0]


def test_the_mode_is_said_with_its_law(tmp_path: Path) -> None:
    safe = render(tmp_path)
    assert "164.514(b)(2)" in safe and "actual knowledge" in safe and "data use agreement" not in safe
    limited = render(tmp_path, mode="limited")
    assert "NOT de-identified under Safe Harbor" in limited and "164.514(e)" in limited and "(b)(1)" in limited


def test_what_was_not_measured_is_said(tmp_path: Path) -> None:
    said = render(tmp_path, blindfold=None, anonymity=None)
    assert "not measured blindfold, anonymity" in said and "Who stands out" not in said


def test_the_page_follows_the_audit(tmp_path: Path) -> None:
    assert "not yet audited Nobody has signed" in render(tmp_path) and "299 cases read" in render(tmp_path)
    sheet = write_sheet(tmp_path)
    sign(tmp_path, save(sheet, fill(sheet)), "A. <b>Reader</b>", datetime.date(2026, 3, 2))
    page = write_risk_page(tmp_path, tmp_path / "signed.html")
    assert "passed A. &lt;b&gt;Reader&lt;/b&gt;, 2026-03-02: 0 of 7 cases read (of 7)" in read(page)
    with (tmp_path / "cases.jsonl").open("a") as handle:
        handle.write("\n")
    assert "does not hold" in read(write_risk_page(tmp_path)) and "of other contents" in read(
        write_risk_page(tmp_path)
    )


def test_all_is_escaped_and_nothing_is_fetched(tmp_path: Path) -> None:
    render(tmp_path, licence="<script>alert(1)</script>", refused={"<img src=x>": 1}, detectors=["<i>tagger</i>"])
    html = (tmp_path / "risk.html").read_text()
    assert not re.search(r"<script|<img|<i>", html) and "&lt;script&gt;" in html
    assert not re.search(r"https?://|src=[\"']|@import|url\(", html)


def test_reasons_are_grouped_without_their_counts() -> None:
    reasons = ["refused: the scan still found name 2, phone 1"] * 2 + [
        "refused: the scan still found name 1, phone 3"
    ]
    reasons += ["not de-identified: a detector failed (ValueError)"]
    assert group_reasons(reasons) == {
        "refused: the scan still found name, phone": 3,
        "not de-identified: a detector failed (ValueError)": 1,
    }


def test_without_figures_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run the import first"):
        write_risk_page(tmp_path)
