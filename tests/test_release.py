"""Nothing serves without a passing, unexpired verdict on exactly the weights on disk."""

import datetime
import json
import shutil

import pytest

from prescreen.errors import RunError
from prescreen.evals.drafting import hash_run_weights, hash_weights
from prescreen.evals.gate import GateRecipe
from prescreen.evals.suite import EvalsRecipe
from prescreen.evals.threshold import Check
from prescreen.release import CURRENT, open_release, promote
from prescreen.run import Run, write_json
from small_runs import DataRecipe

STAGES = {
    "data": "small_runs:DataRecipe",
    "sft": "small_runs:DataRecipe",
    "dpo": "small_runs:DataRecipe",
    "evals": "prescreen.evals.suite:EvalsRecipe",
    "gate": "prescreen.evals.gate:GateRecipe",
}
CHECK = Check(say="Few misses.", suite="template", metric="missed_emergencies", at_most=0.02)
TODAY = datetime.datetime.now(datetime.UTC).date()


def finish(folder, recipe, inputs, files):
    run = Run(folder, recipe, inputs)
    run.start()
    for name, text in files.items():
        (folder / name).write_text(text)
    run.finish([folder / name for name in files], {})
    return run


def tuned(root, name, stage, parents, text):
    recipe = DataRecipe(stage=stage, inputs={key: run.name for key, run in parents.items()})
    return finish(root / name, recipe, parents, {"weights.safetensors": text})


def judged(root, *, verdict="promote", days=10, **changes):
    """Runs of data, two trainings, evals and gate; returns the gate's folder."""
    data = finish(root / "01-data", DataRecipe(stage="data"), {}, {"rows.jsonl": "{}\n"})
    sft = tuned(root, "02-sft", "sft", {"data": data}, "base")
    dpo = tuned(root, "03-dpo", "dpo", {"data": data, "parent": sft}, "tuned")
    recipe = EvalsRecipe(
        stage="evals", label="plumbing", suites=("template",), inputs={"data": "01-data", "dpo": "03-dpo"}
    )
    evals = finish(root / "04-evals", recipe, {"data": data, "dpo": dpo}, {"metrics.json": "{}"})
    told = {
        "verdict": verdict, "candidate": "dpo", "reasons": [], "serves": "demonstration only",
        "weights": hash_run_weights(dpo), "expires": (TODAY + datetime.timedelta(days=days)).isoformat(),
    }  # fmt: skip
    return decided(root, evals, {**told, **changes})


def decided(root, evals, told):
    recipe = GateRecipe(stage="gate", checks=(CHECK,), inputs={"evals": "04-evals"})
    gate = Run(root / "05-gate", recipe, {"evals": evals})
    gate.start()
    write_json(gate.folder / "gate.json", told)
    gate.finish([gate.folder / "gate.json"], {})
    return gate.folder


def test_a_passing_verdict_is_promoted_and_opens_again(tmp_path):
    release = promote(judged(tmp_path / "runs"), tmp_path / "releases", STAGES, by="A. Nurse")
    assert open_release(tmp_path / "releases", STAGES) == release
    assert release.model == str(tmp_path / "runs" / "03-dpo") and release.by == "A. Nurse"
    assert len(list((tmp_path / "releases").glob("*.json"))) == 2, "the current one, and its place in the history"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"verdict": "hold"}, "the gate says hold"),
        ({"days": -1}, "lapsed"),
        ({"weights": "0" * 64}, "not those the gate judged"),
        ({"weights": None}, "not those the gate judged"),
    ],
)
def test_any_other_verdict_promotes_nothing(tmp_path, wrong, why):
    with pytest.raises(RunError, match=why):
        promote(judged(tmp_path / "runs", **wrong), tmp_path / "releases", STAGES)
    assert not (tmp_path / "releases").exists()


