"""PostgreSQL's own programs: a dump, its return, a database for a while. Knows no table; a password goes to them by
the environment, never in a command line others can read.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine, make_url, text

from prescreen.errors import GuardError, StoreError

_HOMES: Final = tuple(Path(f"/usr/lib/postgresql/{number}/bin") for number in range(20, 12, -1))


def dump_server(url: str, target: Path, moment: str) -> None:
    """Dump a database as of an exported moment."""
    _call("pg_dump", url, "--format=custom", "--no-owner", f"--snapshot={moment}", f"--file={target}")


def load_server(url: str, source: Path) -> None:
    """Bring a dump into an empty database, all or nothing."""
    _call("pg_restore", url, "--no-owner", "--single-transaction", "--exit-on-error", str(source))


@contextmanager
def make_database(server: str, name: str) -> Iterator[str]:
    """A database on the server for as long as it is needed."""
    assert name.isidentifier()
    engine = create_engine(server, isolation_level="AUTOCOMMIT", hide_parameters=True)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        engine.dispose()


def find_program(name: str) -> Path:
    """A program of PostgreSQL; GuardError where it is not installed."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    for home in _HOMES:
        if (home / name).exists():
            return home / name
    raise GuardError(f"{name} is not installed; install PostgreSQL's client programs, as new as the server")


def _call(program: str, url: str, *words: str) -> None:
    address = make_url(url)
    known = {
        "PGHOST": address.query.get("host") or address.host,
        "PGPORT": str(address.port) if address.port else None,
        "PGUSER": address.username,
        "PGPASSWORD": address.password,
        "PGPASSFILE": address.query.get("passfile"),
        "PGSSLMODE": address.query.get("sslmode"),
        "PGSSLROOTCERT": address.query.get("sslrootcert"),
    }
    environment = {**os.environ, **{name: str(value) for name, value in known.items() if value}}
    command = [str(find_program(program)), f"--dbname={address.database}", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StoreError(f"{program} ended with {done.returncode}; look at the server's log and its version")
