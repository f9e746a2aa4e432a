"""A clinic's own cases: scored with a model or with the rules alone."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Draft
from prescreen.errors import InputError
from prescreen.evals.prediction import read_predictions
from prescreen.evals.score import score_cases
from prescreen.model.engine import Completion, ScriptedEngine
from prescreen.model.prompt import draft_text


def test_rules_only_needs_no_model(tmp_path: Path, mixed_cases: list[Case]) -> None:
    metrics = score_cases(mixed_cases, None, True, tmp_path / "out")
    assert list(metrics["suites"]["own cases"]["systems"]) == ["rules"]
    assert json.loads((tmp_path / "out/metrics.json").read_text())["suites"]["own cases"]["labelled"] == 40
    assert len(read_predictions(tmp_path / "out/predictions.jsonl")) == 40


def test_model_beside_rules_with_unlabelled_and_crashed_cases(
    tmp_path: Path, make_case: Callable[..., Case], make_draft: Callable[..., Draft]
) -> None:
    cases = [make_case(1, Acuity.MEDIUM), make_case(2, None), make_case(3, Acuity.MEDIUM)]
    crash = Completion("", finish="error", error="out of memory")
    engine = ScriptedEngine(lambda m: crash if "since 3 days" in m[-1]["content"] else draft_text(make_draft()))
    metrics = score_cases(cases, engine, False, tmp_path)
    scores = metrics["suites"]["own cases"]["systems"]["model"]
    exact = scores["alone"]["exact"]
    assert [exact[k] for k in ("right", "wrong", "no_answer", "unscored", "errored")] == [1, 0, 0, 1, 1]
    assert scores["served"]["answered"]["right"] == 2
    assert scores["floor"]["undrafted"] == ["case-3"]
    assert read_predictions(tmp_path / "predictions.jsonl")[2].error == "out of memory"


def test_an_accepted_range_counts_as_in_range(tmp_path: Path, make_case: Callable[..., Case]) -> None:
    case = make_case(1)
    assert case.label is not None
    wide = case.label.model_copy(update={"accepted": tuple(Acuity)})
    metrics = score_cases([case.model_copy(update={"label": wide})], None, True, tmp_path)
    assert metrics["suites"]["own cases"]["systems"]["rules"]["served"]["in_range"]["right"] == 1


def test_nothing_to_score_is_one_sentence(tmp_path: Path, mixed_cases: list[Case]) -> None:
    with pytest.raises(InputError, match="at least one"):
        score_cases([], None, True, tmp_path)
    with pytest.raises(InputError, match="--rules-only"):
        score_cases(mixed_cases, None, False, tmp_path)
    assert not (tmp_path / "metrics.json").exists()
