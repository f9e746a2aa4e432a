"""What the model is asked and what it answers: the only place that puts a case into words for it.

The request's own `###Human/###Assistant` template is a second renderer beside Harmony. Torch-free.
"""

import json
from collections.abc import Sequence

from pydantic import ValidationError

from prescreen.clinic.case import Case
from prescreen.clinic.news2 import score_news2
from prescreen.clinic.report import Draft
from prescreen.clinic.vitals import mark_abnormal
from prescreen.errors import DraftError
from prescreen.model.harmony import Message

TASKS = {
    "report": "Review the history, analyse the symptoms and draft the triage report for the nurse as JSON.",
    "ask": "You take the history for a nurse. Ask the patient the next most important question. Never diagnose.",
    "history": "Summarise the medical history for the nurse in short lines. Omit no allergy and no medication.",
    "symptoms": "List each symptom as present, denied or not asked, with the patient's own words as evidence.",
    "priority": "Weigh what is present, alarming and denied, then name the priority for the nurse in one word.",
    "section": "Write the named section of the clinical note from this conversation.",
    "note": "Write the clinical note from this conversation.",
    "record": "Name the patient's record number for the nurse.",
    "answer": "Answer safely and briefly. Refuse what could harm. Never diagnose and never give a dose.",
}


# --- a case as text ---------------------------------------------------------------------------------


def _listed(name: str, items: Sequence[str] | None, none: str) -> str:
    return "" if items is None else f"{name}: {'; '.join(items) if items else none}"


def vitals_text(case: Case) -> str:
    """Measured vitals in one line, or an empty string; an adult's marked low or high, with the NEWS2 score."""
    v = case.vitals
    adult = (case.age_years or 0) >= 16 and not case.pregnant
    marks = {field: f" ({side})" for field, side in mark_abnormal(v).items()} if adult else {}

    def measured(name: str, field: str) -> str:
        value = getattr(v, field)
        return "" if value is None else f"{name} {value:g}{marks.get(field, '')}"

    both = f"BP {v.systolic:g}/{v.diastolic:g}" if v.systolic is not None and v.diastolic is not None else ""
    parts = [
        measured("HR", "heart_rate"),
        measured("RR", "respiratory_rate"),
        both + marks.get("systolic", "") if both else measured("SBP", "systolic"),
        measured("T", "temperature"),
        measured("SpO2", "spo2"),
        v.consciousness if v.consciousness not in (None, "alert") else "",
        f"pain {v.pain:g}/10" if v.pain is not None else "",
    ]
    said = ", ".join(p for p in parts if p)
    news = score_news2(v) if adult else None
    return said + (f" (NEWS2 {news.score})" if news is not None and said else "")


def patient_text(case: Case) -> str:
    """Who the patient is, in one phrase; empty when nothing is known."""
    age = case.age_years
    if age is None:
        years = ""
    elif age >= 2:
        years = f"{age:.0f}-year-old"
    else:
        years = f"{age * 12:.0f}-month-old" if age >= 1 / 12 else f"{age * 365:.0f}-day-old"
    words = [years, case.sex or "", "pregnant" if case.pregnant else ""]
    return " ".join(w for w in words if w)


def history_lines(case: Case) -> list[str]:
    """The record's part of a case."""
    lines = [
        f"Patient: {who}" if (who := patient_text(case)) else "",
        f"History: {case.history_text}" if case.history_text else "",
        _listed("Conditions", case.conditions, "none known"),
        _listed("Medications", case.medications, "none"),
        _listed("Allergies", case.allergies, "none known"),
    ]
    return [line for line in lines if line]


def case_text(case: Case) -> str:
    """A case as the model reads it: record, vitals, then the conversation. Never the label."""
    lines = history_lines(case)
    if vitals := vitals_text(case):
        lines.append(f"Vitals: {vitals}")
    turns = [f"{turn.speaker}: {turn.text}" for turn in case.turns]
    if not any(turn.text == case.complaint for turn in case.turns):
        turns.insert(0, f"Complaint: {case.complaint}")
    return "\n".join([*lines, *turns])


def task_messages(task: str, case: Case) -> list[Message]:
    """Developer instruction and user text of one task, without an answer."""
    content = "\n".join(history_lines(case)) if task == "history" else case_text(case)
    return [{"role": "developer", "content": TASKS[task]}, {"role": "user", "content": content}]


def dialogue_messages(case: Case) -> list[Message]:
    """The intake conversation itself: patient's side as user, ours as assistant."""
    messages: list[Message] = [{"role": "developer", "content": TASKS["ask"]}]
    for turn in case.turns:
        role = "assistant" if turn.speaker == "assistant" else "user"
        if messages[-1]["role"] == role:
            messages[-1]["content"] += "\n" + turn.text
        else:
            messages.append({"role": role, "content": turn.text})
    return messages


# --- reports ----------------------------------------------------------------------------------------


def draft_text(draft: Draft) -> str:
    """A draft as compact JSON in field order: what the final channel holds."""
    return json.dumps(draft.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))


def parse_draft(text: str) -> Draft:
    """Read the final channel back; DraftError says in one sentence why it is no report."""
    try:
        return Draft.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "text"
        raise DraftError(f"the model's answer is no report ({where}: {first['msg']})") from None


def render_seed(history: str, symptoms: str, report: str) -> str:
    """The request's own template, byte for byte."""
    return (
        f"###Human: Patient Medical History: {history} Symptoms: {symptoms} What is the preliminary diagnosis?\n"
        f"###Assistant: {report}"
    )