def edit(path, **changes):
    write_json(path, {**json.loads(path.read_text()), **changes})


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda runs, releases: (runs / "03-dpo/weights.safetensors").write_text("other"), "03-dpo: weights"),
        (lambda runs, releases: (runs / "02-sft/weights.safetensors").write_text("other"), "02-sft: weights"),
        (lambda runs, releases: edit(runs / "05-gate/gate.json", expires="2999-01-01"), "changed after"),
        (lambda runs, releases: edit(runs / "05-gate/manifest.json", seed=7), "gone or another one"),
        (lambda runs, releases: shutil.rmtree(runs / "05-gate"), "gone or another one"),
        (lambda runs, releases: edit(releases / CURRENT, weights="0" * 64), "not those the gate judged"),
        (lambda runs, releases: edit(releases / CURRENT, model=str(runs / "02-sft")), "the gate judged"),
        (lambda runs, releases: edit(releases / CURRENT, expires="2999-01-01"), "another candidate or day"),
        (lambda runs, releases: edit(releases / CURRENT, candidate="sft"), "another candidate or day"),
        (lambda runs, releases: (releases / CURRENT).unlink(), "nothing was promoted"),
        (lambda runs, releases: (releases / CURRENT).write_text("{}"), "is no release"),
        (lambda runs, releases: tuned_again(runs), "not those the gate judged"),
    ],
)  # fmt: skip
def test_whatever_changes_after_promotion_stops_it(tmp_path, spoil, why):
    promote(judged(tmp_path / "runs"), tmp_path / "releases", STAGES)
    spoil(tmp_path / "runs", tmp_path / "releases")
    with pytest.raises(RunError, match=why):
        open_release(tmp_path / "releases", STAGES)


def tuned_again(runs):
    """The model trained anew under the same name: whole, but not the one judged."""
    data = Run(runs / "01-data", DataRecipe(stage="data"))
    sft = Run(runs / "02-sft", DataRecipe(stage="sft"))
    (runs / "03-dpo/manifest.json").unlink()
    tuned(runs, "03-dpo", "dpo", {"data": data, "parent": sft}, "tuned differently")


def test_a_promotion_lapses_with_its_verdict(tmp_path):
    promote(judged(tmp_path / "runs", days=10), tmp_path / "releases", STAGES)
    open_release(tmp_path / "releases", STAGES, TODAY + datetime.timedelta(days=10))
    with pytest.raises(RunError, match="lapsed"):
        open_release(tmp_path / "releases", STAGES, TODAY + datetime.timedelta(days=11))


def test_only_a_gate_promotes(tmp_path):
    judged(tmp_path / "runs")
    with pytest.raises(RunError, match="name the gate's"):
        promote(tmp_path / "runs" / "03-dpo", tmp_path / "releases", STAGES)


def test_a_plain_folder_of_weights_is_held_to_its_bytes(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_text("weights")
    data = finish(tmp_path / "runs/01-data", DataRecipe(stage="data"), {}, {"rows.jsonl": "{}\n"})
    recipe = EvalsRecipe(
        stage="evals",
        label="candidate",
        suites=("template",),
        inputs={"data": "01-data"},
        weights={"base": str(model)},
    )
    evals = finish(tmp_path / "runs/04-evals", recipe, {"data": data}, {"metrics.json": "{}"})
    told = {
        "verdict": "promote", "candidate": "base", "reasons": [], "serves": "nurse-reviewed drafts",
        "weights": hash_weights(str(model)), "expires": TODAY.isoformat(),
    }  # fmt: skip
    promote(decided(tmp_path / "runs", evals, told), tmp_path / "releases", STAGES)
    (model / "model.safetensors").write_text("others")
    with pytest.raises(RunError, match="not those the gate judged"):
        open_release(tmp_path / "releases", STAGES)


def test_an_adapter_is_held_to_the_base_it_sits_on(tmp_path):
    """The base lies outside the run: no manifest of the lineage knows its bytes."""
    base, runs = tmp_path / "base", tmp_path / "runs"
    base.mkdir()
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_text("base")
    data = finish(runs / "01-data", DataRecipe(stage="data"), {}, {"rows.jsonl": "{}\n"})
    (runs / "03-dpo" / "adapter").mkdir(parents=True)
    recipe = DataRecipe(stage="dpo", inputs={"data": "01-data"})
    dpo = Run(runs / "03-dpo", recipe, {"data": data})
    dpo.start()
    (dpo.folder / "adapter" / "adapter_config.json").write_text("{}")
    write_json(dpo.folder / "base.json", {"base": str(base)})
    dpo.finish([dpo.folder / "adapter", dpo.folder / "base.json"], {})
    inputs = {"data": "01-data", "dpo": "03-dpo"}
    judged_by = EvalsRecipe(stage="evals", label="plumbing", suites=("template",), inputs=inputs)
    evals = finish(runs / "04-evals", judged_by, {"data": data, "dpo": dpo}, {"metrics.json": "{}"})
    told = {
        "verdict": "promote", "candidate": "dpo", "reasons": [], "serves": "demonstration only",
        "weights": hash_run_weights(dpo), "expires": TODAY.isoformat(),
    }  # fmt: skip
    assert promote(decided(runs, evals, told), tmp_path / "releases", STAGES).base
    (base / "model.safetensors").write_text("another")
    with pytest.raises(RunError, match="sits on is not the one of the promotion"):
        open_release(tmp_path / "releases", STAGES)
