"""A task's own part and its part from public sets: joined, written, and said aloud where it is skipped."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from prescreen.evals import tasks
from prescreen.evals.knowledge import NUM_PUBMEDQA, run_pubmedqa
from prescreen.evals.public_patients import NUM_PATIENTS, run_public_patients
from prescreen.evals.rate import Measure, Rate
from prescreen.evals.suite import EvalsRecipe
from prescreen.evals.table import print_metrics
from prescreen.evals.task import Found, Item, Task, join_found
from prescreen.model.engine import ScriptedEngine

OWN = Found({"exact": Measure(Rate(1))}, [Item("own", "exact", "right")])
PUBLIC = Found({"in_range": Measure(Rate(0, 1))}, [Item("public", "in_range", "wrong")])


def ask_public(engine: object, seed: int, root: Path | None) -> Found:
    return PUBLIC if root else Found({}, [], skipped=("made-up set skipped: the recipe names no data_root",))


def carry_out(tmp_path: Path, data_root: Path | None) -> tasks.Done:
    work = tasks.Work("sft", "", "w", tmp_path, {"thinking": 1}, 1, 0, (), ("made-up",), data_root)
    return tasks.carry_out(work, lambda _: ScriptedEngine(lambda _: ""))


def test_both_parts_are_asked_where_there_is_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tasks.TASKS, "made-up", Task("made up", lambda engine, seed: OWN, ask_public))
    found = carry_out(tmp_path, tmp_path).found["made-up"]
    assert found == join_found(OWN, PUBLIC) and list(found.measures) == ["exact", "in_range"] and not found.skipped


def test_a_skipped_part_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tasks.TASKS, "made-up", Task("made up", lambda engine, seed: OWN, ask_public))
    written = tasks.to_json({"sft": carry_out(tmp_path, None)})
    assert list(written["made-up"]["systems"]["sft"]) == ["exact"]
    console = Console(record=True, width=100)
    print_metrics({"suites": {}, "tasks": written}, console)
    assert "made-up set skipped: the recipe names no data_root" in console.export_text()


def test_two_sources_of_one_metric_are_a_fault() -> None:
    with pytest.raises(AssertionError, match="one source"):
        join_found(OWN, OWN)


def test_the_files_of_public_sets_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "pubmedqa/pqal_dev500.jsonl"
    path.parent.mkdir()
    path.write_text("{}\n")
    values = {"stage": "evals", "label": "plumbing", "suites": ["bank"], "tasks": ["knowledge"]}
    assert EvalsRecipe.model_validate(values).external() == []
    assert EvalsRecipe.model_validate(values | {"data_root": str(tmp_path)}).external() == [path]


@pytest.fixture
def staged() -> Path:
    """The folder of public sets; without it the test says aloud what it did not check."""
    root = Path(os.environ.get("PRESCREEN_DATA_ROOT") or Path(__file__).parents[2] / "../shared/data")
    if not root.is_dir():
        pytest.skip(f"NOT CHECKED on real data: no folder {root}; set PRESCREEN_DATA_ROOT")
    return root


def test_the_staged_sets_can_be_asked(staged: Path) -> None:
    found = run_pubmedqa(ScriptedEngine(lambda _: '{"answer": "yes"}'), 0, staged)
    figure = found.measures["knowledge_pubmedqa"].figure
    assert isinstance(figure, Rate) and figure.n == NUM_PUBMEDQA and 30 < figure.right < 80

    words = ("fever", "vomiting", "breathing", "headache", "smoking", "medication", "weight", "family", "swelling")
    patients = run_public_patients(ScriptedEngine(lambda m: f"Any {words[len(m) // 2 % len(words)]}?"), 0, staged)
    figure = patients.measures["public_facts_obtained"].figure
    assert isinstance(figure, Rate) and 0 < figure.right < figure.n and not patients.skipped
    assert len({item.id.split(":")[0] for item in patients.items}) == 2 * NUM_PATIENTS
