"""The sealed table: who is who, encrypted, apart from the rows; and who has withdrawn.

A patient's secret is random, never made from the record (45 CFR 164.514(c)); what is looked up is a keyed hash of
the export's key, what is stored is sealed with AES-256-GCM. Keep the key file on another medium than the table:
either alone tells nothing. Knows no format and no rows. One process writes unless it is shared.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from prescreen.custody import WITHDRAWN, read_withdrawn
from prescreen.errors import GuardError, InputError
from prescreen.records.deid.replace import Mode, Surrogates, draw_secret
from prescreen.run import write_atomic

TABLE: Final = "sealed.db"
MODES: Final[tuple[Mode, ...]] = ("safe_harbor", "limited")
ENDINGS: Final = (".json", ".ndjson", ".jsonl", ".gz", ".csv", ".tsv", ".xlsx", ".hl7", ".txt", ".vtt", ".srt")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS patients(look BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files(look BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
"""


class Entry(NamedTuple):
    """One patient of the table, opened: for the person who may re-identify, nobody else."""

    key: str
    secret: bytes

    def codes(self) -> dict[Mode, str]:
        """What stands for this patient in rows, by mode."""
        return {mode: Surrogates(self.secret, mode).code("patient") for mode in MODES}


class Vault:
    """The table in a folder, opened with its key; both are made at the first use, if `new` allows it.

    `shared`: several processes write at once, so each new entry is on the disk at once; needs a disk with locks.
    """

    def __init__(
        self, folder: Path, key_file: Path | None = None, *, new: bool = True, shared: bool = False
    ) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ModuleNotFoundError:
            raise GuardError("the sealed table needs cryptography; install prescreen[records]") from None
        self.folder = folder
        if not new and not (folder / TABLE).is_file():
            raise InputError("there is no sealed table here; name the folder an import used", file=folder)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / TABLE
        master = _read_key(key_file or folder / "key", new=not path.exists())
        self._look, seal = (hmac.digest(master, name, hashlib.sha256) for name in (b"look", b"seal"))
        self._seal = AESGCM(seal)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._base = sqlite3.connect(path, timeout=60, isolation_level=None if shared else "DEFERRED")
        try:
            self._base.execute("PRAGMA secure_delete=ON")
            self._base.execute("PRAGMA cache_size=-1024")
            self._base.executescript(_SCHEMA)
            self._check_key()
        except sqlite3.DatabaseError:
            self._base.close()
            raise InputError("the sealed table is damaged; restore it from its backup", file=path) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        self.save()
        self._base.close()

    def save(self) -> None:
        """Everything drawn until now is on the disk when this returns: call it before rows that use it are."""
        self._base.commit()

    def secret(self, patient: str) -> bytes:
        """The patient's secret, drawn at the first meeting. `patient` is the export's own key."""
        look = self._name(b"patient", patient)
        query = "SELECT sealed FROM patients WHERE look = ?"
        found = self._base.execute(query, (look,)).fetchone()
        if not found:
            body = {"key": patient, "secret": base64.b64encode(draw_secret()).decode()}
            self._base.execute("INSERT OR IGNORE INTO patients VALUES(?, ?)", (look, self._close(look, body)))
            found = self._base.execute(query, (look,)).fetchone()  # another process may have come first
        return self._open(look, found[0]).secret

    def mark(self, patient: str, sha256: str) -> str:
        """What stands in rows for a record's hash, which would confirm a guess at its contents."""
        return self._name(b"record", f"{patient}\0{sha256}")[:16].hex()

    def label_file(self, name: str) -> str:
        """What stands for a file in rows and rejects: its own name may name a patient."""
        look = self._name(b"file", name)
        self._base.execute("INSERT OR IGNORE INTO files VALUES(?, ?)", (look, self._close(look, {"key": name})))
        endings = [ending for ending in Path(name.lower()).suffixes[-2:] if ending in ENDINGS]
        return f"file-{look[:6].hex()}{''.join(endings)}"

    def find_file(self, label: str) -> str | None:
        """The name behind a label."""
        for look, sealed in self._base.execute("SELECT look, sealed FROM files"):
            if label.startswith(f"file-{look[:6].hex()}"):
                return str(self._decrypt(look, sealed)["key"])
        return None

    def entries(self) -> Iterator[Entry]:
        """Every patient, opened."""
        for look, sealed in self._base.execute("SELECT look, sealed FROM patients"):
            yield self._open(look, sealed)

    def withdraw(self, patient: str, *, ahead: bool = False) -> Entry:
        """Note that a patient, by the export's key or by a row's code, wants no more part in this.

        `ahead` also takes a key that no import has met yet.
        """
        found = next((e for e in self.entries() if patient == e.key or patient in e.codes().values()), None)
        if found is None and ahead:
            found = Entry(patient, self.secret(patient))
            self.save()
        if found is None:
            raise InputError("no patient of this key or code is in the sealed table; name the key of the export")
        codes = read_withdrawn(self.folder) | set(found.codes().values())
        write_atomic(self.folder / WITHDRAWN, "\n".join(sorted(codes)) + "\n")
        return found

    def _name(self, kind: bytes, text: str) -> bytes:
        return hmac.digest(self._look, kind + b"\0" + text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _close(self, look: bytes, body: object) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + self._seal.encrypt(nonce, json.dumps(body).encode(), look)

    def _decrypt(self, look: bytes, sealed: bytes) -> dict[str, str]:
        from cryptography.exceptions import InvalidTag

        try:
            return json.loads(self._seal.decrypt(sealed[:12], sealed[12:], look))
        except InvalidTag:
            raise GuardError(f"{self.folder / TABLE}: not this table's key, or an entry was changed") from None

    def _open(self, look: bytes, sealed: bytes) -> Entry:
        body = self._decrypt(look, sealed)
        return Entry(body["key"], base64.b64decode(body["secret"]))

    def _check_key(self) -> None:
        for table in ("patients", "files"):
            for look, sealed in self._base.execute(f"SELECT look, sealed FROM {table} LIMIT 1"):
                self._decrypt(look, sealed)


def _read_key(path: Path, *, new: bool) -> bytes:
    """The 32 bytes of a key file that its owner alone may read; made when the table is new too."""
    if not path.exists():
        if not new:
            raise GuardError(f"{path}: the sealed table's key is not here; without it the table cannot be opened")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as handle:
            handle.write(secrets.token_hex(32) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
    if path.stat().st_mode & 0o077:
        raise GuardError(f"{path}: others can read the sealed table's key; run chmod 600 on it")
    text = path.read_text().strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise GuardError(f"{path}: not a key of this program (64 hexadecimal digits); restore it from its backup")
    return key
