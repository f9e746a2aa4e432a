"""Who comes in: consent, withdrawal and repeats decide before anything else, and each record gets its secret.

Knows the sealed table. Knows no texts.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from prescreen.custody import read_withdrawn
from prescreen.errors import InputError
from prescreen.records.deid.replace import Mode, Surrogates
from prescreen.records.folder import Unit
from prescreen.records.measures import read_yes
from prescreen.records.record import Record, Reject
from prescreen.records.rows import Given
from prescreen.records.vault import Vault


class Intake:
    """Takes every item of a unit in order. `met` are the marks of records that are rows already."""

    def __init__(self, vault: Vault, mode: Mode, met: Iterable[str]) -> None:
        self.vault, self.mode = vault, mode
        self.withdrawn = read_withdrawn(vault.folder)
        self.seen = Seen(met)
        self._labels: dict[tuple[str, str], str] = {}

    def prepare(self, unit: Unit, items: Iterator[Record | Reject]) -> Iterator[Given | Reject]:
        """Every item with its secret and marks, or why it stays out."""
        last = 0
        try:
            for item in items:
                last = item.place if isinstance(item, Reject) else item.source.place
                yield self._judge(unit, item)
        except InputError:  # its message names the file, and a file's name may name a patient
            file = self._label(unit, unit.files[0].name)
            yield Reject(file, last + 1, "from here on the file cannot be read; mend it and run again")

    def _judge(self, unit: Unit, item: Record | Reject) -> Given | Reject:
        if isinstance(item, Reject):
            return item._replace(file=self._label(unit, item.file))
        file, place = self._label(unit, item.source.file), item.source.place
        if item.consent and read_yes(item.consent) is False:
            return Reject(file, place, "the patient does not consent")
        nameless = item.patient == f"{Path(item.source.file).stem}-{place}"
        key = f"{unit.name} {place}" if nameless else item.patient  # without a key of its own it is nobody else
        given = Given(item, self.vault.secret(key), file, self.vault.mark(key, item.source.sha256))
        if self.withdrawn and Surrogates(given.secret, self.mode).code("patient") in self.withdrawn:
            return Reject(file, place, "the patient has withdrawn")
        if not self.seen.add(given.mark):
            return Reject(file, place, "the same contact was already read")
        return given

    def _label(self, unit: Unit, file: str) -> str:
        if (unit.name, file) not in self._labels:
            if len(self._labels) > 1000:
                self._labels.clear()
            folder = Path(unit.name) if len(unit.files) > 1 else Path(unit.name).parent
            self._labels[unit.name, file] = self.vault.label_file(str(folder / file))
        return self._labels[unit.name, file]


class Seen:
    """Marks met so far, in a database without a name: memory does not grow with them."""

    def __init__(self, marks: Iterable[str] = ()) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.execute("PRAGMA cache_size=-1024")
        self._base.execute("CREATE TABLE seen(mark TEXT PRIMARY KEY) WITHOUT ROWID")
        self._base.execute("BEGIN")
        self._base.executemany("INSERT OR IGNORE INTO seen VALUES(?)", ((mark,) for mark in marks))

    def add(self, mark: str) -> bool:
        """Whether this is the first time."""
        return self._base.execute("INSERT OR IGNORE INTO seen VALUES(?)", (mark,)).rowcount > 0
