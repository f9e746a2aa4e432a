"""The knowledge task with scripted models, and PubMedQA where it is there."""

import json
from collections import Counter
from pathlib import Path

import pytest

from prescreen.errors import RecipeError
from prescreen.evals.glossary import GLOSSARY
from prescreen.evals.knowledge import QUESTIONS, read_questions, run_knowledge, run_pubmedqa
from prescreen.evals.public_sets import FILES, public_files, sample_rows
from prescreen.evals.rate import Rate
from prescreen.evals.task import Found
from prescreen.model.engine import Completion, ScriptedEngine
from prescreen.model.harmony import Message

RIGHT = {each.asked.question: each.right for each in read_questions()}
KIND = {each.asked.question: each.metric for each in read_questions()}


def question_of(messages: list[Message]) -> str:
    return messages[-1]["content"].split("\nQuestion: ")[1]


def say(word: str) -> str:
    return json.dumps({"answer": word})


def rate(found: Found, metric: str) -> Rate:
    figure = found.measures[metric].figure
    assert isinstance(figure, Rate)
    return figure


def test_the_questions_are_many_distinct_and_balanced() -> None:
    questions = read_questions()
    counts = Counter((each.metric, each.right) for each in questions)
    assert len(RIGHT) == len(questions) and set(counts.values()) == {14} and len(counts) == 6


def test_one_that_knows_everything_passes() -> None:
    found = run_knowledge(ScriptedEngine(lambda messages: say(RIGHT[question_of(messages)])), 0)
    assert rate(found, "knowledge_medical") == rate(found, "knowledge_general") == Rate(42)
    assert found.measures.keys() <= GLOSSARY.keys()


def test_one_that_forgot_medicine_loses_medicine_alone() -> None:
    def answer(messages: list[Message]) -> str:
        question = question_of(messages)
        return say(RIGHT[question] if KIND[question] == "knowledge_general" else "yes")

    found = run_knowledge(ScriptedEngine(answer), 0)
    assert rate(found, "knowledge_medical") == Rate(14, 28) and rate(found, "knowledge_general") == Rate(42)


def test_an_unreadable_answer_and_a_crash_are_told_apart() -> None:
    assert rate(run_knowledge(ScriptedEngine(lambda _: "perhaps"), 0), "knowledge_general") == Rate(no_answer=42)
    crash = ScriptedEngine(lambda _: Completion("", finish="error", error="out of memory"))
    assert rate(run_knowledge(crash, 0), "knowledge_general") == Rate(errored=42)


def test_a_broken_file_says_where(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.yaml"
    path.write_text(QUESTIONS.read_text().replace('"maybe":', '"perhaps":', 1))
    with pytest.raises(RecipeError, match=r"knowledge\.yaml: medical\.perhaps"):
        read_questions(path)


def test_pubmedqa_without_a_root_or_file_is_skipped_in_words(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda _: say("yes"))
    assert run_pubmedqa(engine, 0, None).skipped == ("pubmedqa skipped: the recipe names no data_root",)
    assert "no " in run_pubmedqa(engine, 0, tmp_path).skipped[0] and public_files(tmp_path) == []


def test_pubmedqa_from_a_root(tmp_path: Path) -> None:
    path = tmp_path / FILES["pubmedqa"]
    path.parent.mkdir()
    row = {"pmid": "1", "question": "Does it?", "contexts": ["A trial.", "It did."], "final_decision": "yes"}
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | {"pmid": "2", "final_decision": "no"}) + "\n")
    found = run_pubmedqa(ScriptedEngine(lambda _: say("yes")), 0, tmp_path)
    assert rate(found, "knowledge_pubmedqa") == Rate(1, 1) and public_files(tmp_path) == [path]
    assert found.items[0].asked == "A trial. It did.\nDoes it?"


def test_a_sample_depends_on_seed_and_position_alone() -> None:
    rows = [{} for _ in range(50)]
    assert sample_rows(rows, 10, 0) == sample_rows(rows, 10, 0) != sample_rows(rows, 10, 1)
    assert set(sample_rows(rows, 10, 0)) <= set(sample_rows(rows, 20, 0))
