"""One interview as a value: a state and an answer in, the next state and its page out.

    state = begin("es", visit_id, Settings(year=2027))
    step = next_step(state)                       # a page, all texts in the patient's language
    state, alerts, errors = answer(state, values, step.id)

Never raises for what a patient sends, never waits for a model, never lowers what was once raised. Knows no web and
no SQL; times, sessions and who may answer are the caller's.
"""

from typing import TYPE_CHECKING

from pydantic import ValidationError

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn
from prescreen.errors import InputError
from prescreen.intake import follow_up, watch
from prescreen.intake.languages import catalogue, say
from prescreen.intake.measures import MEASURES
from prescreen.intake.pages import make_step
from prescreen.intake.plan import DONE, MORE, REVIEW, current_step, list_unasked, plan_steps
from prescreen.intake.reading import Raw, clean_text, free_text, read_answer
from prescreen.intake.record import english_question, make_case, speaker_of, statements
from prescreen.intake.state import Answered, Given, Interview, Problem, Settings, Step
from prescreen.intake.tongue import could_be

if TYPE_CHECKING:
    from prescreen.model.harmony import Message


_ENGLISH_NAMES = {"es": "Spanish", "ar": "Arabic", "de": "German"}


def begin(language: str, visit_id: str, settings: Settings) -> Interview:
    """An interview with nothing asked yet; InputError names the languages there are."""
    catalogue(language)
    return Interview(visit_id=visit_id, language=language, settings=settings)


def resume(saved: str) -> Interview:
    """A state as it was saved; InputError for one that cannot be read quotes nothing of it."""
    try:
        return Interview.model_validate_json(saved)
    except ValidationError:
        problem = "a saved interview cannot be read by this version; let a person talk to the patient instead"
        raise InputError(problem) from None


def switch_language(state: Interview, language: str) -> Interview:
    """The same interview in another language; what was answered stays as it is."""
    catalogue(language)
    return state.change(language=language)


def next_step(state: Interview) -> Step:
    """The page to show now; the same for the same state, however often and wherever it is asked."""
    return make_step(state)


def answer(state: Interview, values: Raw, step: str | None = None) -> Answered:
    """Take what a page sent. `step` is the page that sent it: a page that is not part of this interview, or comes
    after its end, changes nothing. Words that cannot be taken as they stand are still watched for danger."""
    asked = step or current_step(state)
    if state.ended or asked == DONE or asked not in plan_steps(state):
        return Answered(state, (), (_problem(state, "", "error.stale", 0),))
    if asked == REVIEW:
        return _confirm(state, values)
    if asked != current_step(state) and not state.has(asked):
        return Answered(state, (), (_problem(state, "", "error.stale", 0),))
    read = read_answer(state, asked, values)
    told = _put(state, Given(step=asked, values=read.values))
    new = watch.watch(told, asked)
    if read.problems:
        kept = state.change(alerts=(*state.alerts, *new), retried=(*state.retried, *_odd(read.problems)))
        return Answered(kept, new, tuple(_problem(state, *problem) for problem in read.problems))
    return Answered(told.change(alerts=(*state.alerts, *new)), new, ())


def go_back(state: Interview) -> Interview:
    """The page before the one that is shown; its answer stands in it."""
    steps, here = plan_steps(state), current_step(state)
    if here == DONE:
        return state
    before = [step for step in steps[: steps.index(here)] if state.has(step)]
    return state.change(at=before[-1]) if before else state


def change_answer(state: Interview, step: str) -> Interview:
    """Back to one answered page, from the read-back; the others stay as they are."""
    return state.change(at=step) if not state.ended and state.has(step) and step in plan_steps(state) else state


def opt_out(state: Interview) -> Interview:
    """The patient wants a person instead. What was said so far stays, with its alerts."""
    return state if state.ended else state.change(opted_out=True, at=None)


def end(state: Interview) -> Interview:
    """The state as it is shown where somebody else has ended the questions: nothing more is asked."""
    return state if state.ended else state.change(reviewed=True, at=None)


def wants_model(state: Interview) -> bool:
    """Whether a question of the model would be asked now."""
    return follow_up.wants_model(state)


def model_messages(state: Interview) -> "list[Message]":
    """The conversation as the model was trained to read it: patients' words only ever stand in user turns.

    The complaint and the last exchanges (`recall`) are what a small model can use; a long script makes it write a
    report instead of a question.
    """
    from prescreen.model.prompt import dialogue_messages

    case = make_case(state)
    developer, *talk = dialogue_messages(case)
    first, last = talk[: -2 * state.settings.recall], talk[-2 * state.settings.recall :]
    opening: list[Message] = [{"role": "user", "content": case.complaint}] if first else []
    if opening and last[0]["role"] == "user":
        last = last[1:]
    messages = [developer, *opening, *last]
    for message in messages:
        if message["role"] == "user":
            message["content"] = message["content"].replace("<|", "< |").replace("|>", "| >")
    if name := _ENGLISH_NAMES.get(state.language):
        messages[0]["content"] += f" Ask in {name}."
    return messages


def offer_question(state: Interview, text: str) -> Interview:
    """Add the model's question if it may be asked; otherwise only count that it was refused."""
    tidy = clean_text(text)
    if not wants_model(state):
        return state
    if follow_up.why_refused(state, tidy):
        return state.change(refused=state.refused + 1)
    return state.change(offered=(*state.offered, tidy))


def to_case(state: Interview) -> Case:
    """The interview so far as a case."""
    return make_case(state)


def unasked(state: Interview) -> tuple[str, ...]:
    """What a nurse must know was not asked or not answered, in English."""
    return list_unasked(state)


def floor(state: Interview) -> Acuity:
    """The least level of this case in the queue; LOW says only that nothing raises it."""
    return watch.floor(state)


def _put(state: Interview, given: Given) -> Interview:
    """The state with one answer, in its place; an earlier answer that says otherwise is kept as withdrawn."""
    old = next((g for g in state.given if g.step == given.step), None)
    others = tuple(given if g.step == given.step else g for g in state.given)
    words = free_text(given.step, given.values)
    unread = bool(words) and not (state.language == "en" and could_be(words, "en"))
    return state.change(
        given=others if old else (*state.given, given),
        withdrawn=(*state.withdrawn, *(_turns(state, old) if old and old != given else ())),
        unread_text=state.unread_text or unread,
        at=None,
    )


def _turns(state: Interview, given: Given) -> tuple[Turn, ...]:
    said = [Turn(speaker=speaker_of(state), text=text) for text in statements(given)]
    question = english_question(state, given.step)
    return (Turn(speaker="assistant", text=question), *said) if said and question else ()


def _confirm(state: Interview, values: Raw) -> Answered:
    read = read_answer(state, REVIEW, values)
    if any(not state.has(step) for step in plan_steps(state) if step != REVIEW and not step.startswith(MORE)):
        return Answered(state, (), (_problem(state, "", "error.stale", 0),))
    if read.problems:
        return Answered(state, (), tuple(_problem(state, *problem) for problem in read.problems))
    return Answered(state.change(reviewed=True, at=None), (), ())


def _odd(problems: tuple[tuple[str, str, int], ...]) -> tuple[str, ...]:
    fields = {measure.field for measure in MEASURES}
    return tuple(field for field, key, _ in problems if key == "error.implausible" and field in fields)


def _problem(state: Interview, field: str, key: str, limit: int) -> Problem:
    return Problem(field, key, say(state.language, key, limit=limit))
