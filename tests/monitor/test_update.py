"""An update stays within its limits, waits where there is too little, holds with the gate, and begins its trial."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor import small_update as small
from monitor.shelves import ADMIN, DOCTOR
from prescreen.cli import STAGES
from prescreen.errors import GuardError, RecipeError, RefusedError, RunError
from prescreen.evals.gate import GateRecipe
from prescreen.evals.threshold import Check
from prescreen.monitor import life
from prescreen.monitor.advance import advance, find_champion
from prescreen.monitor.changes import Limits, find_batch_breaches, find_weaker, read_limits
from prescreen.monitor.shelf import SHADOW, Shelf, read_state
from prescreen.monitor.update import Place, finished_folders, next_folder, update
from prescreen.pipeline import load_steps, run_steps
from prescreen.release import hash_base
from store.desk import SERVICE, make_store

ROOT = Path(__file__).parents[2]
CHECK = Check(say="Few misses.", suite="template", metric="missed_emergencies", at_most=0.02)


class Clinic:
    """A clinic with a first release that came out of the same stages."""

    def __init__(self, root: Path) -> None:
        store = make_store(root)
        self.root = root
        self.shelf = Shelf(root / "releases", small.STAGES, store, store.clock)
        first = small.write_recipes(
            root / "first", {}, feedback=None, dpo={"base": "twin", "inputs": {"data": "00-data"}},
            gate={"champion": None},
        )  # fmt: skip
        run_steps(load_steps(first, small.STAGES), root / "runs" / "first", small.STAGES)
        life.propose(self.shelf, root / "runs" / "first" / "04-gate", ADMIN)
        advance(self.shelf, [], SERVICE)
        self.sign()

    def sign(self) -> None:
        key = read_state(self.shelf.ledger.read()).candidate
        life.approve(self.shelf, DOCTOR, key)
        life.approve(self.shelf, ADMIN, key)
        life.promote(self.shelf, ADMIN)

    def update(self, limits: dict[str, Any] | None = None, **changes: Any) -> str:
        folder = small.write_recipes(self.root / "update", limits or {}, **changes)
        place = Place(folder, self.root / "runs" / "update")
        return update(place, self.shelf, [], SERVICE, lambda *_: None)

    @property
    def deeds(self) -> list[str]:
        return [line.deed for line in self.shelf.ledger.read()]


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


def test_a_passed_update_is_proposed_and_tried_beside_the_champion(clinic: Clinic) -> None:
    champion = find_champion(clinic.shelf)
    assert champion is not None
    assert clinic.update().startswith("shadow goes on: 0 of 100")
    assert clinic.deeds[-2:] == ["proposed", "shadow began"] and (clinic.shelf.folder / SHADOW).exists()
    assert find_champion(clinic.shelf) == champion, "what serves is untouched"
    recipe = yaml.safe_load((clinic.root / "runs/update/0001/02-dpo/recipe.yaml").read_text())
    assert recipe["base"] == champion.model, "it continues the champion's adapter"
    assert hash_base(str(clinic.root / "runs/update/0001/02-dpo")) == champion.base != ""
    assert clinic.update().startswith("shadow goes on"), "called again it trains nothing new"
    assert [path.name for path in finished_folders(clinic.root / "runs" / "update")] == ["0001"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"dpo": {"method": "full"}}, "method: full is outside the limits"),
        ({"dpo": {"optimisation": {"learning_rate": 0.01}}}, "optimisation.learning_rate: 0.01 is outside"),
        ({"dpo": {"optimisation": {"epochs": 9}}}, "optimisation.epochs: 9 is outside"),
        ({"dpo": {"beta": 3}}, "beta: 3 is outside"),
        ({"dpo": {"objective": "kto"}}, "objective: kto is outside"),
        ({"dpo": {"reference": "base"}}, "reference: an update stays close"),
        ({"dpo": {"lora": {"rank": 64}}}, "lora: an update continues"),
        ({"data": {"stage": "instruct"}}, "stage instruct: an update does not run it"),
        ({"gate": {"checks": [{**small.CHECKS[0], "at_most": 0.2}]}}, "asks 0.2, the champion had to keep 0.02"),
        ({"gate": {"checks": [{**small.CHECKS[0], "suite": "other"}]}}, "is no longer checked"),
        ({"gate": {"checks": [{**small.CHECKS[0], "proof": "figure"}]}}, "judged by its figure"),
        ({"feedback": {"pairs": 6000}}, "pairs: 6000 is outside the limits"),
        ({"feedback": {"replay_share": 0.05}}, "replay_share: 0.05, at least 0.1"),
        ({"sft": {}}, "stage sft: the limits name none"),
        ({"dpo": {"base": "twin"}}, "dpo: an update continues the champion"),
        ({"dpo": {"base_after": "elsewhere"}}, "another base than the champion"),
    ],
)
def test_what_lies_outside_is_refused_by_name(clinic: Clinic, changes: dict[str, Any], why: str) -> None:
    if "base_after" in str(changes):
        changes = {"dpo": {"base_after": str(make_model(clinic.root))}}
    with pytest.raises(GuardError, match=why):
        clinic.update(**changes)
    assert read_state(clinic.shelf.ledger.read()).candidate == "" and not (clinic.shelf.folder / SHADOW).exists()


AFTER = {"base": None, "inputs": {"data": "01-feedback", "parent": "01-sft"}}


def test_finals_may_be_learned_before_the_pairs_where_the_limits_say_so(clinic: Clinic) -> None:
    limits = {"change": {"sft": {"epochs": {"least": 1, "most": 2}}}}
    for sft, why in (
        ({"rows": "instruct"}, "rows: instruct are not the finals"),
        ({"optimisation": {"epochs": 3}}, "sft.optimisation.epochs: 3 is outside"),
        ({"method": "full"}, "sft.method: full is outside"),
        ({"lora": {"rank": 64}}, "sft.lora: an update continues"),
        ({"base": "twin"}, "sft: an update continues the champion"),
    ):
        with pytest.raises(GuardError, match=why):
            clinic.update(limits, sft=sft, dpo=AFTER)
    with pytest.raises(GuardError, match="dpo: an update continues the champion"):
        clinic.update(limits, sft={})
    champion = find_champion(clinic.shelf)
    assert champion is not None and clinic.update(limits, sft={}, dpo=AFTER).startswith("shadow goes on")
    recipe = yaml.safe_load((clinic.root / "runs/update/0001/01-sft/recipe.yaml").read_text())
    assert recipe["base"] == champion.model


def make_model(root: Path) -> Path:
    (root / "other").mkdir()
    (root / "other" / "config.json").write_text("{}")
    (root / "other" / "model.safetensors").write_text("other")
    return root / "other"


def test_a_hold_is_a_finished_decision_and_a_line(clinic: Clinic) -> None:
    assert clinic.update(gate={"verdict": "hold"}).startswith("the gate holds dpo: At most 2 in 100")
    assert clinic.deeds[-1] == "held"
    assert clinic.update(gate={"verdict": "hold"}) == "nothing was learned since update 0001"


def test_too_few_corrections_wait_and_say_how_many(clinic: Clinic) -> None:
    assert clinic.update(feedback={"pairs": 12}) == "waits for corrections: 12 of 40"
    assert next_folder(clinic.root / "runs" / "update").name == "0001", "the same update goes on next time"
    assert "held" not in clinic.deeds


def test_a_batch_stopped_by_name_is_an_error_a_line_and_a_record(clinic: Clinic) -> None:
    for stop in ("phi", "injected"):
        with pytest.raises(GuardError, match=f"stopped and nothing is trained: {stop}"):
            clinic.update(feedback={"stopped": stop})
    held = [line.detail["why"] for line in clinic.shelf.ledger.read() if line.deed == "held"]
    assert held == ["phi 3 of 80", "injected 3 of 80"], "a later batch leaves what is known of the first"
    kept = sorted((clinic.root / "runs" / "update" / "stopped").iterdir())
    assert [json.loads(path.read_text())[0]["name"] for path in kept] == ["phi", "injected"]
    assert clinic.update().startswith("shadow goes on"), "a sound batch goes on"


def test_another_failure_is_not_told_as_the_stop_before(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GuardError, match="phi"):
        clinic.update(feedback={"stopped": "phi"})

    def crash(*_: Any) -> None:
        raise RunError("the disk is full")

    monkeypatch.setattr(small, "_batch", crash)
    with pytest.raises(RunError, match="disk"):
        clinic.update(feedback={"stopped": "phi"})
    assert [line.detail["why"] for line in clinic.shelf.ledger.read() if line.deed == "held"][-1] == "RunError"


def test_a_batch_that_only_has_too_few_waits(clinic: Clinic) -> None:
    assert clinic.update(feedback={"stopped": "too_few"}) == "waits for corrections: 3 of 2"
    assert "held" not in clinic.deeds


def test_the_second_update_has_its_own_folder(clinic: Clinic) -> None:
    clinic.update(gate={"verdict": "hold"})
    assert "shadow goes on" in clinic.update(feedback={"word": "b"})
    first, second = finished_folders(clinic.root / "runs" / "update")
    assert (first / "02-dpo/adapter/adapter_model.safetensors").exists() and second.name == "0002"


def test_without_a_release_there_is_nothing_to_continue(clinic: Clinic) -> None:
    life.rollback(clinic.shelf, ADMIN, "this test")
    with pytest.raises(RefusedError, match="no release serves"):
        clinic.update()


def test_the_limits_of_the_project_are_read_and_an_unknown_key_is_an_error(tmp_path: Path) -> None:
    limits = read_limits(ROOT / "recipes" / "update")
    assert limits.change.replay_share == 0.1 and limits.canary.share == 0.1 and limits.registry.mlflow == ""
    (tmp_path / "limits.yaml").write_text("change: {lr: 1}\n")
    with pytest.raises(RecipeError, match=r"change\.lr: unknown key"):
        read_limits(tmp_path)
    (tmp_path / "limits.yaml").write_text("change: {replay_share: 0.01}\n")
    with pytest.raises(RecipeError, match="replay_share"):
        read_limits(tmp_path)


def test_a_batch_that_does_not_say_what_it_replays_is_refused() -> None:
    assert list(find_batch_breaches(Limits(), 50, None)) == ["replay_share: not told, at least 0.1 is asked"]
    assert list(find_batch_breaches(Limits(), 50, 0.1)) == []


@pytest.mark.parametrize(
    ("mine", "weaker"),
    [({"at_most": 0.01}, False), ({"at_most": 0.02}, False), ({"min_cases": 5}, True), ({"at_most": 0.03}, True)],
)
def test_a_gate_may_be_stricter_and_never_weaker(mine: dict[str, Any], weaker: bool) -> None:
    asked = CHECK.model_copy(update={"min_cases": 10})
    own = asked.model_copy(update=mine)
    assert bool(list(find_weaker([own], [asked]))) is weaker


def test_the_projects_own_update_fits_its_limits_and_its_gate() -> None:
    """The recipes that ship: within limits.yaml, and no weaker than the gate of recipes/tiny."""
    from prescreen.monitor.changes import find_breaches

    folder = ROOT / "recipes" / "update"
    told = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("[0-9]*.yaml")}
    from prescreen.train.preference import PreferenceRecipe
    from prescreen.train.supervised import SupervisedRecipe

    training = [SupervisedRecipe.model_validate(told["02-sft"]), PreferenceRecipe.model_validate(told["03-dpo"])]
    tiny = yaml.safe_load((ROOT / "recipes" / "tiny" / "05-dpo.yaml").read_text())
    champion = PreferenceRecipe.model_validate(tiny).model_dump()
    limits = read_limits(folder)
    assert [breach for one in training for breach in find_breaches(limits, one.model_dump(), champion)] == []
    mine = GateRecipe.model_validate(told["05-gate"])
    theirs = GateRecipe.model_validate(yaml.safe_load((ROOT / "recipes" / "tiny" / "08-gate.yaml").read_text()))
    assert list(find_weaker(mine.checks, theirs.checks)) == []
    assert set(STAGES) >= {"data", "dpo", "evals", "gate"}
