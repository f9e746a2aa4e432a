"""The interview as a `Case`: our questions in English, the patient's own words verbatim, choices as statements.

A choice is recorded in the words the red-flag rules read. "No" is recorded as "Answered: no." and makes no
statement, so that a denied list of signs cannot be misread as one of them; "Not sure." makes none either.
"""

from collections.abc import Iterator
from typing import Literal

from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.intake.measures import read_home, tell_home
from prescreen.intake.plan import MORE, NOT_SURE, OTHER_AREA, age_of, plan_steps, who_of
from prescreen.intake.reading import NAME_WORDS
from prescreen.intake.script import load_script
from prescreen.intake.state import Given, Interview

ASK = {
    "pregnant": "Is the patient pregnant?",
    "complaint": "What is the problem today?",
    "area": "Which area is it mostly about?",
    "onset": "When did it start, and how is it now?",
    "measures": "Which measurements were taken at home?",
}
_NO, _NONE, _UNSURE = "Answered: no.", "Answered: none of these.", "Not sure."
_PREGNANT = {"yes": "Pregnant.", "birth": "Gave birth within the last six weeks.", "no": _NO, NOT_SURE: _UNSURE}
_START = {
    "hour": "Started within the last hour.",
    "today": "Started today.",
    "days": "Started in the last three days.",
    "week": "Started in the last week.",
    "longer": "Started more than a week ago.",
}
_COURSE = {
    "better": "Getting better.",
    "same": "Stays the same.",
    "worse": "Getting worse.",
    "waves": "Comes and goes.",
}


def english_question(state: Interview, step: str) -> str:
    """How the record puts the question of a page."""
    script = load_script()
    if step == "screen":
        return f"Which of these are there now: {'; '.join(box.ask for box in script.screen)}?"
    if step.startswith(MORE):
        return state.offered[int(step.removeprefix(MORE)) - 1]
    return script.by_id[step].ask if step in script.by_id else ASK.get(step, "")


def statements(given: Given) -> Iterator[str]:
    """What the answer to a page says, one utterance after the other; own words come as they were written."""
    values, script = given.values, load_script()
    if given.step == "pregnant":
        yield from (_PREGNANT[v] for v in values.get("pregnant", ()))
    elif given.step == "complaint":
        yield from values.get("complaint", ())
    elif given.step == "screen":
        signs = values.get("signs", ())
        yield from (box.states for box in script.screen if box.id in signs)
        yield from (_NONE for v in signs if v == "none")
        yield from (_UNSURE for v in signs if v == NOT_SURE)
    elif given.step == "area":
        yield from (f"Chosen: {v}." for v in values.get("area", ()) if v != OTHER_AREA)
    elif given.step == "onset":
        told = [_START[v] for v in values.get("start", ())] + [_COURSE[v] for v in values.get("course", ())]
        told += [f"Pain {v} out of 10." for v in values.get("pain", ())]
        yield from filter(None, (" ".join(told), *values.get("words", ())))
    elif given.step == "measures":
        yield from filter(None, (tell_home(values),))
    elif given.step.startswith(MORE):
        yield from values.get("more", ())
    elif given.step in script.by_id:
        answers = {"yes": script.by_id[given.step].states, "no": _NO, NOT_SURE: _UNSURE}
        yield from (answers[v] for v in values.get("sign", ()))


def speaker_of(state: Interview) -> Literal["patient", "relative"]:
    """Whose words these are: an interpreter's count as a relative's."""
    return "patient" if state.first("about", "who") in ("", "self") else "relative"


def make_turns(state: Interview) -> Iterator[Turn]:
    """The conversation: the complaint, which opens it, then the pages in their order."""
    by_step = {given.step: given for given in state.given}
    if "complaint" in by_step:
        yield from (Turn(speaker=speaker_of(state), text=text) for text in statements(by_step.pop("complaint")))
    for step in plan_steps(state):
        if step in by_step and (question := english_question(state, step)):
            said = list(statements(by_step[step]))
            if said:
                yield Turn(speaker="assistant", text=question)
            yield from (Turn(speaker=speaker_of(state), text=text) for text in said)


def make_case(state: Interview) -> Case:
    """The interview so far. `patient_id` is the visit's id until the caller puts the patient's in its place."""
    who, lists = who_of(state), {name: history_list(state, name) for name in HISTORY}
    pain = state.first("onset", "pain")
    return Case(
        id=state.visit_id,
        patient_id=state.visit_id,
        source="intake",
        licence="the clinic's own",
        language=state.language,
        age_years=age_of(state),
        sex=who.sex,  # type: ignore[arg-type]  # read_answer takes no other value
        pregnant=who.pregnant,
        history_text=_stories(lists),
        complaint=state.first("complaint", "complaint"),
        vitals=Vitals(**read_home(state.values("measures")), pain=float(pain) if pain else None),
        turns=tuple(make_turns(state)),
        **lists,
    )


HISTORY = ("conditions", "medications", "allergies")


def history_list(state: Interview, name: str) -> tuple[str, ...] | None:
    """What was written, item by item; () when there is none, None when that was not told."""
    values = state.values("history")
    if items := values.get(name, ()):
        return items
    return () if values.get(f"{name}_none") else None


def _stories(lists: dict[str, tuple[str, ...] | None]) -> str:
    """Items that are whole sentences: a danger sign may hide in the box for medicines."""
    return "\n".join(item for items in lists.values() for item in items or () if len(item.split()) > NAME_WORDS)
