"""A clinic that breaks while it works: whatever people were told is in the store and in every record, once.

Slow: real processes, killed and cut off. The long run is benchmarks/clinic_faults.py.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from service.breaking import BIN
from service.clinic import CONSOLE, Clinic
from service.ledger import Ledger
from service.scripted import run_clinic

pytestmark = pytest.mark.long
Open = Callable[..., Clinic]


@pytest.fixture
def open_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Opens clinics and closes them at the end."""
    import tempfile

    opened: list[Clinic] = []
    with tempfile.TemporaryDirectory(prefix="clinic-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # the database server is another user

        def make(**how: Any) -> Clinic:
            if how.get("database") == "postgresql" and not (BIN / "initdb").exists():
                pytest.skip("PostgreSQL is not installed: only SQLite is broken here")
            clinic = Clinic(Path(name) / f"clinic{len(opened)}", **how)
            opened.append(clinic)
            clinic.open()
            return clinic

        yield make
        for clinic in opened:
            clinic.close()


def expect_whole(clinic: Clinic, ledger: Ledger, visits: int) -> None:
    """All of the day is there, once, and the log is whole."""
    clinic.settle(ledger)
    found = clinic.reckon(ledger)
    assert found.faults == [] and ledger.wrong == []
    assert all(told.sent for told in ledger.patients.values()) and len(ledger.patients) == visits
    assert found.counts["signatures"] >= visits and found.anchored > 0
    assert ledger.acknowledged <= found.counts["signatures"]


@pytest.mark.parametrize(
    ("database", "record", "kill"),
    [
        ("sqlite", "embedded", ("app",)),
        ("sqlite", "fhir", ("app", "fhir")),
        ("postgresql", "embedded", ("app", "database")),
        ("postgresql", "fhir", ("app", "database", "fhir")),
    ],
)
def test_what_is_killed_at_any_moment_loses_and_doubles_nothing(
    open_clinic: Open, database: str, record: str, kill: tuple[str, ...]
) -> None:
    clinic = open_clinic(database=database, record=record, seed=len(kill) + 10)
    ledger, kills = clinic.work(60, kill)
    assert kills >= 5 * len(kill)
    expect_whole(clinic, ledger, 60)


@pytest.mark.parametrize(
    ("behaviour", "hosted"),
    [("hang", True), ("die", True), ("hang", False), ("wrong_json", False), ("crash", False), ("no_answer", False)],
)
def test_a_model_that_fails_leaves_a_draft_by_rules_with_its_reason(
    open_clinic: Open, behaviour: str, hosted: bool
) -> None:
    script = {"behaviours": [behaviour], "hang_s": 600}
    limits = {"timeout_s": 1.0, "question_timeout_s": 0.3}
    clinic = open_clinic(script=script, order={"hosted": hosted, "guard": limits})
    ledger, _ = clinic.work(3, nurses=0)
    assert all(told.sent for told in ledger.patients.values()), ledger.wrong
    clinic.settle(ledger)
    told = read_drafts(clinic)
    assert len({visit for visit, _, _ in told}) == 3
    assert all(why and label is None for _, why, label in told)
    run_clinic(clinic.base, ledger, 0, 1, nurses=1)
    expect_whole(clinic, ledger, 3)


def test_clocks_that_jump_lose_nothing_and_open_no_door(open_clinic: Open) -> None:
    clinic = open_clinic(undo_s=20)
    day, ledger = 86_400.0, Ledger()
    steps = (day, -2 * day, 401 * day, -400 * day)
    over = threading.Event()

    def jump() -> None:
        for step in (*steps, *steps):
            if over.wait(2.0):
                return
            clinic.advance(step)
            if step < -day:
                clinic.app.kill()
                clinic.app.wait()

    jumping = threading.Thread(target=jump)
    jumping.start()
    try:
        run_clinic(clinic.base, ledger, 8, 5)
    finally:
        over.set()
        jumping.join()
    clinic.settle(ledger)
    found = clinic.reckon(ledger)
    assert found.faults == [] and found.whole and found.counts["signatures"] >= 1


def test_a_record_that_misbehaves_gets_every_signature_once(open_clinic: Open) -> None:
    clinic = open_clinic(record="fhir", timeout_s=0.7)
    faults = {"hang": 0.04, "slow": 0.1, "drip": 0.04, "status": 0.15, "lost": 0.1, "early": 0.05}
    path = clinic.record_folder / "faults.json"
    path.write_text(json.dumps({**faults, "hang_s": 2.0, "drip_s": 0.2}))
    ledger, _ = clinic.work(8)
    clinic.settle(ledger)
    path.unlink()
    expect_whole(clinic, ledger, 8)


def test_connections_to_the_database_that_break_lose_nothing(open_clinic: Open) -> None:
    clinic = open_clinic(database="postgresql")
    over, cut = threading.Event(), [0]

    def keep_cutting() -> None:
        assert clinic.database is not None
        while not over.wait(2.0):
            cut[0] += clinic.database.cut()

    cutting = threading.Thread(target=keep_cutting)
    cutting.start()
    try:
        ledger, _ = clinic.work(6)
    finally:
        over.set()
        cutting.join()
    assert cut[0] > 5
    expect_whole(clinic, ledger, 6)


def read_drafts(clinic: Clinic) -> list[tuple[str, str, Any]]:
    """Visit, reason and label of every draft."""
    from prescreen.store.tables import Draft

    with clinic.store.look(CONSOLE) as act:
        return [(row.visit_id, row.why, row.label) for row in act.session.scalars(select(Draft))]


def test_a_full_disk_is_told_and_nothing_accepted_is_lost(open_clinic: Open, small_disk: Path) -> None:
    clinic = open_clinic(store_folder=small_disk / "store", drop=small_disk / "drop")
    over, filler = threading.Event(), small_disk / "filler"

    def fill() -> None:
        while not over.wait(1.5):
            write_until_full(filler)
            time.sleep(2.0)
            filler.unlink()

    filling = threading.Thread(target=fill)
    filling.start()
    try:
        ledger, _ = clinic.work(6)
    finally:
        over.set()
        filling.join()
    assert ledger.statuses[503] > 0
    expect_whole(clinic, ledger, 6)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    import subprocess

    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], capture_output=True, check=False
    ).returncode:
        pytest.skip("no small disk can be mounted here: a full disk is not tried")
    place.chmod(0o755)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def write_until_full(path: Path) -> None:
    """A file that takes all the room there is, to the last block."""
    size = 65_536
    with path.open("wb", buffering=0) as handle:
        while size:
            try:
                if handle.write(b"\0" * size) < size:
                    size //= 2
            except OSError:
                size //= 2
