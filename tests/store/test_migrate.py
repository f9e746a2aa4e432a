"""Revisions make exactly the tables the program knows, both ways, and an older or strange database is refused."""

import stat
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, func, inspect, select, text

from prescreen.errors import GuardError
from prescreen.store import migrate
from prescreen.store.audit import verify
from prescreen.store.base import open_database
from prescreen.store.migrate import check, downgrade, find_revision, open_store, upgrade
from prescreen.store.people import User
from prescreen.store.tables import Base, Visit
from store.desk import NURSE, make_drafted, make_store


def test_the_revisions_make_the_tables_the_program_knows(url: str) -> None:
    upgrade(url)
    engine = open_database(url)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []
        named = {
            constraint["name"]
            for table in Base.metadata.tables
            for constraint in inspect(connection).get_foreign_keys(table)
        }
    known = {key.name for table in Base.metadata.tables.values() for key in table.foreign_key_constraints}
    assert named == known
    engine.dispose()


def test_up_down_up_and_rows_are_kept_where_a_revision_keeps_them(url: str, tmp_path: Path) -> None:
    store = make_store(tmp_path, url)
    make_drafted(store)
    assert upgrade(url) == migrate.newest_revision(), "at the newest already: nothing is touched"
    with store.look(NURSE) as act:
        assert act.session.scalar(select(func.count()).select_from(Visit)) == 1
        assert act.session.scalar(select(func.count()).select_from(User)) == 3
    store.close()
    assert downgrade(url, "base") is None and find_revision(url) is None
    engine = open_database(url)
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    again = open_store(url, tmp_path / "keys")
    assert again.is_empty() and check(url)
    again.close()


def test_an_open_store_is_kept_as_it_is(url: str, tmp_path: Path) -> None:
    store = make_store(tmp_path, url)
    visit, _ = make_drafted(store)
    store.close()
    again = open_store(url, tmp_path / "keys", make=False)
    with again.look(NURSE) as act:
        assert act.session.get_one(Visit, visit.id).state == "waiting"
    assert verify(again).whole
    again.close()


def test_older_newer_and_strange_databases_are_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path, url).close()
    engine = open_database(url)
    with monkeypatch.context() as patch, pytest.raises(GuardError, match=r"run `prescreen store migrate`"):
        patch.setattr(migrate, "newest_revision", lambda: "a later one")
        open_store(url, tmp_path / "keys")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'future'"))
    with pytest.raises(GuardError, match="newer program"):
        open_store(url, tmp_path / "keys")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(GuardError, match="something else"):
        open_store(url, tmp_path / "keys")
    engine.dispose()


def test_a_store_without_its_keys_is_not_given_new_ones(url: str, tmp_path: Path) -> None:
    make_store(tmp_path, url).close()
    with pytest.raises(GuardError, match="no clinic key"):
        open_store(url, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_drafted(store)
    folder = tmp_path / "clinic"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    store.close()
    (folder / "prescreen.db").chmod(0o644)
    with pytest.raises(GuardError, match="chmod 600"):
        open_store(f"sqlite:///{folder / 'prescreen.db'}", tmp_path / "keys")


def test_a_wrong_address_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="no store is here"):
        open_store(f"sqlite:///{tmp_path / 'no.db'}", tmp_path / "keys", make=False)
    assert list(tmp_path.iterdir()) == []


def test_a_half_drawn_key_folder_is_finished_where_the_store_is_new(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    make_store(tmp_path).close()
    kept = {path.name: path.read_text() for path in (tmp_path / "keys").iterdir()}
    (tmp_path / "keys" / "clinic-1.key").unlink()  # as if killed before the last was drawn
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "keys")
    other.close()
    assert kept["audit.key"] == (tmp_path / "keys" / "audit.key").read_text()


def test_several_open_a_new_store_at_once(url: str, tmp_path: Path) -> None:
    faults: list[Exception] = []

    def enter() -> None:
        try:
            open_store(url, tmp_path / "keys").close()
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    store = open_store(url, tmp_path / "keys", make=False)
    assert verify(store).whole
    store.close()


def test_the_tables_of_another_program_are_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    engine.dispose()
    (tmp_path / "other.db").chmod(0o600)
    with pytest.raises(GuardError, match="something else"):
        open_store(url, tmp_path / "keys")


def test_the_revisions_are_one_row_without_a_gap() -> None:
    """Two branches that each add the next number clash here, before any clinic meets two heads."""
    scripts = migrate._scripts()
    assert len(scripts.get_heads()) == 1
    row = list(reversed(list(scripts.walk_revisions())))
    numbers = [f"{number:04}" for number in range(1, len(row) + 1)]
    assert [script.revision for script in row] == numbers
    assert [script.down_revision for script in row] == [None, *numbers[:-1]]
    files = sorted(path.name[1:5] for path in Path(migrate._FOLDER, "versions").glob("r*.py"))
    assert files == numbers


def test_each_revision_goes_down_and_up_again(url: str) -> None:
    newest = int(migrate.newest_revision())
    upgrade(url)
    for number in range(newest - 1, 0, -1):
        assert downgrade(url, f"{number:04}") == f"{number:04}"
    assert upgrade(url) == f"{newest:04}"
    engine = open_database(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()
