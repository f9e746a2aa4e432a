"""A copy of the database in a folder, back again, and the drill that proves it. Knows no key but to try one.

A backup holds the database and a manifest (its SHA-256, the revision, the end of the audit log, rows a table). The
keys are not in it: either alone tells nothing. `copy_keys` puts them somewhere else.
"""

import datetime
import hashlib
import os
import secrets
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, create_engine, func, inspect, select, table, text

from prescreen.config import Strict
from prescreen.errors import ConflictError, GuardError, InputError
from prescreen.run import write_atomic
from prescreen.store.audit import Verdict, verify
from prescreen.store.base import Act, Store, Who, database_file, open_database
from prescreen.store.faults import say_faults
from prescreen.store.keys import Keys
from prescreen.store.migrate import find_revision, open_store, upgrade
from prescreen.store.people import AuditHead
from prescreen.store.postgres import dump_server, load_server, make_database
from prescreen.store.tables import Patient

KEEPER: Final = Who("backup", "service")
MANIFEST: Final = "manifest.json"


class Manifest(Strict):
    """What a backup says of itself, written last: where it is, the backup is whole."""

    format: Literal[1] = 1
    made: datetime.datetime
    kind: Literal["sqlite", "postgresql"]
    file: str
    sha256: str
    revision: str
    audit_number: int
    audit_mac: str
    rows: dict[str, int]


class Drill(NamedTuple):
    """What a restored copy showed."""

    verdict: Verdict
    rows: int
    opened: int
    seconds: float


def backup(store: Store, folder: Path) -> Manifest:
    """Copy the running database into a new folder."""
    if folder.exists() and any(folder.iterdir()):
        raise InputError("is not empty; name a new folder for the backup", file=folder)
    with store.act(KEEPER) as act:
        act.log("store.backup")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    is_file = database_file(store.url) is not None
    name = "store.db" if is_file else "store.dump"
    with say_faults():
        told = _copy_file(store, folder / name) if is_file else _copy_server(store, folder / name)
    _keep(folder / name)
    manifest = Manifest(
        made=store.clock(),
        kind="sqlite" if is_file else "postgresql",
        file=name,
        sha256=_digest(folder / name),
        revision=told.revision,
        audit_number=told.number,
        audit_mac=told.mac,
        rows=told.rows,
    )
    write_atomic(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    return manifest


def copy_keys(keys: Keys, folder: Path) -> int:
    """Copy the key files to another medium than the backup; how many."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = sorted(keys.folder.glob("*.key"))
    for path in files:
        if (folder / path.name).exists() and (folder / path.name).read_bytes() != path.read_bytes():
            raise InputError("another key of this name is here; name another folder", file=folder / path.name)
        handle = os.open(folder / path.name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(path.read_bytes())
            os.fsync(file.fileno())
    return len(files)


def restore(folder: Path, url: str) -> Manifest:
    """Bring a backup back into an empty database, after looking whether it is as it was written."""
    manifest = read_manifest(folder)
    file = folder / manifest.file
    path = database_file(url)
    if (path is None) != (manifest.kind == "postgresql"):
        raise InputError(f"is a backup of {manifest.kind}; restore it into such a database", file=folder)
    if path is None:
        if find_revision(url) is not None:
            raise ConflictError("the database holds a store; restore into an empty one")
        load_server(url, file)
    else:
        if path.exists():
            raise InputError("there is a database here; move it away first, the journals beside it too", file=path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _place(file, path)
    engine = open_database(url)
    with engine.connect() as connection:
        found = _look_at(connection, manifest.revision)
    engine.dispose()
    if (found.number, found.mac, found.rows) != (manifest.audit_number, manifest.audit_mac, manifest.rows):
        raise GuardError(f"{folder}: what was restored is not what the manifest tells; take an older backup")
    return manifest


def drill(folder: Path, key_folder: Path, server: str = "") -> Drill:
    """Restore into a temporary place, walk the audit log, count rows and open one sealed name.

    A backup of PostgreSQL needs the address of a `server` where a database may be made for a while.
    """
    began = datetime.datetime.now()
    manifest = read_manifest(folder)
    if manifest.kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="prescreen-drill-") as name:
            return _try_out(folder, f"sqlite:///{Path(name) / 'store.db'}", key_folder, began)
    if not server:
        raise InputError("is a backup of PostgreSQL; name a server with --database to try it on", file=folder)
    with make_database(server, f"prescreen_drill_{secrets.token_hex(4)}") as url:
        return _try_out(folder, url, key_folder, began)


def read_manifest(folder: Path) -> Manifest:
    """The manifest, once the file beside it is found to be the one it tells of."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError("there is no whole backup here; name a folder with a manifest.json", file=folder)
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise InputError("is no manifest of a backup; take another backup", file=path) from None
    file = folder / Path(manifest.file).name
    if not file.is_file() or _digest(file) != manifest.sha256:
        raise GuardError(f"{file}: missing, or changed since it was written; take another backup")
    return manifest


class _Told(NamedTuple):
    revision: str
    number: int
    mac: str
    rows: dict[str, int]


def _copy_file(store: Store, target: Path) -> _Told:
    """SQLite's own way of copying a database in use."""
    source = store.engine.raw_connection()
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    copy = sqlite3.connect(target)
    try:
        driver = source.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        copy.close()
        source.close()
    engine = create_engine(f"sqlite:///{target}")
    with engine.connect() as connection:
        told = _look_at(connection)
    engine.dispose()
    return told


def _copy_server(store: Store, target: Path) -> _Told:
    """pg_dump of the moment in which head and rows are read."""
    with store.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        told = _look_at(connection)
        moment = connection.scalar(select(func.pg_export_snapshot()))
        dump_server(store.url, target, str(moment))
    return told


def _look_at(connection: Connection, revision: str | None = None) -> _Told:
    found = revision or str(connection.scalar(text("SELECT version_num FROM alembic_version")))
    number, mac = connection.execute(select(AuditHead.number, AuditHead.mac)).one()
    names = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
    rows = {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}
    return _Told(found, number, mac, rows)


def _place(file: Path, path: Path) -> None:
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as out, file.open("rb") as source:
        shutil.copyfileobj(source, out)
        out.flush()
        os.fsync(out.fileno())


def _keep(path: Path) -> None:
    """For its owner alone, and on the disk."""
    with path.open("rb") as file:
        os.fchmod(file.fileno(), 0o600)
        os.fsync(file.fileno())


def _try_out(folder: Path, url: str, key_folder: Path, began: datetime.datetime) -> Drill:
    manifest = restore(folder, url)
    upgrade(url)  # a backup may be older than the program
    store = open_store(url, key_folder, make=False)
    try:
        verdict = verify(store)
        with store.look(KEEPER) as act:
            opened = _open_one(act)
    finally:
        store.close()
    return Drill(verdict, sum(manifest.rows.values()), opened, (datetime.datetime.now() - began).total_seconds())


def _open_one(act: Act) -> int:
    """Open a patient's sealed name with these keys: 1 where there was one; GuardError where the keys do not fit."""
    patient = act.session.scalar(select(Patient).where(Patient.link.is_not(None)).limit(1))
    if patient is None or patient.link is None:
        return 0
    act.unseal(patient.id, f"patients|link|{patient.id}", patient.link)
    return 1


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
