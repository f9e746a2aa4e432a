"""A full disk and a kill in the middle: an act fails whole, in one sentence, and the store works again."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from prescreen.errors import StoreError
from prescreen.store.audit import verify
from prescreen.store.migrate import open_store
from prescreen.store.people import AuditLine
from prescreen.store.tables import Entry, Job, Visit
from store.desk import NURSE, SERVICE, make_store, make_waiting

FULL = """
import resource, sys
from pathlib import Path
from prescreen.errors import StoreError
from prescreen.store.audit import verify
from prescreen.store.migrate import open_store
from store.desk import make_waiting
store = open_store(sys.argv[1], Path(sys.argv[2]), make=False)
path = Path(sys.argv[1].removeprefix("sqlite:///"))
whole = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40_000, whole[1]))
for _ in range(400):
    try:
        make_waiting(store)
    except StoreError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, whole)
        print(error)
        break
make_waiting(store)
print(verify(store).whole)
"""


def run(program: str, *words: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_full_disk_fails_an_act_whole_and_it_works_again(tmp_path: Path) -> None:
    """The operating system refuses to let the files grow; then it lets them again."""
    store = make_store(tmp_path)
    out, _ = run(FULL, store.url, tmp_path / "keys").communicate(timeout=100)
    sentence, whole = out.splitlines()
    assert "disk is full" in sentence and "nothing of this act was kept" in sentence and whole == "True"
    with store.look(SERVICE) as act:
        visits = select(func.count()).select_from(Visit)
        opened = select(func.count()).where(AuditLine.action == "visit.open")
        assert act.session.scalar(visits) == act.session.scalar(opened)
    store.close()


def test_a_database_without_room_says_so(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    visit = make_waiting(store)
    with store.engine.connect() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
    store.close()
    with store.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="disk is full"):
        for _ in range(200):
            make_waiting(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    make_waiting(store)
    assert verify(store).whole
    with store.look(NURSE) as act:
        assert act.session.get_one(Visit, visit.id).state == "waiting"
    store.close()


ACTS = """
import sys
from pathlib import Path
from prescreen.store.migrate import open_store
from store import crowd
store = open_store(sys.argv[1], Path(sys.argv[2]), make=False)
print("begun", flush=True)
crowd.measure(store, sys.argv[3], 200)
"""


def test_a_kill_in_the_middle_of_two_hundred_acts_leaves_all_whole(url: str, tmp_path: Path) -> None:
    store = make_store(tmp_path, url)
    visit = make_waiting(store)
    store.close()
    for wait in (0.05, 0.2):
        process = run(ACTS, url, tmp_path / "keys", visit.id)
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        time.sleep(wait)
        process.kill()
        process.wait()
        process.stdout.close()
    again = open_store(url, tmp_path / "keys", make=False)
    assert verify(again).whole
    with again.look(NURSE) as act:
        facts = act.session.scalar(select(func.count()).where(AuditLine.action == "visit.facts"))
        entries = act.session.scalar(select(func.count()).where(Entry.visit_id == visit.id, Entry.kind == "vitals"))
        waiting = act.session.scalar(select(func.count()).where(Job.state == "waiting"))
        assert facts == entries == act.session.get_one(Visit, visit.id).version - visit.version
        assert waiting == 1
    make_waiting(again)
    assert verify(again).whole
    again.close()
