"""The verbs store and audit, as a person types them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from prescreen.cli import app
from prescreen.errors import GuardError, InputError, RefusedError
from prescreen.store.migrate import open_store
from store.desk import make_waiting


def call(folder: Path, *words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*map(str, words), "--data", str(folder)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_a_store_from_its_making_to_its_drill(tmp_path: Path) -> None:
    folder = tmp_path / "clinic"
    with pytest.raises(GuardError, match="no store is here"):
        call(folder, "store", "check")
    assert "revision" in call(folder, "store", "migrate")
    assert "clinic-1" in call(folder, "store", "check")
    store = open_store(f"sqlite:///{folder / 'prescreen.db'}", folder / "keys", make=False)
    from prescreen.store.people import User
    from store.desk import NURSE, SERVICE

    with store.act(SERVICE) as act:
        act.session.add(User(id=NURSE.id, login="n", name="Nurse", role="nurse", teams=["clinic"], created=act.now))
    visit = make_waiting(store)
    store.close()
    assert "whole" in call(folder, "audit", "verify")
    assert "marked line" in call(folder, "audit", "anchor", tmp_path / "anchor")
    assert "met: 1" in call(folder, "audit", "verify", "--anchor", tmp_path / "anchor")
    assert "visit.finish" in call(folder, "audit", "show", visit.id)
    assert "lines" in call(folder, "audit", "export", tmp_path / "log.csv", "--form", "csv")
    with pytest.raises(InputError, match="together"):
        call(folder, "store", "backup", tmp_path / "copy", "--with-keys", tmp_path / "copy" / "keys")
    assert "3 keys" in call(folder, "store", "backup", tmp_path / "copy", "--with-keys", tmp_path / "safe")
    assert "whole" not in call(folder, "store", "drill", tmp_path / "copy").lower().replace("lines, each as", "")
    assert "clinic-2" in call(folder, "store", "rotate")
    call(folder, "store", "hold", visit.patient_id, "--by", "admin")
    with pytest.raises(RefusedError, match="hold"):
        call(folder, "store", "shred", visit.patient_id, "--reason", "patient asked", "--by", "admin", "--yes")
    call(folder, "store", "hold", visit.patient_id, "--by", "admin", "--lift")
    with pytest.raises(RefusedError, match="still open"):
        call(folder, "store", "shred", visit.patient_id, "--reason", "patient asked", "--by", "admin", "--yes")
    assert "restored" in call(tmp_path / "new", "store", "restore", tmp_path / "copy")
    (folder / "prescreen.db").write_bytes((tmp_path / "copy" / "store.db").read_bytes())
    for journal in folder.glob("prescreen.db-*"):
        journal.unlink()
    assert "NOT WHOLE" not in call(folder, "audit", "verify")


def test_people_from_the_console(tmp_path: Path) -> None:
    folder = tmp_path / "clinic"
    call(folder, "store", "migrate")
    told = call(folder, "user", "add", "Ada.Berg", "--role", "nurse", "--name", "Ada Berg", "--team", "north")
    assert "login ada.berg, password " in told and "once" in told
    call(folder, "user", "add", "root.a", "--role", "admin", "--name", "Ed Falk")
    call(folder, "user", "add", "root.b", "--role", "admin", "--name", "Uma Dahl", "--by", "ed")
    call(folder, "user", "add", "doc", "--role", "physician", "--name", "Nils Ek", "--reference", "Practitioner/7")
    assert "ada.berg                 nurse      may sign in        north" in call(folder, "user", "list")
    again = call(folder, "user", "reset", "ada.berg")
    assert again.split("password ")[1] != told.split("password ")[1]
    assert "disabled" in call(folder, "user", "disable", "ada.berg")
    assert "ada.berg                 nurse      disabled" in call(folder, "user", "list")
    assert "doc                      physician  may sign in        clinic" in call(folder, "user", "list")
    with pytest.raises(InputError, match="no such account"):
        call(folder, "user", "disable", "nobody")
    call(folder, "user", "disable", "root.b")
    with pytest.raises(RefusedError, match="last admin"):
        call(folder, "user", "disable", "root.a")
    call(folder, "audit", "export", tmp_path / "log")
    log = (tmp_path / "log").read_text()
    assert log.count("user.add") == 4 and '"ed"' in log and "Ada Berg" not in log


def test_whose_time_has_passed_is_listed(tmp_path: Path) -> None:
    import datetime

    from prescreen.store.base import now_utc
    from store.desk import make_store

    folder = tmp_path / "clinic"
    url = f"sqlite:///{folder / 'prescreen.db'}"
    made = make_store(tmp_path, url)
    key_folder = made.keys.folder
    long_ago = now_utc() - datetime.timedelta(days=400)
    made.clock = lambda: long_ago
    visit = make_waiting(made)
    made.close()
    keys = ("--keys", key_folder)
    assert call(folder, "store", "overdue", *keys).startswith("0 patients")
    assert call(folder, "store", "overdue", "--unsigned", "12", *keys).startswith(f"{visit.patient_id}  unsigned")
