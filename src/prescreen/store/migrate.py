"""The tables' revisions, both ways, and opening a store: a new one is made, an older one is refused with the mend.

Knows Alembic; the revisions themselves are in `migrations/`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, insert, inspect, select

from prescreen.errors import GuardError
from prescreen.store import loop_tables  # noqa: F401  (its tables belong to the metadata)
from prescreen.store.base import GENESIS, Clock, Store, database_file, now_utc, open_database
from prescreen.store.faults import say_faults
from prescreen.store.keys import Keys
from prescreen.store.people import AuditHead

_FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x70726573  # one migration at a time on a server
MEND: Final = "stop the service, take a backup, run `prescreen store migrate`"


def open_store(url: str, key_folder: Path, clock: Clock = now_utc, *, make: bool = True) -> Store:
    """The store at an address: made with its keys where there is none and `make` allows it; refused where older."""
    path = database_file(url)
    if not make and path is not None and not path.exists():
        raise GuardError(f"{path}: no store is here; name the right one, or make it with `prescreen store migrate`")
    if path is not None and path.exists() and path.stat().st_mode & 0o077:
        raise GuardError(f"{path}: others can read the database; run chmod 600 on it")
    with say_faults():
        if make and find_revision(url) is None:
            upgrade(url)
        check(url)
    store = Store(url, Keys(key_folder, new=_is_unsealed(url)), clock)
    _seal_new(store)
    return store


def upgrade(url: str, to: str = "head") -> str | None:
    """Bring the tables to a revision, by default the newest; one transaction."""
    with _entered(url) as connection, connection.begin():
        _wait_alone(connection)
        command.upgrade(_config(connection), to)
        return MigrationContext.configure(connection).get_current_revision()


def downgrade(url: str, to: str) -> str | None:
    """Take the tables back to an older revision ("base" drops them all, with all they hold)."""
    with _entered(url) as connection, connection.begin():
        _wait_alone(connection)
        command.downgrade(_config(connection), to)
        return MigrationContext.configure(connection).get_current_revision()


def check(url: str) -> str:
    """The store's revision; GuardError unless it is the newest."""
    found, newest = find_revision(url), newest_revision()
    if found == newest:
        return newest
    if found is None:
        raise GuardError("the database holds no store yet; run `prescreen store migrate`")
    if found in {script.revision for script in _scripts().walk_revisions()}:
        raise GuardError(f"the store is at revision {found}, this program needs {newest}; {MEND}")
    raise GuardError(f"the store is at revision {found}, which this program does not know; run the newer program")


def find_revision(url: str) -> str | None:
    """The revision of the tables, None where there are none; GuardError where other tables stand."""
    with _entered(url) as opened:
        connection = opened.execution_options(reads_only=True)
        revision = MigrationContext.configure(connection).get_current_revision()
        strange = revision is None and set(inspect(connection).get_table_names()) - {"alembic_version"}
    if strange:
        raise GuardError("the database holds tables of something else; name an empty database")
    return revision


def newest_revision() -> str:
    """The revision this program works with."""
    head = _scripts().get_current_head()
    assert head is not None
    return head


def _is_unsealed(url: str) -> bool:
    """Whether no key was ever used here: only then may keys be drawn."""
    with _entered(url) as connection:
        return not connection.scalar(select(func.count()).select_from(AuditHead))


@contextmanager
def _entered(url: str) -> Iterator[Connection]:
    """A connection of its own, whose engine ends with it."""
    engine = open_database(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _seal_new(store: Store) -> None:
    """Write the end of the empty log, so that a log cut to nothing is told from a new one."""
    with store.engine.begin() as connection:
        _wait_alone(connection)
        if not connection.scalar(select(func.count()).select_from(AuditHead)):
            seal = store.keys.seal_head(0, GENESIS)
            connection.execute(insert(AuditHead).values(id=1, number=0, mac=GENESIS, seal=seal))


def _wait_alone(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
