"""Samples and judgement for Inspect AI on plain data; without it, one sentence; with it, a whole task.

Inspect itself is not installed here: a stand-in of the names we use shows that the task is put together.
"""

import asyncio
import importlib
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.errors import InputError
from prescreen.evals import inspect_tasks
from prescreen.evals.inspect_tasks import FIGURES, build_samples, judge_text, read_cases

LOW, MEDIUM, HIGH, EMERGENCY = Acuity


def test_samples_hold_the_case_and_never_its_label(make_case: Callable[..., Case]) -> None:
    (sample,) = build_samples([make_case(3, HIGH)])
    assert sample["id"] == "case-3" and sample["target"] == ["high"]
    assert [message["role"] for message in sample["input"]] == ["system", "user"]
    assert "my elbow itches since 3 days" in sample["input"][1]["content"]
    assert '"low" or "medium" or "high" or "emergency"' in sample["input"][0]["content"]
    assert "high" not in sample["input"][1]["content"]
    assert Case.model_validate(json.loads(sample["metadata"]["case"])) == make_case(3, HIGH)


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ('{"acuity": "medium"}', "medium", {"alone_in_range", "served_in_range"}),
        ('Surely:\n```json\n{"acuity": "low"}\n```', "low", {"alone_under", "served_under"}),
        ('{"acuity": "low"} no, {"acuity": "high"}', "high", {"alone_over", "served_over"}),
        ("I would wait.", "", {"served_over"}),
        ('{"acuity": "soon"}', "", {"served_over"}),
    ],
)
def test_answers_are_judged_alone_and_as_served(
    make_case: Callable[..., Case], text: str, answer: str, right: set[str]
) -> None:
    judged = judge_text(make_case(1, MEDIUM), text)
    assert judged.answer == answer
    assert {name for name, value in judged.values.items() if value} == right
    assert set(judged.values) == set(FIGURES)


def test_rules_raise_what_is_served(make_case: Callable[..., Case]) -> None:
    case = make_case(1, EMERGENCY, complaint="crushing chest pain into my left arm and sweating")
    judged = judge_text(case, '{"acuity": "low"}')
    assert judged.values["alone_under"] == judged.values["served_in_range"] == 1
    assert "rules: none" not in judged.explanation


def test_cases_of_a_file_and_none_at_all(tmp_path: Path, make_case: Callable[..., Case]) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(case.model_dump_json() + "\n" for case in (make_case(1), make_case(2, None))))
    assert [case.id for case in read_cases(str(path))] == ["case-1"]
    path.write_text(make_case(2, None).model_dump_json() + "\n")
    with pytest.raises(InputError, match="no labelled case"):
        read_cases(str(path))


def write_case(folder: Path, case: Case) -> str:
    path = folder / "cases.jsonl"
    path.write_text(case.model_dump_json() + "\n")
    return str(path)


def test_without_inspect_it_is_one_sentence(
    tmp_path: Path, make_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(InputError, match="pip install inspect-ai"):
        inspect_tasks.triage(write_case(tmp_path, make_case(1)))


class Made:
    """Any of Inspect's classes: keeps what it was made of."""

    def __init__(self, *args: Any, **values: Any) -> None:
        self.args = args
        self.__dict__.update(values)


def pretend_inspect(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names we use of Inspect; returns what is registered."""
    registered: list[str] = []

    def task(function: Callable[..., Any]) -> Callable[..., Any]:
        registered.append(function.__name__)
        return function

    names: dict[str, dict[str, Any]] = {
        "inspect_ai": {"Task": Made, "task": task},
        "inspect_ai.dataset": {"MemoryDataset": Made, "Sample": Made},
        "inspect_ai.model": {
            name: Made for name in ("ChatMessageSystem", "ChatMessageUser", "GenerateConfig", "ResponseSchema")
        },
        "inspect_ai.scorer": {
            "Score": Made,
            "mean": Made,
            "stderr": Made,
            "scorer": lambda metrics: lambda function: function,
        },
        "inspect_ai.solver": {"generate": Made},
        "inspect_ai.util": {"JSONSchema": Made},
    }
    for name, values in names.items():
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    return registered


def test_with_inspect_the_tasks_are_registered_and_score(
    tmp_path: Path, make_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        registered = pretend_inspect(patch)
        module = importlib.reload(inspect_tasks)
        task: Any = module.triage(write_case(tmp_path, make_case(1, MEDIUM)))
        none: Any = module.emergencies(write_case(tmp_path, make_case(1, MEDIUM)))
    importlib.reload(inspect_tasks)
    assert registered == ["triage", "emergencies"]
    (samples,) = task.dataset.args
    assert samples[0].input[1].content.startswith("Conditions: eczema") and none.dataset.args == ([],)
    state = Made(metadata=samples[0].metadata, output=Made(completion='{"acuity": "high"}'))
    score = asyncio.run(task.scorer(state, None))
    assert score.answer == "high" and score.value["alone_over"] == 1
    assert task.config.response_schema.json_schema.properties["acuity"].enum == [level.value for level in Acuity]
