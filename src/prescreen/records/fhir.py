"""Reads FHIR R4 exports, Bundles and Bulk Data NDJSON, as records: one for each encounter.

Resources come in any order, so what is needed of them is first spooled to a private temporary database and then
taken out one patient at a time: memory does not grow with the export. Knows the order of work, not what resources
mean.
"""

import contextlib
import functools
import json
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prescreen.errors import InputError
from prescreen.records.fhir_chart import Chart, Kept, Person
from prescreen.records.fhir_contacts import build_record
from prescreen.records.fhir_files import Found, list_files, read_resources
from prescreen.records.fhir_people import read_patient
from prescreen.records.fhir_resources import NO_CONTACT, PEOPLE, Fact, read_facts
from prescreen.records.fhir_values import (
    Span,
    Unreadable,
    as_text,
    check_fields,
    normalise_reference,
    read_label,
)
from prescreen.records.record import Record, Reject

MAX_FACTS = 100_000  # of one patient: what is held in memory at a time
MAX_CHARACTERS = 64 << 20
_SCHEMA = """
CREATE TABLE files(number INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE patients(number INTEGER PRIMARY KEY, scope TEXT, key TEXT, url TEXT, file INTEGER, place INTEGER,
    digest BLOB, body TEXT);
CREATE TABLE names(name TEXT PRIMARY KEY, patient INTEGER) WITHOUT ROWID;
CREATE TABLE facts(number INTEGER PRIMARY KEY, subject TEXT, key TEXT, url TEXT, file INTEGER, place INTEGER,
    digest BLOB, size INTEGER, body TEXT);
CREATE INDEX facts_of ON facts(subject);
CREATE TABLE others(name TEXT PRIMARY KEY, kind TEXT, label TEXT) WITHOUT ROWID;
"""


