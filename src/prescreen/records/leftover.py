"""What is left of each person that others may know too: age, sex, place, years, rare conditions, in a table.

The table is a temporary database on disk, so memory does not grow with the import. Knows what can be known of a
person from outside only as far as ATTRIBUTES goes: a rare story told in words is not in it.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from prescreen.clinic.case import Case
from prescreen.config import read_yaml
from prescreen.custody import CASES, OUTCOMES
from prescreen.records.deid import wordlists
from prescreen.records.deid.dates import find_dates, list_years
from prescreen.records.deid.spans import fold
from prescreen.records.written import list_case_texts, read_cases, read_outcomes

AS_IS: Final = "as it is"
# Attribute -> how fine -> SQL over the table `contact`. Triage needs age, sex, pregnancy: they stay.
ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "age": {
        AS_IS: "age / 5 * 5",
        "in bands of 10 years": "age / 10 * 10",
        "as child, adult or 65 and over": "(age >= 18) + (age >= 65)",
    },
    "sex": {AS_IS: "sex"},
    "pregnant": {AS_IS: "pregnant"},
    "language": {AS_IS: "language", "left out": "0"},
    "place": {AS_IS: "place", "left out": "0"},
    "years": {AS_IS: "years", "as decades": "decades", "left out": "0"},
    "rare conditions": {AS_IS: "rare", "left out": "0"},
}
_ZIP: Final = re.compile(r"\b(?:zip(?: code)?|postcode|postal code|plz)[\s:]{1,3}(\d{3})\b(?!\d)")
_TABLES: Final = """
CREATE TABLE contact (case_id TEXT, person TEXT, age INT, sex TEXT, pregnant INT, language TEXT, place TEXT,
    years TEXT, decades TEXT, rare TEXT DEFAULT '', level TEXT, diagnosis TEXT);
CREATE TABLE condition (contact INT, person TEXT, name TEXT);
"""


@contextmanager
def open_table(folder: Path, rare_below: int) -> Iterator[sqlite3.Connection]:
    """The table `contact` of an import's cases and outcomes; it is gone when the block ends."""
    base = sqlite3.connect("")  # a private file that the database itself deletes
    try:
        base.executescript(_TABLES)
        _fill(base, folder)
        _mark_rare(base, rare_below)
        yield base
    finally:
        base.close()


def _fill(base: sqlite3.Connection, folder: Path) -> None:
    base.executemany(f"INSERT INTO contact VALUES ({','.join('?' * 12)})", _list_rows(base, folder / CASES))
    base.execute("CREATE INDEX by_case ON contact (case_id)")
    base.executemany(
        "UPDATE contact SET level = coalesce(level, ?), diagnosis = coalesce(diagnosis, ?) WHERE case_id = ?",
        ((row.outcome.acuity, row.outcome.diagnosis, row.id) for row in read_outcomes(folder / OUTCOMES)),
    )


def _list_rows(base: sqlite3.Connection, path: Path) -> Iterator[tuple[object, ...]]:
    for number, case in enumerate(read_cases(path), 1):
        names = {" ".join(fold(name).split()) for name in case.conditions or ()}
        base.executemany("INSERT INTO condition VALUES (?, ?, ?)", ((number, case.patient_id, n) for n in names))
        years, places = find_years(case), find_places(case)
        yield (
            case.id, case.patient_id, None if case.age_years is None else int(case.age_years), case.sex,
            case.pregnant, case.language, " ".join(places), " ".join(map(str, years)),
            " ".join(sorted({f"{year // 10}0s" for year in years})), "",
            case.label.acuity.value if case.label else None, case.label.condition if case.label else None,
        )  # fmt: skip


def find_years(case: Case) -> list[int]:
    """Every year a case's texts still tell, in order."""
    texts = [text for _, text in list_case_texts(case)]
    years = {year for text in texts for _, _, year in list_years(text)}
    return sorted(years | {date.year for text in texts for date in find_dates(text) if date.year})


def find_places(case: Case) -> list[str]:
    """Every country, people and three-digit postcode a case's texts still tell, in order."""
    low = fold("\n".join(text for _, text in list_case_texts(case)))
    words = set(re.findall(r"[^\W\d_]+", low))
    return sorted((words & _load_origins()) | set(_ZIP.findall(low)))


@cache
def _load_origins() -> frozenset[str]:
    """Countries and peoples, which de-identification leaves in the text on purpose."""
    kept = read_yaml(Path(wordlists.__file__).with_name("words.yaml"))["kept"]
    return frozenset(fold(f"{kept['countries']} {kept['speech']}").split())


def _mark_rare(base: sqlite3.Connection, k: int) -> None:
    base.execute(
        "CREATE TABLE few AS SELECT name FROM condition GROUP BY name HAVING count(DISTINCT person) < ?", (k,)
    )
    base.execute("CREATE INDEX by_contact ON condition (contact)")
    base.execute(
        "UPDATE contact SET rare = coalesce((SELECT group_concat(name, char(31)) FROM"
        " (SELECT name FROM condition WHERE contact = contact.rowid AND name IN few ORDER BY name)), '')"
    )
