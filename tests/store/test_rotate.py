"""A new key of the clinic: all is sealed under it, a kill leaves nothing half, a value nobody can open is left."""

import os
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import select, update

from prescreen.store.audit import verify
from prescreen.store.base import Store, new_id
from prescreen.store.keys import Keys
from prescreen.store.migrate import open_store
from prescreen.store.patients import read_link
from prescreen.store.people import Grant, Notice, User
from prescreen.store.rotate import OWN, count_old, rotate_keys
from prescreen.store.tables import Patient, Resource, Visit
from prescreen.store.visits import read_entries
from store.desk import NOON, NURSE, SERVICE, make_store, make_waiting


def fill_own(store: Store, visit_id: str) -> None:
    """A value in every column the clinic's own key seals."""
    with store.act(SERVICE) as act:
        user = act.session.get_one(User, NURSE.id)
        user.totp = act.keys.seal_own(f"users|totp|{user.id}", "TOTP")
        grant = Grant(id=new_id(), user_id=user.id, visit_id=visit_id, reason=b"", at=NOON, ends=NOON)
        grant.reason = act.keys.seal_own(f"grants|reason|{grant.id}", "REASON")
        notice = Notice(id=new_id(), team="clinic", at=NOON, author=user.id, body=b"")
        notice.body = act.keys.seal_own(f"notices|body|{notice.id}", "NOTICE")
        act.session.add_all([grant, notice])
        for version in (1, 2):
            body = act.keys.seal_own(f"resources|body|Patient/7/{version}", "{}")
            row = Resource(kind="Patient", id="7", version=version, at=NOON, is_current=version == 2, body=body)
            act.session.add(row)


def test_everything_is_sealed_under_the_new_key(store: Store) -> None:
    visits = [make_waiting(store).id for _ in range(5)]
    fill_own(store, visits[0])
    done = rotate_keys(store)
    assert done == (10, 0) and count_old(store) == 0 and store.keys.version == 2
    (store.keys.folder / "clinic-1.key").unlink()
    fresh = Store(store.url, Keys(store.keys.folder), store.clock)
    with fresh.look(NURSE) as act:
        for visit_id in visits:
            visit = act.session.get_one(Visit, visit_id)
            assert read_link(act, visit).family == "Bell" and read_entries(act, visit)
        user = act.session.get_one(User, NURSE.id)
        assert user.totp and act.keys.open_own(f"users|totp|{user.id}", user.totp) == "TOTP"
        grant = act.session.scalars(select(Grant)).one()
        assert act.keys.open_own(f"grants|reason|{grant.id}", grant.reason) == "REASON"
    assert verify(fresh).whole
    fresh.close()


def test_every_column_the_clinics_key_seals_is_known() -> None:
    """A sealed column of a table without a patient must be in the list, or a rotation would miss it."""
    from prescreen.store.tables import Base

    hashes = {"patients.look", "resource_keys.look", "resources.subject"}
    of_patients = {"patients", "visits", "entries", "drafts", "reviews", "shadows", "incidents"}
    sealed = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.type.python_type is bytes and table.name not in of_patients
    }
    assert sealed - hashes == {f"{place.table.__tablename__}.{place.column}" for place in OWN}


def test_a_value_nobody_can_open_is_left_and_told(store: Store) -> None:
    make_waiting(store)
    make_waiting(store)
    with store.act(SERVICE) as act:
        first = act.session.scalars(select(Patient.id).limit(1)).one()
        act.session.execute(update(Patient).where(Patient.id == first).values(sealed_key=b"x" * 60))
    assert rotate_keys(store) == (1, 1)
    assert verify(store).whole


def test_who_holds_the_old_keys_in_memory_reads_and_seals_with_the_new(store: Store) -> None:
    visit = make_waiting(store)
    other = Store(store.url, Keys(store.keys.folder), store.clock)
    rotate_keys(store)
    with other.look(NURSE) as act:
        assert read_link(act, act.session.get_one(Visit, visit.id)).family == "Bell"
    make_waiting(other)
    assert count_old(store) == 0
    other.close()


PROGRAM = """
import sys
from pathlib import Path
from prescreen.store import rotate
from prescreen.store.migrate import open_store
rotate.BATCH = 5
store = open_store(sys.argv[1], Path(sys.argv[2]), make=False)
print("begun", flush=True)
rotate.rotate_keys(store)
"""


def test_a_rotation_killed_at_any_point_goes_on(url: str, tmp_path: Path) -> None:
    store = make_store(tmp_path, url)
    visits = [make_waiting(store).id for _ in range(60)]
    fill_own(store, visits[0])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = 0
    for wait in (0.01, 0.04):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, url, str(tmp_path / "keys")], env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(wait)
        process.kill()
        process.wait()
        process.stdout.close()
        left = count_old(store)
        killed += 0 < left < 65
    rotate_keys(store, new=False)
    assert count_old(store) == 0
    with store.look(NURSE) as act:
        assert all(read_link(act, act.session.get_one(Visit, visit)).family == "Bell" for visit in visits)
    assert verify(store).whole
    store.close()
    open_store(url, tmp_path / "keys", make=False).close()
