"""Rows teach what the case holds: tasks, traces, and nothing that was never asked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.case import Case, Turn
from prescreen.data.rows import (
    INSTRUCT,
    MAX_TRACE_TOKENS,
    SFT,
    case_rows,
    compose_trace,
    count_tokens,
    dialogue_row,
    history_messages,
    next_question,
)
from prescreen.data.synthesize import synthesize_cases
from prescreen.model.prompt import TASKS, parse_draft

CASES = list(synthesize_cases(3, 60, "train", "seen"))
ALL = {"ask": 1.0, "symptoms": 1.0, "priority": 1.0, "report": 1.0, "history": 1.0}


def rows_of(cases, tasks, mix=ALL):
    return [row for case in cases for row in case_rows(case, tasks, mix)]


@pytest.mark.parametrize("tasks", [SFT, INSTRUCT])
def test_every_row_asks_for_one_task_and_ends_with_the_answer(tasks):
    rows = rows_of(CASES, tasks)
    assert {row.task for row in rows} == set(tasks)
    for row in rows:
        assert row.messages[0] == {"role": "developer", "content": TASKS[row.task]}
        assert row.messages[-1]["role"] == "assistant" and row.messages[-1]["content"]
        assert all(m["content"] for m in row.messages)
        assert row.licence and row.source and row.patient_id


def test_a_report_is_the_gold_draft_and_its_trace_ends_in_the_level():
    for case, row in zip(CASES, rows_of(CASES, {"report": SFT["report"]}), strict=True):
        answer = row.messages[-1]
        assert parse_draft(answer["content"]) == case.label.draft
        assert answer["thinking"].endswith(f"-> {case.label.acuity.value}")


def test_a_priority_row_is_the_report_cut_to_its_level():
    reports, levels = (rows_of(CASES, {task: SFT[task]}) for task in ("report", "priority"))
    for report, level in zip(reports, levels, strict=True):
        assert level.messages[-1]["thinking"] == report.messages[-1]["thinking"]
        assert level.messages[-1]["content"] == parse_draft(report.messages[-1]["content"]).acuity.value


@given(st.sampled_from(CASES), st.integers(1, 12))
def test_a_trace_is_short_and_always_names_the_level(case, times):
    draft = case.label.draft
    long = draft.model_copy(update={"red_flags": [flag * times for flag in draft.red_flags]})
    trace = compose_trace(case, long)
    assert trace.endswith(f"-> {draft.acuity.value}")
    assert count_tokens(trace) <= MAX_TRACE_TOKENS


def test_labels_never_stand_in_what_the_model_reads():
    for row in rows_of(CASES, SFT) + rows_of(CASES, INSTRUCT):
        assert "acuity" not in row.read and "label" not in row.read


def test_symptoms_quote_the_patient():
    for case, row in zip(CASES, rows_of(CASES, {"symptoms": SFT["symptoms"]}), strict=True):
        findings = json.loads(row.learned)["findings"]
        assert findings
        for finding in findings:
            assert finding["evidence"] in case.spoken
            assert bool(finding["evidence"]) == (finding["status"] != "not asked")


def test_a_history_omits_no_allergy_and_no_medicine():
    rows = {row.case_id: row for row in rows_of(CASES, {"history": INSTRUCT["history"]})}
    assert rows
    for case in CASES:
        for item in [*(case.medications or ()), *(case.allergies or ()), *(case.conditions or ())]:
            assert item in rows[case.id].learned


def bare(**changes) -> Case:
    return Case(id="c", patient_id="p", source="s", licence="MIT", complaint="cough", **changes)


def test_what_was_never_asked_is_not_said_to_be_none():
    draft = CASES[0].label.draft
    empty = draft.model_copy(update={"history": type(draft.history)(conditions=[], medications=[], allergies=[])})
    assert history_messages(bare(), empty) == []
    said = history_messages(bare(allergies=()), empty)[-1]["content"]
    assert said == "Conditions: not recorded\nMedications: not recorded\nAllergies: none known"


def test_a_conversation_ends_with_our_question_and_the_next_one_is_not_shown():
    turns = (
        Turn(speaker="patient", text="cough"),
        Turn(speaker="assistant", text="Any fever?"),
        Turn(speaker="patient", text="no"),
        Turn(speaker="assistant", text="Since when?"),
        Turn(speaker="patient", text="Monday"),
    )
    case, draft = bare(turns=turns), CASES[0].label.draft
    apart = bare(turns=turns[1:])
    assert dialogue_row(apart, draft) == dialogue_row(case, draft)
    assert dialogue_row(case, draft)[1] == {"role": "user", "content": "cough"}
    assert dialogue_row(case, draft)[-1]["content"] == "Since when?"
    asked = next_question(case, draft)
    assert asked[-1]["content"] in ("Any fever?", "Since when?")
    assert asked[-1]["content"] not in asked[1]["content"]
    assert next_question(bare(), draft) == [] == dialogue_row(bare(), draft)


def test_a_mix_draws_the_same_share_of_cases_each_time():
    many = list(synthesize_cases(4, 400, "train", "seen"))
    drawn = rows_of(many, {"symptoms": SFT["symptoms"]}, {"symptoms": 0.3})
    assert drawn == rows_of(many, {"symptoms": SFT["symptoms"]}, {"symptoms": 0.3})
    assert 0.2 < len(drawn) / 400 < 0.4
    assert rows_of(many, SFT, {}) == []


def test_an_unlabelled_case_gives_no_row():
    assert rows_of([bare()], SFT) == []
