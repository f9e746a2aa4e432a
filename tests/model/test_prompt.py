"""A case in words, a draft as JSON and back, and the request's own template."""

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label, Turn, Vitals
from prescreen.errors import DraftError
from prescreen.model import prompt
from small_draft import DRAFT

CASE = Case(
    id="c1", patient_id="p1", source="test", licence="CC0-1.0", age_years=54, sex="female",
    conditions=("hypertension",), medications=(), complaint="My chest hurts",
    vitals=Vitals(heart_rate=104, systolic=150, diastolic=90),
    turns=(Turn(speaker="patient", text="My chest hurts"), Turn(speaker="assistant", text="Since when?"),
           Turn(speaker="patient", text="an hour")),
)  # fmt: skip


def test_case_text_is_what_the_model_reads():
    assert prompt.case_text(CASE).splitlines() == [
        "Patient: 54-year-old female",
        "Conditions: hypertension",
        "Medications: none",
        "Vitals: HR 104, BP 150/90 (NEWS2 1)",
        "patient: My chest hurts",
        "assistant: Since when?",
        "patient: an hour",
    ]


def test_an_adults_abnormal_signs_are_marked_and_a_childs_are_not():
    fast = {"heart_rate": 128, "spo2": 91, "systolic": 90, "diastolic": 60, "temperature": 37}
    adult = CASE.model_copy(update={"vitals": Vitals.model_validate(fast)})
    assert prompt.vitals_text(adult).startswith("HR 128 (high), BP 90/60 (low), T 37, SpO2 91 (low) (NEWS2 ")
    child = adult.model_copy(update={"age_years": 2.0})
    assert prompt.vitals_text(child) == "HR 128, BP 90/60, T 37, SpO2 91"


@pytest.mark.parametrize("task", sorted(prompt.TASKS))
def test_the_label_never_reaches_the_prompt(task):
    label = Label(acuity=Acuity.EMERGENCY, accepted=(Acuity.EMERGENCY,), origin="SECRET", condition="SECRET")
    labelled = CASE.model_copy(update={"label": label})
    assert prompt.task_messages(task, labelled) == prompt.task_messages(task, CASE)


def test_dialogue_alternates_and_merges_neighbours():
    messages = prompt.dialogue_messages(CASE)
    assert [m["role"] for m in messages] == ["developer", "user", "assistant", "user"]


def test_draft_round_trip_and_refusal():
    assert prompt.parse_draft(prompt.draft_text(DRAFT)) == DRAFT
    for bad in ("", "{}", "not json", prompt.draft_text(DRAFT)[:-5], '{"acuity":"purple"}'):
        with pytest.raises(DraftError) as caught:
            prompt.parse_draft(bad)
        assert "\n" not in str(caught.value)


def test_seed_template_is_byte_equal():
    assert prompt.render_seed("Has asthma.", "Cough.", "Cold.") == (
        "###Human: Patient Medical History: Has asthma. Symptoms: Cough. What is the preliminary diagnosis?\n"
        "###Assistant: Cold."
    )
