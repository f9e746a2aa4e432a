"""The real service, real model processes: B is promoted over A and taken back; A's exact weights draft again."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from monitor.shelves import ADMIN, DOCTOR, finish_runs
from prescreen.evals.drafting import hash_run_weights
from prescreen.model.files import locate_model
from prescreen.monitor import life
from prescreen.monitor.shelf import Shelf, read_state
from prescreen.pipeline import open_run
from prescreen.release import Release
from prescreen.service.engine.engines import Released
from prescreen.store.audit import verify
from prescreen.store.base import Store
from prescreen.store.migrate import open_store
from prescreen.store.people import User
from prescreen.store.tables import Draft, Visit
from service.live_clinic import run_clinic
from small_release import STAGES
from store.desk import SERVICE, make_waiting

BOUND_S = 60.0


def wait_until(found: Callable[[], object], seconds: float = 180.0) -> float:
    """How long it took until this was so."""
    begun = time.monotonic()
    while not found():
        assert time.monotonic() - begun < seconds, "a hang, not a slow machine"
        time.sleep(0.05)
    return time.monotonic() - begun


def make_model(root: Path, name: str) -> Path:
    """A gate that let a copy of the twin through; each has a file of its own, so their hashes differ."""
    folder = root / name / "03-dpo" / "model"
    shutil.copytree(locate_model("twin"), folder)
    (folder / "name.txt").write_text(name)
    return finish_runs(root, name)


def promote_signed(shelf: Shelf, gate: Path) -> Release:
    life.propose(shelf, gate, ADMIN)
    for _ in range(2):
        life.skip_trial(shelf, SERVICE, "this test")
    key = read_state(shelf.ledger.read()).candidate
    life.approve(shelf, DOCTOR, key)
    life.approve(shelf, ADMIN, key)
    return life.promote(shelf, ADMIN)


def drafted_by(store: Store) -> dict[str, str]:
    """The label of a new visit's draft, once it is there."""
    visit = make_waiting(store)
    found: list[Draft] = []

    def is_drafted() -> bool:
        with store.look(SERVICE) as look:
            row = look.session.get_one(Visit, visit.id)
            draft = look.session.get(Draft, row.draft_id) if row.draft_id else None
            found[:] = [draft] if draft is not None else []
        return bool(found)

    wait_until(is_drafted)
    return found[0].label or {"name": "", "weights": "", "why": found[0].why}


@pytest.mark.slow
def test_a_release_is_promoted_and_taken_back_under_a_running_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'prescreen.db'}", tmp_path / "keys")
    with store.act(SERVICE) as act:
        for who in (DOCTOR, ADMIN):
            act.session.add(User(id=who.id, login=who.id, name=who.id, role=who.role, teams=[], created=act.now))
    shelf = Shelf(tmp_path / "releases", STAGES, store, store.clock)
    first = promote_signed(shelf, make_model(tmp_path, "a"))
    second_gate = make_model(tmp_path, "b")
    engine = Released(releases=shelf.folder, threads=1)
    with run_clinic(tmp_path, engine=engine, stages=STAGES, draft_by_s=600) as clinic:
        house = clinic.house

        def serves(release: Release) -> bool:
            return house.label is not None and house.label.weights == release.weights

        assert serves(first), house.why
        assert drafted_by(store)["weights"] == first.weights
        second = promote_signed(shelf, second_gate)
        assert second.weights != first.weights
        promoted_s = wait_until(lambda: serves(second))
        assert drafted_by(store)["weights"] == second.weights
        begun = time.monotonic()
        life.rollback(shelf, ADMIN, "this test")
        written_s = time.monotonic() - begun
        wait_until(lambda: serves(first))
        rolled_s = time.monotonic() - begun
        label = drafted_by(store)
        again_s = time.monotonic() - begun
        assert httpx2.get(f"{clinic.url}/ready", headers={"host": "localhost"}).json()["drafts"] == "model"
        wait_until(lambda: "taken back by a person" in house.notice)
    assert label["weights"] == first.weights == hash_run_weights(open_run(Path(first.model), STAGES))
    assert rolled_s < BOUND_S
    assert shelf.ledger.verify().whole and verify(store).whole
    store.close()
    with capsys.disabled():
        print(
            f"\npromotion noticed and loaded {promoted_s:.1f} s; rollback written {written_s:.2f} s, the release "
            f"before serves after {rolled_s:.1f} s, its first new draft after {again_s:.1f} s"
        )
