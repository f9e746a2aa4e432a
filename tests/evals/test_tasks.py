"""Tasks run in processes of their own: what they are given and find survives the way there and back."""

import pickle
from pathlib import Path

import pytest

from prescreen.clinic.case import Case
from prescreen.evals import tasks
from prescreen.evals.tasks import TASKS, Work, carry_out, start_all
from prescreen.model.engine import ScriptedEngine
from small_pool import Inline


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if not task.audit])
def test_what_a_task_finds_can_leave_its_process(name: str, tmp_path: Path) -> None:
    work = Work("sft", "nowhere", "w" * 64, tmp_path, {"thinking": 8}, 4, 0, (), (name,))
    done = carry_out(pickle.loads(pickle.dumps(work)), lambda folder: ScriptedEngine(lambda messages: "yes"))
    again = pickle.loads(pickle.dumps(done))
    assert again.found[name].measures == done.found[name].measures and again.found[name].items
    written = tasks.to_json({"sft": again})
    assert written[name]["systems"]["sft"]


def test_a_model_asked_in_pieces_answers_as_it_does_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every piece by itself and once; levels, figures and the order of tasks are those of one worker."""
    loaded, asked = [], []

    def load(folder: str, *_: object) -> ScriptedEngine:
        loaded.append(folder)
        return ScriptedEngine(lambda messages: '{"acuity":"low"}')

    def ask(work: Work) -> tasks.Done:
        asked.append((work.system, bool(work.cases), work.tasks))
        return carry_out(work, load)

    monkeypatch.setattr(tasks, "carry_out_alone", ask)
    monkeypatch.setattr(tasks, "as_completed", lambda running: reversed(list(running)))
    case = Case(id="c", patient_id="p", source="t", licence="none", complaint="cough").model_dump_json()
    names = ("stability", "knowledge")
    works = [
        Work(system, system, system * 16, tmp_path / "two", {"thinking": 8}, 4, 0, (case,), names)
        for system in ("base", "dpo")
    ]
    apart = start_all(works, Inline(), load)()
    whole = start_all([work._replace(cache=tmp_path / "one") for work in works], None, load)()
    assert apart == whole and list(apart["base"].found) == list(names) and len(apart["base"].levels) == 1
    assert asked == [
        (system, *piece)
        for system in ("base", "dpo")
        for piece in ((True, ()), (False, ("stability",)), (False, ("knowledge",)))
    ]
    assert loaded == ["base"] * 3 + ["dpo"] * 3 + ["base", "dpo"]
    assert start_all(works, None, load)() == whole and len(loaded) == 8  # what pieces were told is remembered
    kept = {path.name.rpartition("-")[2] for path in (tmp_path / "two").iterdir()}
    assert kept == {"levels.jsonl", *(f"{name}.jsonl" for name in names)}  # a file has one writer