class Spool:
    """The private database. Its file has no name while it is in use, so nothing is left even after a crash."""

    def __init__(self, folder: str) -> None:
        path = Path(folder) / "spool"
        self.base = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "temp_store=MEMORY"):
            self.base.execute(f"PRAGMA {setting}")
        self.base.execute("PRAGMA cache_size=-8192")
        self.base.executescript(_SCHEMA)
        with contextlib.suppress(OSError):  # an open file cannot lose its name on every system
            path.unlink()
        self.base.execute("BEGIN")
        self.files: dict[str, int] = {}

    def number_file(self, name: str) -> int:
        if name not in self.files:
            self.files[name] = len(self.files) + 1
            self.base.execute("INSERT INTO files VALUES(?, ?)", (self.files[name], name))
        return self.files[name]

    def add(self, found: Found) -> None:
        """Keep what is needed of a resource; Unreadable where it cannot be used."""
        resource = found.resource
        kind, own = as_text(resource["resourceType"]), as_text(resource.get("id"))
        url = normalise_reference(found.url)
        key = f"{kind}/{own}" if own else url or f"{kind}/#{found.file}.{found.place}"
        place = (self.number_file(found.file), found.place, found.digest)
        if kind == "Patient":
            self._add_patient(found.scope, key, url or key, place, json.dumps(read_patient(resource)))
        elif kind == "Medication" or kind in PEOPLE:
            label = read_label(resource.get("code")) if kind == "Medication" else ""
            rows = [(f"{found.scope} {name}", kind, label) for name in {key, url or key}]
            self.base.executemany("INSERT OR IGNORE INTO others VALUES(?, ?, ?)", rows)
        for fact in read_facts(resource):
            body = json.dumps((fact.kind, fact.encounter, fact.span, fact.data))
            row = (f"{found.scope} {fact.subject}", key, url or key, *place, len(body), body)
            self.base.execute("INSERT INTO facts VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _add_patient(self, scope: str, key: str, url: str, place: tuple[int, int, bytes], body: str) -> None:
        names = [(f"{scope} {name}",) for name in dict.fromkeys((key, url))]
        if any(self.base.execute("SELECT 1 FROM names WHERE name = ?", name).fetchone() for name in names):
            raise Unreadable("this patient's id was already given to an earlier one, which is kept; export it once")
        cursor = self.base.execute(
            "INSERT INTO patients VALUES(NULL, ?, ?, ?, ?, ?, ?, ?)", (scope, key, url, *place, body)
        )
        self.base.executemany("INSERT INTO names VALUES(?, ?)", [(*name, cursor.lastrowid) for name in names])

    def strays(self) -> Iterator[Reject]:
        """Facts of patients who are not in the export: one reject for each such reference."""
        rows = self.base.execute(
            "SELECT COUNT(*), MIN(facts.number) FROM facts LEFT JOIN names ON name = subject WHERE name IS NULL"
            " GROUP BY subject ORDER BY subject"
        )
        for count, number in rows:
            query = "SELECT name, place FROM facts JOIN files ON files.number = file WHERE facts.number = ?"
            file, place = self.base.execute(query, (number,)).fetchone()
            reason = (
                f"{count} resource(s) from here on belong to a patient who is not in this export; add the patient"
            )
            yield Reject(file, place, reason)

    def charts(self) -> Iterator[tuple[Chart | None, list[Reject]]]:
        """Patients in the order of their resources, with the resources that repeat an id."""
        files = {number: name for name, number in self.files.items()}
        query = "SELECT scope, key, url, file, place, digest, body FROM patients ORDER BY number"
        for scope, key, url, file, place, digest, body in self.base.execute(query):
            subjects = [f"{scope} {name}" for name in dict.fromkeys((key, url))]
            marks = ", ".join("?" * len(subjects))
            where = f"FROM facts WHERE subject IN ({marks})"
            count, size = self.base.execute(f"SELECT COUNT(*), TOTAL(size) {where}", subjects).fetchone()
            if count > MAX_FACTS or size > MAX_CHARACTERS:
                reason = (
                    "this patient has more than 100,000 resources or 64 MB of text; split or correct the export"
                )
                yield None, [Reject(files[file], place, reason)]
                continue
            kept: dict[str, Kept] = {}
            repeats = []
            rows = self.base.execute(
                f"SELECT key, url, file, place, digest, body {where} ORDER BY number", subjects
            )
            for name, link, source, line, own, text in rows:
                if name in kept:
                    repeats.append(Reject(files[source], line, "this id was already read; the first one is kept"))
                    continue
                sort, encounter, span, data = json.loads(text)
                fact = Fact(sort, subjects[0], encounter, Span(*span) if span else None, data)
                kept[name] = Kept(fact, tuple(dict.fromkeys((name, link))), files[source], line, own)
            person = Person(tuple(dict.fromkeys((key, url))), json.loads(body), digest)
            try:
                yield Chart(person, list(kept.values()), functools.partial(self.look_up, scope)), repeats
            except Unreadable as error:
                yield None, [Reject(files[file], place, str(error))]

    def look_up(self, scope: str, reference: str) -> tuple[str, str]:
        """Type and text of what a reference means that is no patient's own; empty where it is not there."""
        query = "SELECT kind, label FROM others WHERE name = ?"
        return self.base.execute(query, (f"{scope} {reference}",)).fetchone() or ("", "")


@dataclass(frozen=True)
class FhirReader:
    """Reader of Bundle files, NDJSON files and folders of them. `start` counts contacts, from 1.

    A contact's place is its encounter's line or entry. Rejects of single resources come first, when reading from 1.
    """

    name: str = "fhir/1"
    spool: str | None = None  # where the temporary folder is made; the system's own where None

    def read(self, path: str, start: int = 1) -> Iterator[Record | Reject]:
        """Every contact from the start-th on, patient by patient."""
        return self.read_files(list_files(Path(path)), start)

    def read_files(self, files: Sequence[Path], start: int = 1) -> Iterator[Record | Reject]:
        """The contacts of several files whose references cross them."""
        try:
            with tempfile.TemporaryDirectory(prefix="prescreen-", dir=self.spool) as folder:
                spool = Spool(folder)
                try:
                    rejects = self._fill(spool, files)
                    for reject in rejects:
                        if start <= 1:
                            yield reject
                    yield from self._take(spool, start)
                finally:
                    spool.base.close()
        except sqlite3.Error:
            place = self.spool or tempfile.gettempdir()
            raise InputError("the temporary database failed; make room on this disk", file=place) from None

    def _fill(self, spool: Spool, files: Sequence[Path]) -> Iterator[Reject]:
        for found in read_resources(files):
            if isinstance(found, Reject):
                yield found
                continue
            try:
                check_fields(found.resource)
                spool.add(found)
            except Unreadable as error:
                yield Reject(found.file, found.place, str(error))
        yield from spool.strays()

    def _take(self, spool: Spool, start: int) -> Iterator[Record | Reject]:
        ordinal = 0
        for chart, rejects in spool.charts():
            contacts = chart.contacts() if chart else []
            if ordinal + 1 >= start:
                yield from rejects
            for contact in contacts:
                ordinal += 1
                if chart is None or ordinal < start:
                    continue
                if contact.fact.data.get("status") in NO_CONTACT:
                    yield Reject(contact.file, contact.place, "this encounter is planned, cancelled or an error")
                else:
                    yield build_record(chart, contact)
