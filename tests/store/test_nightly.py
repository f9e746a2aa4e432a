"""Backups night after night: each in a folder of its own, ended after its time, the newest never."""

import datetime
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prescreen.cli import app
from prescreen.errors import InputError
from prescreen.store.backup import Manifest
from prescreen.store.migrate import open_store
from prescreen.store.nightly import end_old, name_by_time
from prescreen.store.postgres import dump_server

NOW = datetime.datetime(2026, 11, 26, 2, 15, tzinfo=datetime.UTC)


def make_backup(place: Path, days: float) -> Path:
    made = NOW - datetime.timedelta(days=days)
    folder = place / name_by_time(made)
    folder.mkdir(parents=True)
    (folder / "store.db").write_bytes(b"sealed")
    manifest = Manifest(
        made=made, kind="sqlite", file="store.db", sha256="", revision="1", audit_number=1, audit_mac="", rows={}
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return folder


def test_old_ones_end_and_the_rest_stays(tmp_path: Path) -> None:
    old, edge, fresh = (make_backup(tmp_path, days) for days in (31, 29.9, 1))
    assert end_old(tmp_path, 30, NOW) == [old]
    assert sorted(tmp_path.iterdir()) == sorted([edge, fresh])


def test_the_newest_never_ends(tmp_path: Path) -> None:
    """Backups that have failed for months must not take the last good one away."""
    only = make_backup(tmp_path, 400)
    older = make_backup(tmp_path, 500)
    assert end_old(tmp_path, 30, NOW) == [older]
    assert only.is_dir()


def test_what_is_no_dated_backup_is_left_alone(tmp_path: Path) -> None:
    make_backup(tmp_path, 1)
    renamed = make_backup(tmp_path, 100).rename(tmp_path / "before the move")
    more = make_backup(tmp_path, 90)
    (more / "note.txt").write_text("keep this one")
    torn = make_backup(tmp_path, 80)
    (torn / "manifest.json").write_text("{")
    linked = tmp_path / name_by_time(NOW - datetime.timedelta(days=70))
    linked.symlink_to(renamed)
    assert end_old(tmp_path, 30, NOW) == []
    assert all(path.exists() for path in (renamed, more, torn, linked))


def test_the_verb_makes_a_folder_each_time(tmp_path: Path) -> None:
    data, place = tmp_path / "clinic", tmp_path / "disk"
    open_store(f"sqlite:///{data / 'prescreen.db'}", data / "keys").close()
    old = make_backup(place, 10_000)
    words = ["store", "backup", str(place), "--data", str(data), "--dated", "--keep-days", "30"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "ended" in done.output and not old.exists()
    (made,) = place.iterdir()
    assert (made / "manifest.json").is_file()
    done = CliRunner().invoke(app, ["store", "backup", str(made / "x"), "--data", str(data), "--keep-days", "3"])
    assert isinstance(done.exception, InputError)


def test_a_password_file_in_the_address_reaches_the_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a clinic whose database wants a password has no backup."""
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$PGPASSFILE $PGUSER $PGHOST" > {tmp_path}/told\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.defpath}")
    url = "postgresql+psycopg://prescreen@db:5432/prescreen?passfile=/run/secrets/pgpass"
    dump_server(url, tmp_path / "x", "1")
    assert (tmp_path / "told").read_text().split() == ["/run/secrets/pgpass", "prescreen", "db"]
