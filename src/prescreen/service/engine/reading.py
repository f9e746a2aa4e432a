"""What a model answered, read as a draft or a question; what is wrong with it is told in the schema's words alone.

A model may repeat a patient in the name of a key, a server in an error: neither gets into a reason, for reasons are
shown, stored and logged. Knows no engine.
"""

from typing import Final

from pydantic import ValidationError

from prescreen.clinic.report import Consideration, Draft, Finding, HistoryReview
from prescreen.model.engine import Completion
from prescreen.service.engine.calling import Fault

LONGEST_QUESTION: Final = 400  # characters a patient may be shown
LEAKS: Final = ("<|", "<think>", "</think>", "assistantfinal")  # an analysis that got into the answer
FIELDS: Final = frozenset(
    name for kind in (Draft, HistoryReview, Finding, Consideration) for name in kind.model_fields
)


def read_draft(answer: Completion) -> Draft | str:
    """The draft, or in one sentence why it is none."""
    if answer.finish == "length":
        return Fault.CUT.value
    if leaks(answer.text):
        return f"{Fault.UNREADABLE.value} (its analysis stands in it)"
    try:
        return Draft.model_validate_json(answer.text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    if first["type"] == "json_invalid":
        return f"{Fault.UNREADABLE.value} (it is not whole JSON)"
    where = ".".join(str(part) if isinstance(part, int) or part in FIELDS else "a key" for part in first["loc"])
    return f"{Fault.UNREADABLE.value} ({where or 'text'}: {first['msg']})"


def read_question(answer: Completion) -> str | None:
    """One line a patient might be asked, or None where it is cut off, empty, too long or holds an analysis."""
    question = " ".join(answer.text.split())
    if answer.finish != "stop" or not 0 < len(question) <= LONGEST_QUESTION or leaks(question):
        return None
    return question


def ask_again(problem: str) -> str:
    """What is added to the instruction for the one repair."""
    return f"An earlier answer could not be used: {problem}. Answer again, with the whole report as JSON alone."


def leaks(text: str) -> bool:
    """Whether marks of an analysis channel stand in what should be the answer alone."""
    return any(mark in text for mark in LEAKS)
