"""The store's suite runs against SQLite and against a real PostgreSQL, one server for the whole session."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from prescreen.store.base import Store
from store.desk import make_store

BIN = Path("/usr/lib/postgresql/15/bin")
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "deadlock_timeout": "200ms",
}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server of this session's own, on a unix socket."""
    found = str(BIN / "initdb") if (BIN / "initdb").exists() else shutil.which("initdb")
    if found is None:
        pytest.skip("PostgreSQL is not installed: the store is tested on SQLite alone")
    tools = Path(found).parent
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        account = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            account = "postgres" if _is_known("postgres") else "nobody"
            shutil.chown(folder, account)
        _call(account, tools / "initdb", "-D", folder / "data", "-U", "clinic", "-A", "trust", "-N", "-E", "UTF8")
        options = " ".join(f"-c {key}='{value}'" for key, value in SETTINGS.items()) + f" -k {folder}"
        _call(account, tools / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://clinic@/postgres?host={folder}"
        finally:
            _call(account, tools / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")


@pytest.fixture
def new_database(server: str) -> Iterator[Callable[[], str]]:
    """Makes empty databases on the server; they are dropped at the end."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make() -> str:
        name = f"t{secrets.token_hex(6)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        made.append(name)
        return server.replace("/postgres?", f"/{name}?")

    yield make
    with admin.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'clinic' / 'prescreen.db'}"
    made: Callable[[], str] = request.getfixturevalue("new_database")
    return made()


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    """A store with its people, on each kind of database."""
    store = make_store(tmp_path, url)
    yield store
    store.close()


def _is_known(account: str) -> bool:
    return account in {entry.pw_name for entry in pwd.getpwall()}


def _call(account: str | None, *words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, user=account, cwd="/", stdout=subprocess.DEVNULL)
