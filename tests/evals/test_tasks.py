"""Tasks run in processes of their own: what they are given and find survives the way there and back."""

import pickle
from pathlib import Path

import pytest

from prescreen.evals import tasks
from prescreen.evals.tasks import TASKS, Work, carry_out
from prescreen.model.engine import ScriptedEngine


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if not task.audit])
def test_what_a_task_finds_can_leave_its_process(name: str, tmp_path: Path) -> None:
    work = Work("sft", "nowhere", "w" * 64, tmp_path, {"thinking": 8}, 4, 0, (), (name,))
    done = carry_out(pickle.loads(pickle.dumps(work)), lambda folder: ScriptedEngine(lambda messages: "yes"))
    again = pickle.loads(pickle.dumps(done))
    assert again.found[name].measures == done.found[name].measures and again.found[name].items
    written = tasks.to_json({"sft": again})
    assert written[name]["systems"]["sft"]
