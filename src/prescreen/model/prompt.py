"""The only place that renders text for a model or reads text from one.

Harmony (openai/harmony) is rendered as a list of pieces, control tokens apart from content, so that nothing a
patient types can become a control token; `trained` marks exactly what the model itself must produce. The
request's own `###Human/###Assistant` template is a second renderer. Torch-free.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple, NotRequired, TypedDict

from pydantic import ValidationError
from tokenizers import Tokenizer

from prescreen.clinic.case import Case
from prescreen.clinic.news2 import score_news2
from prescreen.clinic.report import Draft
from prescreen.errors import DraftError

PINNED_DATE = "2026-01-01"  # training, evaluation and serving must see the same system block
IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."

TASKS = {
    "report": "Review the history, analyse the symptoms and draft the triage report for the nurse as JSON.",
    "ask": "You take the history for a nurse. Ask the patient the next most important question. Never diagnose.",
    "history": "Summarise the medical history for the nurse in short lines. Omit no allergy and no medication.",
    "symptoms": "List each symptom as present, denied or not asked, with the patient's own words as evidence.",
    "section": "Write the named section of the clinical note from this conversation.",
    "note": "Write the clinical note from this conversation.",
    "answer": "Answer safely and briefly. Refuse what could harm. Never diagnose and never give a dose.",
}


class Message(TypedDict):
    """One chat message; `thinking` is an assistant's analysis channel."""

    role: str
    content: str
    thinking: NotRequired[str]


class Piece(NamedTuple):
    """A stretch of a rendered prompt: a control token or plain text, and whether it is trained."""

    text: str
    control: bool
    trained: bool


class Tokens(NamedTuple):
    """Token ids and, for each, whether the loss counts it. Equal lengths."""

    ids: list[int]
    mask: list[bool]


# --- a case as text ---------------------------------------------------------------------------------


def _listed(name: str, items: Sequence[str] | None, none: str) -> str:
    return "" if items is None else f"{name}: {'; '.join(items) if items else none}"


def vitals_text(case: Case) -> str:
    """Measured vitals in one line with the NEWS2 score, or an empty string."""
    v = case.vitals
    parts = [
        f"HR {v.heart_rate:g}" if v.heart_rate is not None else "",
        f"RR {v.respiratory_rate:g}" if v.respiratory_rate is not None else "",
        f"BP {v.systolic:g}/{v.diastolic:g}" if v.systolic is not None and v.diastolic is not None else "",
        f"SBP {v.systolic:g}" if v.systolic is not None and v.diastolic is None else "",
        f"T {v.temperature:g}" if v.temperature is not None else "",
        f"SpO2 {v.spo2:g}" if v.spo2 is not None else "",
        v.consciousness if v.consciousness not in (None, "alert") else "",
        f"pain {v.pain:g}/10" if v.pain is not None else "",
    ]
    measured = ", ".join(p for p in parts if p)
    adult = (case.age_years or 0) >= 16 and not case.pregnant
    news = score_news2(v) if adult else None
    return measured + (f" (NEWS2 {news.score})" if news is not None and measured else "")


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


# --- Harmony ----------------------------------------------------------------------------------------


def _block(role: str, content: str, stop: str, channel: str = "", trained: bool = False) -> list[Piece]:
    """One Harmony message. A trained block trains all it contains, header and stop token included."""
    pieces = [Piece("<|start|>", True, trained), Piece(role, False, trained)]
    if channel:
        pieces += [Piece("<|channel|>", True, trained), Piece(channel, False, trained)]
    return [
        *pieces,
        Piece("<|message|>", True, trained),
        Piece(content, False, trained),
        Piece(stop, True, trained),
    ]


def _answer(message: Message) -> list[Piece]:
    """The last assistant turn as the model must produce it, after the supplied `<|start|>assistant`."""
    pieces = _block("assistant", message["content"], "<|return|>", "final", trained=True)
    if thinking := message.get("thinking"):
        pieces = _block("assistant", thinking, "<|end|>", "analysis", trained=True) + pieces
    return [piece._replace(trained=False) for piece in pieces[:2]] + pieces[2:]


def render_prompt(
    messages: Sequence[Message], *, date: str = PINNED_DATE, effort: str = "low", open_turn: bool = True
) -> list[Piece]:
    """System block, then the messages; `open_turn` ends with the header the model continues from.

    Earlier assistant turns keep only their final channel and end in `<|end|>`, as at inference.
    """
    system = (
        f"{IDENTITY}\nKnowledge cutoff: 2024-06\nCurrent date: {date}\n\nReasoning: {effort}\n\n"
        "# Valid channels: analysis, commentary, final. Channel must be included for every message."
    )
    pieces = _block("system", system, "<|end|>")
    for message in messages:
        role, content = message["role"], message["content"]
        if role == "developer":
            content = f"# Instructions\n\n{content}"
        pieces += _block(role, content, "<|end|>", "final" if role == "assistant" else "")
    return pieces + ([Piece("<|start|>", True, False), Piece("assistant", False, False)] if open_turn else [])


def render_turns(messages: Sequence[Message], **system: str) -> list[list[Piece]]:
    """One training example per assistant turn, each with its own analysis and `<|return|>`.

    Rendering a whole dialogue at once would train the earlier turns without analysis and without the stop
    token, and so teach the model to skip its reasoning and not to stop.
    """
    return [
        render_prompt(messages[:i], open_turn=False, **system) + _answer(message)  # type: ignore[arg-type]
        for i, message in enumerate(messages)
        if message["role"] == "assistant"
    ]


def encode_pieces(pieces: Sequence[Piece], tokenizer: Tokenizer) -> Tokens:
    """Token ids and loss mask. Content is encoded as plain text: a typed `<|return|>` stays text."""
    ids: list[int] = []
    mask: list[bool] = []
    for text, control, trained in pieces:
        new = [tokenizer.token_to_id(text)] if control else encode_plain(text, tokenizer)
        ids += new
        mask += [trained] * len(new)
    return Tokens(ids, mask)


def encode_plain(text: str, tokenizer: Tokenizer) -> list[int]:
    """Ids of plain text, control-token lookalikes included."""
    tokenizer.encode_special_tokens = True
    return tokenizer.encode(text, add_special_tokens=False).ids


def split_channels(ids: Sequence[int], tokenizer: Tokenizer) -> tuple[str, str]:
    """Read a generated turn back into (thinking, final text), whatever was left out."""
    names = {tokenizer.token_to_id(n): n for n in ("<|channel|>", "<|message|>", "<|start|>")}
    stops = {tokenizer.token_to_id(n) for n in ("<|end|>", "<|return|>", "<|call|>", "<|endoftext|>")}
    channels: dict[str, str] = {}
    channel, state, start = "final", "", 0
    for i, token in enumerate([*ids, -1]):
        name = names.get(token, "")
        if name or token in stops or token == -1:
            text = tokenizer.decode(list(ids[start:i]), skip_special_tokens=False)
            if state == "<|channel|>":
                channel = text.strip()
            elif state == "<|message|>":
                channels[channel] = channels.get(channel, "") + text
            state, start = name, i + 1
    return channels.get("analysis", ""), channels.get("final", "")
