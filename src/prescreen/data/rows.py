"""Cases as chat rows: one task each, with a short reasoning trace before a report.

Knows the tasks and what each must answer; the wording of prompts is `model.prompt`'s.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prescreen.clinic.case import Case, Turn
from prescreen.clinic.report import Draft
from prescreen.clinic.vitals import describe_vitals
from prescreen.data.records import Row
from prescreen.data.split import hash_share
from prescreen.model.harmony import Message
from prescreen.model.prompt import dialogue_messages, draft_text, task_messages

MAX_TRACE_TOKENS = 45
TOKEN = re.compile(r"\w+|[^\w\s]")


def count_tokens(text: str) -> int:
    """Words and signs: close to a tokenizer's count for plain English, without one."""
    return len(TOKEN.findall(text))


def compose_trace(case: Case, draft: Draft) -> str:
    """The thought before a report: what is present, alarming, measured and denied, then the level.

    When it would grow too long, the least urgent part goes first; the level never does.
    """
    present = [f.name for f in draft.findings if f.status == "present"]
    denied = [f.name for f in draft.findings if f.status == "denied"]
    parts = {
        "present": present[:3],
        "red flags": draft.red_flags[:2],
        "vitals": [v for v in describe_vitals(case.vitals) if v not in draft.red_flags][:2],
        "denied": denied[:2],
    }
    for dropped in ("", "denied", "vitals", "present", "red flags"):
        parts.pop(dropped, None)
        said = "; ".join(f"{name}: {', '.join(items)}" for name, items in parts.items() if items)
        trace = f"{said} -> {draft.acuity.value}".strip()
        if count_tokens(trace) <= MAX_TRACE_TOKENS:
            break
    return trace


def report_answer(case: Case, draft: Draft) -> Message:
    """A report as the model must write it: trace, then JSON."""
    return {"role": "assistant", "content": draft_text(draft), "thinking": compose_trace(case, draft)}


def report_messages(case: Case, draft: Draft) -> list[Message]:
    return [*task_messages("report", case), report_answer(case, draft)]


def priority_messages(case: Case, draft: Draft) -> list[Message]:
    """The same thought as before a report, and of the report its level alone."""
    answer: Message = {"role": "assistant", "content": draft.acuity.value, "thinking": compose_trace(case, draft)}
    return [*task_messages("priority", case), answer]


def symptom_messages(case: Case, draft: Draft) -> list[Message]:
    """Every finding with its status and the patient's words."""
    findings = [f.model_dump(mode="json") for f in draft.findings]
    listed = json.dumps({"findings": findings}, ensure_ascii=False, separators=(",", ":"))
    return [*task_messages("symptoms", case), {"role": "assistant", "content": listed}]


def history_messages(case: Case, draft: Draft) -> list[Message]:
    """The record in three short lines; empty when there is no record to summarise."""
    recorded = (case.history_text, case.conditions, case.medications, case.allergies)
    if all((not part and part is None) or part == "" for part in recorded):
        return []
    parts = (("Conditions", draft.history.conditions, case.conditions),
             ("Medications", draft.history.medications, case.medications),
             ("Allergies", draft.history.allergies, case.allergies))  # fmt: skip
    lines = [
        f"{name}: {'; '.join(items) if items else 'not recorded' if asked is None else 'none known'}"
        for name, items, asked in parts
    ]
    return [*task_messages("history", case), {"role": "assistant", "content": "\n".join(lines)}]


def open_dialogue(case: Case) -> list[Message]:
    """The conversation as a chat that opens with the complaint, which a case may keep apart from its turns."""
    if any(turn.text == case.complaint for turn in case.turns):
        return dialogue_messages(case)
    opening = Turn(speaker="patient", text=case.complaint)
    return dialogue_messages(case.model_copy(update={"turns": (opening, *case.turns)}))


def dialogue_row(case: Case, draft: Draft) -> list[Message]:
    """The whole conversation up to our last question; every question is learned."""
    messages = open_dialogue(case)
    while len(messages) > 1 and messages[-1]["role"] != "assistant":
        messages.pop()
    return messages if len(messages) > 1 else []


def next_question(case: Case, draft: Draft) -> list[Message]:
    """The conversation cut before one of our questions, and that question."""
    asked = [i for i, turn in enumerate(case.turns) if turn.speaker == "assistant"]
    if not asked:
        return []
    at = asked[int(hash_share("question", case.id) * len(asked))]
    before = case.model_copy(update={"turns": case.turns[:at]})
    return [*task_messages("ask", before), {"role": "assistant", "content": case.turns[at].text}]


Compose = Callable[[Case, Draft], list[Message]]
SFT: Mapping[str, Compose] = {
    "ask": dialogue_row,
    "symptoms": symptom_messages,
    "priority": priority_messages,
    "report": report_messages,
}
INSTRUCT: Mapping[str, Compose] = {
    "history": history_messages,
    "ask": next_question,
    "priority": priority_messages,
    "report": report_messages,
}


def case_rows(case: Case, tasks: Mapping[str, Compose], mix: Mapping[Any, float]) -> Iterator[Row]:
    """The rows of one case: each task with its share's chance, drawn by the case's id so that it is stable."""
    draft = case.label.draft if case.label else None
    if draft is None:
        return
    for task, compose in tasks.items():
        name = f"{case.id}-{task}"
        if hash_share(f"mix {compose.__name__}", case.id) >= mix.get(task, 0.0):
            continue
        if messages := compose(case, draft):
            yield Row(name, case.id, case.patient_id, task, case.source, case.licence, tuple(messages))
