"""Each poisoned batch is stopped by its own name before anything could be trained, and the clean one is not."""

import datetime
import json
from pathlib import Path

import pytest

from prescreen.clinic.signed import ModelLabel
from prescreen.data.synthesize import synthesize_cases
from prescreen.data.tables import load_tables
from prescreen.errors import GuardError
from prescreen.monitor.feedback import build
from prescreen.monitor.feedback.build import FeedbackRecipe
from prescreen.run import MANIFEST, Run, write_json
from prescreen.simulation.calendar import Poison
from prescreen.simulation.desk import Desk, open_desk
from prescreen.simulation.drafters import Model, Skill, StandIn
from prescreen.simulation.nurses import NURSES
from prescreen.simulation.people import Crowd, meet_week
from prescreen.simulation.poisons import copy_clinic, plant, read_stop

pytestmark = pytest.mark.slow

LABEL = ModelLabel(name="stand-in", version="1", engine="chance", weights="aa" * 32, verdict="bb" * 32)
UNKNOWN = frozenset(c.name for c in load_tables().conditions.values() if c.held_out)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Three weeks of ordinary work, with enough corrections to learn from."""
    desk = open_desk(tmp_path_factory.mktemp("sound"), 3)
    drafter = StandIn({}, UNKNOWN, Skill(known=0.6, unknown=0.9))
    for week in range(3):
        arrivals = meet_week(3, week, Crowd(contacts=36))
        for number, drafted in enumerate(drafter.draw(Model("stand-in", LABEL.weights), arrivals)):
            visit_id = desk.receive(arrivals[number])
            desk.attach(drafted, LABEL)
            desk.review(arrivals[number], visit_id, NURSES[number % 4], week, LABEL.weights)
    desk.clock.wait(3_600)
    return desk


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An older data run, as far as the stage reads it: cases whose levels are trusted."""
    folder = tmp_path_factory.mktemp("lessons")
    (folder / "train").mkdir()
    cases = synthesize_cases(11, 400, "train", "all")
    (folder / "train" / "cases.jsonl").write_text("".join(case.model_dump_json() + "\n" for case in cases))
    write_json(folder / MANIFEST, {"outputs": {}})
    return folder


def learn(clinic: Path, lessons: Path, out: Path) -> Run:
    """The stage over a clinic's folder."""
    recipe = FeedbackRecipe(
        clinic=clinic, vault=out / "vault", label="plumbing", basis="invented people", replay=lessons
    )
    run = Run(out / "01-feedback", recipe)
    run.start()
    build.main(recipe, run)
    return run


def folder_of(desk: Desk) -> Path:
    return Path(desk.store.keys.folder).parent


def test_the_clinic_as_it_is_teaches(clinic: Desk, lessons: Path, tmp_path: Path) -> None:
    run = learn(folder_of(clinic), lessons, tmp_path)
    pairs = (run.folder / "train" / "preference.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(pairs) >= 20 and run.metrics["replay_share"] == 0.0
    assert all(json.loads(pair)["chosen"] != json.loads(pair)["rejected"] for pair in pairs)


@pytest.mark.parametrize("kind", ["phi", "injected", "mislabelled"])
def test_a_poisoned_copy_is_stopped_by_name(kind: Poison, clinic: Desk, lessons: Path, tmp_path: Path) -> None:
    begun = clinic.clock.now
    copy = copy_clinic(clinic, tmp_path / "copy")
    plant(copy, kind, 2, LABEL)
    copy.store.close()
    with pytest.raises(GuardError, match=kind) as caught:
        learn(tmp_path / "copy", lessons, tmp_path)
    stopped = read_stop(tmp_path, 2, kind, caught.value)
    assert stopped.right, stopped.names
    assert not (tmp_path / "01-feedback" / MANIFEST).exists()
    assert clinic.clock.now > begun + datetime.timedelta(hours=1)
    with clinic.store.look(clinic.staff["admin"]) as look:
        assert look.now >= begun
