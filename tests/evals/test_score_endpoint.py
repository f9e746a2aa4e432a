"""`prescreen eval --endpoint`: the same cases, bank and tasks, asked of a real server; its faults are counted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Draft
from prescreen.errors import InputError
from prescreen.evals import tasks
from prescreen.evals.bank import read_bank
from prescreen.evals.prediction import read_predictions
from prescreen.evals.score import score_cases
from prescreen.evals.task import Found, Item, Task, count_items
from prescreen.model.endpoint import EndpointEngine
from prescreen.model.engine import Engine
from prescreen.model.prompt import draft_text
from small_server import MODEL, Reply, serve


def test_faults_of_a_server_stay_in_the_denominator(
    tmp_path: Path,
    make_case: Callable[..., Case],
    make_draft: Callable[..., Draft],
    capsys: pytest.CaptureFixture[str],
) -> None:
    replies = {
        "since 0 days": Reply(draft_text(make_draft(Acuity.MEDIUM))),
        "since 1 days": Reply(status=500, raw=b"broken"),
        "since 2 days": Reply(raw=b"no json"),
        "since 3 days": Reply(after_s=0.8),
        "since 4 days": Reply('{"acuity": "no level"}'),
        "since 5 days": Reply(draft_text(make_draft(Acuity.LOW))),
    }
    with serve(lambda body: next(r for words, r in replies.items() if words in str(body))) as server:
        engine = EndpointEngine(server.url, MODEL, timeout_s=0.3, pause_s=0)
        metrics = score_cases([make_case(n) for n in range(6)], engine, False, tmp_path)
    exact = metrics["suites"]["own cases"]["systems"]["model"]["alone"]["exact"]
    names = ("right", "wrong", "no_answer", "errored", "n")
    assert [exact[name] for name in names] == [1, 1, 1, 3, 6]
    assert "3 of 6 cases errored and count as failures" in capsys.readouterr().out
    errors = [row.error for row in read_predictions(tmp_path / "predictions.jsonl")]
    assert "500" in errors[1] and "no chat completion" in errors[2] and "Timeout" in errors[3]
    assert metrics["model"] == f"{MODEL} at {server.url}"


def test_bank_and_tasks_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bank"
    folder.mkdir()
    case = {"id": "a", "style": "patient", "traps": ["anxious"], "complaint": "I itch and I am dying of it"}
    other = {"id": "b", "style": "patient", "complaint": "it will not load"}
    condition = {"condition": "itch", "level": "low", "source": "a textbook", "why": "harmless"}
    condition |= {"cases": [case, other]}
    (folder / "skin.yaml").write_text(yaml.safe_dump({"conditions": [condition]}))

    def greet(engine: Engine, seed: int) -> Found:
        (answer,) = engine.generate([[{"role": "user", "content": "hello"}]])
        items = [Item("hello", "exact", "right" if answer.text == "hi" else "wrong", "hello", answer.text)]
        return Found(count_items(items), items)

    monkeypatch.setitem(tasks.TASKS, "greet", Task("Does it greet?", greet))

    def answer(body: dict[str, Any]) -> Reply:
        if "not load" in str(body):
            return Reply(status=500, raw=b"broken")
        return Reply("hi" if "hello" in str(body) else '{"acuity": "high"}')

    with serve(answer) as server:
        engine = EndpointEngine(server.url, MODEL, pause_s=0)
        metrics = score_cases([], engine, False, tmp_path, tasks=["greet"], bank=read_bank(folder))
    scores = metrics["suites"]["bank"]["systems"]["model"]["alone"]
    assert scores["over_triage"]["right"] == 1
    assert (scores["exact"]["wrong"], scores["exact"]["no_answer"], scores["exact"]["errored"]) == (1, 0, 1)
    assert metrics["suites"]["bank"]["groups"]["trap"]["anxious"]["cases"] == 1
    assert metrics["tasks"]["greet"]["systems"]["model"]["exact"]["right"] == 1
    assert json.loads((tmp_path / "tasks/greet/model.jsonl").read_text())["answered"] == "hi"


def test_an_unknown_task_is_one_sentence(tmp_path: Path, mixed_cases: list[Case]) -> None:
    with pytest.raises(InputError, match="unknown task 'greet'"):
        score_cases(mixed_cases, EndpointEngine("http://localhost/v1", "m"), False, tmp_path, tasks=["greet"])
