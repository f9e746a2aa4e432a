"""Dialogue: a scenario put into words as a conversation, a nurse's note or the request's two fields.

Knows frames and who speaks. Every span it quotes as evidence stands verbatim in what it wrote.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from prescreen.clinic.case import Case, Turn
from prescreen.data.scenario import Scenario
from prescreen.data.speech import PRONOUNS, capitalise, fill, find_span, join_words, retell, take_quotes
from prescreen.data.tables import Tables

Frames = Mapping[str, list[str]]
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]


@dataclass
class Talk:
    """What was said so far, and for each symptom the span that shows it."""

    complaint: str = ""
    turns: list[Turn] = field(default_factory=list)
    quotes: dict[str, str] = field(default_factory=dict)
    timed: bool = False


class Voice(NamedTuple):
    """Everything needed to choose words for one scenario."""

    rng: random.Random
    tables: Tables
    frames: Frames
    scenario: Scenario

    def pick(self, name: str, kin: bool = False) -> str:
        """A frame; relatives have their own where the list exists."""
        key = f"kin_{name}" if kin and f"kin_{name}" in self.frames else name
        return self.rng.choice(self.frames[key])

    def clause(self, symptom: str) -> str:
        """One lay wording, in the speaker's person."""
        lay = self.rng.choice(self.tables.symptoms[symptom].lay)
        return retell(lay, self.scenario.sex) if self.scenario.relative else lay

    def asked(self, symptom: str) -> str:
        """The symptom as a question names it."""
        return self.tables.symptoms[symptom].ask

    def ago(self) -> str:
        """When it began, in spoken words."""
        duration = self.scenario.duration
        assert duration is not None
        spell = duration.number < len(NUMBERS) and self.rng.random() < 0.3
        number = NUMBERS[duration.number] if spell else str(duration.number)
        return f"{number} {duration.long.split()[1]} ago"


def age_words(age: float) -> str:
    """Such as "9-week-old", "7-month-old" or "54-year-old"."""
    if age < 0.25:
        return f"{round(age * 52)}-week-old"
    return f"{round(age * 12)}-month-old" if age < 2 else f"{age:.0f}-year-old"


def _draw_kin(voice: Voice) -> str:
    scenario = voice.scenario
    female = scenario.sex == "female"
    if scenario.age < 16:
        child = "daughter" if female else "son"
        return f"{age_words(scenario.age)} {child}" if scenario.age < 6 else child
    pairs = [("sister", "brother"), ("wife", "husband")] if scenario.age >= 21 else [("sister", "brother")]
    if scenario.age >= 50:
        pairs = [("mother", "father"), ("wife", "husband")]
    if scenario.pregnant:
        pairs = [("wife", "wife")]
    return voice.rng.choice(pairs)[0 if female else 1]


def _open(voice: Voice, talk: Talk, first: list[str]) -> None:
    """The opening words: one or two symptoms, sometimes when it began, sometimes a worry."""
    rng, scenario, kin = voice.rng, voice.scenario, voice.scenario.relative
    clauses = [voice.clause(s) for s in first]
    slots = dict(zip("ab", clauses, strict=False)) | PRONOUNS[scenario.sex]
    if kin:
        slots["kin"] = _draw_kin(voice)
    parts = [
        rng.choice(voice.frames["greet"]),
        fill(voice.pick("open_two" if len(first) > 1 else "open_one", kin), **slots),
    ]
    if scenario.duration and rng.random() < 0.6:
        parts.append(fill(voice.pick("tail", kin), ago=voice.ago()))
        talk.timed = True
    if rng.random() < 0.2:
        parts.append(fill(voice.pick("minimise" if kin else "worry"), **PRONOUNS[scenario.sex]))
    talk.complaint = " ".join(p for p in parts if p)
    for symptom, clause in zip(first, clauses, strict=True):
        talk.quotes[symptom] = find_span(talk.complaint, clause)


def _exchange(voice: Voice, talk: Talk, question: str, answer: str) -> None:
    speaker = "relative" if voice.scenario.relative else "patient"
    talk.turns += [Turn(speaker="assistant", text=question), Turn(speaker=speaker, text=answer)]


def _confirm(voice: Voice, talk: Talk, symptom: str, direct: bool) -> None:
    """A question whose answer tells a symptom that is there."""
    kin, clause = voice.scenario.relative, voice.clause(symptom)
    pronouns = PRONOUNS[voice.scenario.sex]
    if direct:
        question = fill(voice.pick("ask", kin), x=voice.asked(symptom), **pronouns)
        answer = fill(voice.pick("confirm"), a=clause)
    else:
        used = {t.text for t in talk.turns}
        fresh = [f for f in voice.frames["ask_more"] if f not in used] or voice.frames["ask_more"]
        question, answer = voice.rng.choice(fresh), fill(voice.pick("more"), a=clause)
    _exchange(voice, talk, question, answer)
    talk.quotes[symptom] = find_span(answer, clause)


def _deny(voice: Voice, talk: Talk, symptoms: list[str]) -> None:
    """A question about one or two symptoms and an answer that names what is not there."""
    kin, two = voice.scenario.relative, len(symptoms) == 2
    slots = {"x": voice.asked(symptoms[0])} | ({"y": voice.asked(symptoms[1])} if two else {})
    question = fill(voice.pick("ask_two" if two else "ask", kin), **slots, **PRONOUNS[voice.scenario.sex])
    answer, spans = take_quotes(fill(voice.pick("deny_two" if two else "deny", kin), **slots))
    _exchange(voice, talk, question, answer)
    talk.quotes.update(zip(symptoms, spans, strict=True))


