"""Task "conversation": does a model take a history well from patients who answer only what they are asked?

All patients talk at once, one call of the engine a turn. A conversation ends when the model asks nothing more or
after twelve questions. Knows sheets, engines and what a good history is; knows no triage level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from prescreen.clinic.case import Case, Turn
from prescreen.evals.asking import ask_briefly
from prescreen.evals.concept import words_of
from prescreen.evals.patient import MORE, Sheet, answer_question, is_question, read_ward
from prescreen.evals.rate import Measure, bootstrap_mean
from prescreen.evals.task import Found, Item, Verdict, count_items
from prescreen.model.prompt import dialogue_messages

if TYPE_CHECKING:
    from prescreen.model.engine import Engine

MAX_TURNS, FLAGS_BY = 12, 8
ALIKE = 0.8  # shared words of two questions from which on they are the same
HARMS = frozenset({"premature_closure", "questions_repeated"})
Topics = Mapping[str, Sequence[str]]


class Exchange(NamedTuple):
    """A question, its answer, the facts it brought, and why it is a repeat where it is one."""

    question: str
    answer: str
    told: tuple[str, ...]
    topics: tuple[str, ...]
    repeated: str


@dataclass
class Talk:
    """One conversation under way."""

    sheet: Sheet
    topics: Topics
    exchanges: list[Exchange] = field(default_factory=list)
    last: str = ""
    error: str = ""
    is_open: bool = True

    def told(self, by: int = MAX_TURNS) -> dict[str, int]:
        """Facts told within so many questions, each with the number of the first question that brought it."""
        found: dict[str, int] = {}
        for number, exchange in enumerate(self.exchanges[:by], start=1):
            for topic in exchange.told:
                found.setdefault(topic, number)
        return found

    def to_case(self) -> Case:
        """The conversation so far, as the model is shown it."""
        turns = [Turn(speaker="patient", text=self.sheet.opening)]
        for exchange in self.exchanges:
            turns += [
                Turn(speaker="assistant", text=exchange.question),
                Turn(speaker="patient", text=exchange.answer),
            ]
        return Case(
            id=self.sheet.id,
            patient_id=self.sheet.id,
            source="simulated patient",
            licence="Apache-2.0 (project)",
            complaint=self.sheet.opening,
            turns=tuple(turns),
        )


def run_conversation(engine: "Engine", seed: int) -> Found:
    """The project's own patients."""
    ward = read_ward()
    talks = hold_talks(engine, [Talk(sheet, ward.topics) for sheet in ward.patients])
    items = [item for talk in talks for item in judge_talk(talk)]
    lengths = [len(talk.exchanges) for talk in talks if not talk.error]
    asked = Measure(bootstrap_mean(lengths, seed=seed))
    return Found(count_items(items, HARMS) | {"questions_asked": asked}, items)


def hold_talks(engine: "Engine", talks: list[Talk]) -> list[Talk]:
    """Every patient's conversation to its end."""
    for _ in range(MAX_TURNS):
        running = [talk for talk in talks if talk.is_open]
        if not running:
            break
        replies = ask_briefly(engine, [dialogue_messages(talk.to_case()) for talk in running])
        for talk, reply in zip(running, replies, strict=True):
            talk.last = " ".join(reply.text.split())
            talk.error = (reply.error or "the engine failed") if reply.finish == "error" else ""
            talk.is_open = not talk.error and is_question(talk.last)
            if talk.is_open:
                talk.exchanges.append(take_turn(talk, talk.last))
    return talks


def take_turn(talk: Talk, question: str) -> Exchange:
    """The patient's answer, and whether the question was put before."""
    answer = answer_question(talk.sheet, talk.topics, question, set(talk.told()))
    repeated = find_repeat(talk.exchanges, question, answer.topics)
    return Exchange(question, answer.text, answer.told, answer.topics, repeated)


def find_repeat(before: Sequence[Exchange], question: str, topics: Sequence[str]) -> str:
    """Why a question repeats earlier ones: the same words, or nothing but topics that were answered; else empty."""
    words = words_of(question)
    for exchange in before:
        other = words_of(exchange.question)
        if exchange.question == question or (words and len(words & other) >= ALIKE * len(words | other)):
            return f"as before: {exchange.question}"
    answered = {topic for exchange in before for topic in exchange.told}
    named = [topic for topic in topics if topic != MORE]
    return f"already answered: {', '.join(named)}" if named and answered.issuperset(named) else ""


def judge_talk(talk: Talk) -> list[Item]:
    """Every judged item of one conversation; after a crash what was not asked is the crash's."""
    sheet, told = talk.sheet, talk.told()
    early = talk.told(FLAGS_BY)
    missed: Verdict = "errored" if talk.error else "wrong"
    items = []
    for topic, fact in sheet.facts.items():
        verdict: Verdict = "right" if topic in told else missed
        why = f"question {told[topic]}" if topic in told else talk.error or "never asked"
        items.append(Item(f"{sheet.id}:{topic}", "facts_obtained", verdict, topic, fact, why))
    for topic in sheet.must_ask:
        verdict = "right" if topic in early else missed
        why = f"question {told[topic]}" if topic in told else talk.error or "never asked"
        items.append(Item(f"{sheet.id}:{topic}", "red_flags_asked", verdict, topic, sheet.facts[topic], why))
    for number, exchange in enumerate(talk.exchanges, start=1):
        verdict = "right" if exchange.repeated else "wrong"
        name, said = f"{sheet.id}:{number}", (exchange.question, exchange.answer, exchange.repeated)
        items.append(Item(name, "questions_repeated", verdict, *said))
    if sheet.must_ask:
        items.append(_judge_closure(talk, [topic for topic in sheet.must_ask if topic not in told]))
    return items


def _judge_closure(talk: Talk, unasked: Sequence[str]) -> Item:
    """Premature: the model stopped of its own accord with a red flag unasked."""
    stopped = len(talk.exchanges) < MAX_TURNS
    verdict: Verdict = "errored" if talk.error else "right" if stopped and unasked else "wrong"
    why = f"stopped without asking about {', '.join(unasked)}" if verdict == "right" else talk.error
    asked = f"{len(talk.exchanges)} questions"
    return Item(talk.sheet.id, "premature_closure", verdict, asked, talk.last, why)
