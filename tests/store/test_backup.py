"""A backup comes back whole or not at all; the drill proves it with the keys and without touching the original."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from prescreen.errors import ConflictError, GuardError, InputError, PrescreenError
from prescreen.store.anchors import take_checkpoint
from prescreen.store.audit import verify
from prescreen.store.backup import backup, copy_keys, drill, read_manifest, restore
from prescreen.store.base import Store
from prescreen.store.migrate import open_store
from prescreen.store.tables import Visit
from prescreen.store.visits import read_case
from store.desk import NURSE, make_drafted, make_waiting


@pytest.fixture
def other(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An empty place of the same kind."""
    if store.url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'other' / 'store.db'}"
    made: Callable[[], str] = request.getfixturevalue("new_database")
    return made()


def test_a_backup_comes_back(store: Store, other: str, tmp_path: Path) -> None:
    visit, _ = make_drafted(store, "a cough for three days")
    manifest = backup(store, tmp_path / "copy")
    make_waiting(store)
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"manifest.json", manifest.file}
    assert stat.S_IMODE((tmp_path / "copy" / manifest.file).stat().st_mode) == 0o600
    assert restore(tmp_path / "copy", other) == manifest
    back = open_store(other, tmp_path / "keys", make=False)
    with back.look(NURSE) as act:
        assert read_case(act, act.session.get_one(Visit, visit.id)).complaint == "a cough for three days"
    verdict = verify(back)
    assert verdict.whole and verdict.lines == manifest.audit_number
    make_waiting(back)
    back.close()
    with pytest.raises(PrescreenError):
        restore(tmp_path / "copy", other)


def test_an_anchor_tells_that_a_backup_is_older(store: Store, other: str, tmp_path: Path) -> None:
    backup(store, tmp_path / "copy")
    make_waiting(store)
    take_checkpoint(store, tmp_path / "anchor")
    restore(tmp_path / "copy", other)
    back = open_store(other, tmp_path / "keys", make=False)
    assert verify(back).whole and "cut off" in verify(back, tmp_path / "anchor").sentence
    back.close()


def test_the_drill_tells_what_it_found(store: Store, tmp_path: Path) -> None:
    for _ in range(3):
        make_waiting(store)
    manifest = backup(store, tmp_path / "copy")
    done = drill(tmp_path / "copy", tmp_path / "keys", store.url)
    assert done.verdict.whole and done.opened == 1 and done.rows == sum(manifest.rows.values()) > 20
    copy_keys(store.keys, tmp_path / "safe")
    assert drill(tmp_path / "copy", tmp_path / "safe", store.url).verdict.whole
    assert stat.S_IMODE((tmp_path / "safe" / "audit.key").stat().st_mode) == 0o600
    if not store.url.startswith("sqlite"):
        with store.engine.connect() as connection:
            names = set(connection.scalars(text("SELECT datname FROM pg_database")))
        assert not any(name.startswith("prescreen_drill") for name in names)


def test_the_drill_fails_with_other_keys_or_a_log_that_was_changed(store: Store, tmp_path: Path) -> None:
    make_waiting(store)
    backup(store, tmp_path / "copy")
    from prescreen.store.keys import Keys

    Keys(tmp_path / "strange", new=True)
    with pytest.raises(GuardError):
        drill(tmp_path / "copy", tmp_path / "strange", store.url)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE number = 2"))
    backup(store, tmp_path / "late")
    assert drill(tmp_path / "late", tmp_path / "keys", store.url).verdict.bad == 2


def test_a_changed_or_half_backup_is_refused(store: Store, other: str, tmp_path: Path) -> None:
    make_waiting(store)
    manifest = backup(store, tmp_path / "copy")
    with pytest.raises(InputError, match="not empty"):
        backup(store, tmp_path / "copy")
    file = tmp_path / "copy" / manifest.file
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(GuardError, match="changed"):
        restore(tmp_path / "copy", other)
    file.write_bytes(whole)
    path = tmp_path / "copy" / "manifest.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "audit_number": told["audit_number"] - 1}))
    with pytest.raises(GuardError, match="not what the manifest"):
        restore(tmp_path / "copy", other)
    path.unlink()
    with pytest.raises(InputError, match="no whole backup"):
        read_manifest(tmp_path / "copy")


def test_a_backup_of_the_other_kind_is_refused(store: Store, tmp_path: Path) -> None:
    backup(store, tmp_path / "copy")
    strange = "postgresql+psycopg://x@/y" if store.url.startswith("sqlite") else f"sqlite:///{tmp_path / 'x.db'}"
    with pytest.raises(InputError, match="is a backup of"):
        restore(tmp_path / "copy", strange)


def test_restoring_over_a_store_is_refused(store: Store, tmp_path: Path) -> None:
    backup(store, tmp_path / "copy")
    with pytest.raises((ConflictError, InputError)):
        restore(tmp_path / "copy", store.url)