def _add_noise(voice: Voice, talk: Talk) -> None:
    """Small talk, and relatives who play it down: the level does not change for either."""
    rng = voice.rng
    answers = [i for i, t in enumerate(talk.turns) if t.speaker != "assistant"]
    if answers and rng.random() < 0.2:
        at = rng.choice(answers)
        talk.turns[at] = talk.turns[at].model_copy(
            update={"text": f"{talk.turns[at].text} {voice.pick('chatter')}"}
        )
    if answers and rng.random() < 0.15:
        said = fill(voice.pick("minimise"), **PRONOUNS[voice.scenario.sex])
        talk.turns.insert(rng.choice(answers) + 1, Turn(speaker="relative", text=said))


def tell_talk(voice: Voice) -> Talk:
    """A conversation: opening, then questions, alarm symptoms first."""
    rng, scenario, symptoms = voice.rng, voice.scenario, voice.tables.symptoms
    talk = Talk()
    weighty = list(scenario.present[: len(scenario.condition.keys) + bool(scenario.modifier)])
    first = [s for s in weighty if symptoms[s].kind != "told"] or weighty
    first = rng.sample(first, min(len(first), 2 if rng.random() < 0.5 else 1))
    if len(scenario.present) + len(scenario.denied) - len(first) < 2:
        first = first[:1]
    _open(voice, talk, first)
    rest = [s for s in scenario.present if s not in first]
    denied = rng.sample(scenario.denied, len(scenario.denied))
    asks = [[s] for s in rest]
    if len(denied) > 1 and (rng.random() < 0.4 or len(rest) + len(denied) > 5):
        asks.append([denied.pop(), denied.pop()])
    asks += [[s] for s in denied]
    rng.shuffle(asks)
    for group in sorted(asks, key=lambda g: not any(symptoms[s].alarm for s in g)):
        if group[0] in scenario.denied:
            _deny(voice, talk, group)
        else:
            _confirm(voice, talk, group[0], symptoms[group[0]].kind != "told" and rng.random() < 0.75)
    if scenario.duration and not talk.timed and rng.random() < 0.6 and len(asks) < 6:
        _exchange(voice, talk, voice.pick("ask_when"), fill(voice.pick("when"), ago=voice.ago()))
        talk.timed = True
    _add_noise(voice, talk)
    return talk


def tell_note(voice: Voice) -> Talk:
    """A nurse's shorthand: everything in one line."""
    rng, scenario, frames = voice.rng, voice.scenario, voice.frames
    talk = Talk()
    items = []
    for symptom in scenario.present:
        talk.quotes[symptom] = voice.tables.symptoms[symptom].note or voice.tables.symptoms[symptom].name
        items.append(talk.quotes[symptom])
    if scenario.duration and rng.random() < 0.75:
        duration = scenario.duration
        items.insert(1, rng.choice(frames["note_time"]).format(short=f"{duration.number} {duration.short}"))
        talk.timed = True
    for symptom in scenario.denied:
        talk.quotes[symptom] = rng.choice(frames["note_nil"]).format(x=voice.asked(symptom))
        items.append(talk.quotes[symptom])
    age = age_words(scenario.age)
    short = f"{scenario.age:.0f}" if scenario.age >= 2 else age.removesuffix("-old").replace("-", "")
    slots = {"age": short, "S": scenario.sex[0].upper(), "sex": scenario.sex, "items": ", ".join(items)}
    old = age.removesuffix("-old") if scenario.age < 2 else f"{short}{rng.choice((' y/o', 'yo'))}"
    talk.complaint = rng.choice(frames["note"]).format(old=old, **slots)
    return talk


def tell_fields(voice: Voice) -> Talk:
    """The request's own style: "Complains of X and Y." beside a sentence of history."""
    rng, scenario, frames = voice.rng, voice.scenario, voice.frames
    talk = Talk()
    told = {s: voice.tables.symptoms[s] for s in scenario.present}
    nouns = [s for s in told if told[s].kind == "symptom"]
    parts = []
    if nouns:
        frame, time = rng.choice(frames["fields"]), ""
        if "{time}" in frame and scenario.duration:
            time = rng.choice(frames["fields_time"]).format(long=scenario.duration.long)
            talk.timed = True
        parts.append(frame.format(items=join_words([told[s].name for s in nouns]), time=time))
    parts += [capitalise(told[s].name) + "." for s in told if s not in nouns]
    talk.complaint = " ".join(parts)
    for symptom in told:
        talk.quotes[symptom] = find_span(talk.complaint, told[symptom].name)
    for symptom in scenario.denied:
        said, spans = take_quotes(fill(rng.choice(frames["fields_nil"]), x=voice.asked(symptom)))
        talk.complaint += f" {said}"
        talk.quotes[symptom] = spans[0]
    return talk


TELLERS = {"talk": tell_talk, "note": tell_note, "fields": tell_fields}


class Question(NamedTuple):
    """A conversation cut before one of its own questions."""

    case: Case
    question: str


def next_questions(case: Case) -> Iterator[Question]:
    """Every point at which the assistant asked, with what it asked; red-flag questions stand first in a case."""
    bare = case.label.model_copy(update={"draft": None}) if case.label else None
    for position, turn in enumerate(case.turns):
        if turn.speaker == "assistant":
            update = {"id": f"{case.id}-q{position}", "turns": case.turns[:position], "label": bare}
            yield Question(case.model_copy(update=update), turn.text)


def next_question(case: Case) -> Question | None:
    """The first question of a case's conversation, or None when it has no turns."""
    return next(next_questions(case), None)
