"""Near-duplicates of a stream of texts in memory that does not grow with it: keys and texts lie on the disk.

Texts that share a MinHash key are compared exactly, as `quality.find_twins` compares them: a text that is named
repeats an earlier one for certain, and few repeats are missed. Knows texts with names; not cases, rows or files.
"""

import contextlib
import itertools
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from prescreen.data.minhash import BANDS, band_keys
from prescreen.data.quality import NEAR, SHINGLE, Twin, word_grams
from prescreen.errors import InputError

BATCH: Final = 512
COMPARED: Final = 32  # at most so many earlier texts, those that share most keys first
CROWD: Final = 300  # earlier texts looked at under one key: more share a template, not a story
CACHE_MB: Final = 64
_SCHEMA = """
CREATE TABLE texts(number INTEGER PRIMARY KEY, name TEXT, text TEXT);
CREATE TABLE bands(key INTEGER, number INTEGER, PRIMARY KEY(key, number)) WITHOUT ROWID;
"""
_ONE_KEY = f"SELECT number FROM (SELECT number FROM bands WHERE key = ? ORDER BY number LIMIT {CROWD})"
_MEETING = (
    f"SELECT number FROM ({' UNION ALL '.join([_ONE_KEY] * BANDS)}) "
    f"GROUP BY number ORDER BY COUNT(*) DESC, number LIMIT {COMPARED}"
)


class Shelf:
    """The private database. Its file has no name while it is in use, so nothing is left even after a crash."""

    def __init__(self, folder: str) -> None:
        path = Path(folder) / "shelf"
        self.base = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "temp_store=MEMORY"):
            self.base.execute(f"PRAGMA {setting}")
        self.base.execute(f"PRAGMA cache_size=-{CACHE_MB << 10}")
        self.base.executescript(_SCHEMA)
        with contextlib.suppress(OSError):  # an open file cannot lose its name on every system
            path.unlink()
        self.base.execute("BEGIN")
        self.count = 0

    def add(self, name: str, text: str, keys: list[int]) -> None:
        """Keep a text for later ones to be compared with."""
        self.count += 1
        stored = text.encode("utf-8", "surrogatepass")
        self.base.execute("INSERT INTO texts VALUES(?, ?, ?)", (self.count, name, stored))
        self.base.executemany("INSERT OR IGNORE INTO bands VALUES(?, ?)", [(key, self.count) for key in keys])

    def meet(self, keys: list[int]) -> Iterator[tuple[str, str]]:
        """Earlier texts that share a key, in the order they came."""
        for number in sorted(number for (number,) in self.base.execute(_MEETING, keys)):
            row = self.base.execute("SELECT name, text FROM texts WHERE number = ?", (number,)).fetchone()
            yield row[0], row[1].decode("utf-8", "surrogatepass")


def find_near(
    texts: Iterable[tuple[str, str]], threshold: float = NEAR, *, folder: str | None = None
) -> Iterator[Twin]:
    """Every text that repeats an earlier one, in the stream's order: put first what must stay.

    No text below the threshold is ever named; of those above it about one in five hundred at 0.8 is missed, and
    fewer the more alike they are. `folder` is where the temporary database is made; the system's own where None.
    """
    if folder is not None and not Path(folder).is_dir():
        raise InputError("there is no such folder for the temporary database; correct the path", file=folder)
    try:
        with tempfile.TemporaryDirectory(prefix="prescreen-", dir=folder) as place:
            shelf = Shelf(place)
            try:
                stream = iter(texts)
                while batch := list(itertools.islice(stream, BATCH)):
                    keys = band_keys([text for _, text in batch]).tolist()
                    for (name, text), own in zip(batch, keys, strict=True):
                        best = _find_best(name, text, shelf.meet(own))
                        if best is not None and best.similarity >= threshold:
                            yield best
                        else:
                            shelf.add(name, text, own)
            finally:
                shelf.base.close()
    except sqlite3.Error:
        where = folder or tempfile.gettempdir()
        raise InputError("the temporary database failed; make room on this disk", file=where) from None


def _find_best(name: str, text: str, others: Iterator[tuple[str, str]]) -> Twin | None:
    """The most alike of the earlier texts, the earliest of equals."""
    best = None
    grams: set[tuple[str, ...]] = set()
    for other, words in others:
        grams = grams or word_grams(text, SHINGLE)
        theirs = word_grams(words, SHINGLE)
        shared = len(grams & theirs)
        similarity = shared / (len(grams) + len(theirs) - shared)
        if best is None or similarity > best.similarity:
            best = Twin(name, other, similarity)
        if similarity == 1:
            break
    return best
