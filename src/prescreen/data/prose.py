"""Prose: plain text for continued pre-training, medical from our tables and general from everyday templates.

Every text has its split's own sentence frames; a held-out condition never appears in a train text.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from prescreen.clinic.acuity import Acuity
from prescreen.config import read_yaml
from prescreen.data.dialogue import Voice, age_words, tell_talk
from prescreen.data.scenario import deal, draw_scenario
from prescreen.data.speech import capitalise, fill, join_words
from prescreen.data.tables import FOLDER, Condition, Split, Tables, load_tables

Frames = Mapping[str, list[str]]
MIN_WORDS = 60


@cache
def load_prose() -> dict[str, Any]:
    """Frames of medical prose."""
    return read_yaml(FOLDER / "prose.yaml")


@cache
def load_general() -> dict[str, Any]:
    """Slots and topics of general prose."""
    return read_yaml(FOLDER / "general.yaml")


class Writer:
    """Writes medical paragraphs for one split; holds the tables, the frames and the chance."""

    def __init__(self, rng: random.Random, tables: Tables, split: Split) -> None:
        self.rng, self.tables, self.split = rng, tables, split
        self.frames: Frames = load_prose()[split]
        self.waits: dict[str, str] = load_prose()["waits"]
        self.conditions = [c for c in tables.conditions.values() if not (split == "train" and c.held_out)]

    def say(self, frame: str, **slots: str) -> str:
        """One sentence from a random frame; each slot also exists with a capital letter."""
        upper = {key.capitalize(): capitalise(value) for key, value in slots.items()}
        return fill(self.rng.choice(self.frames[frame]), **upper, **slots)

    def name(self, keys: list[str], limit: int = 3) -> str:
        """Some symptoms as nouns, joined."""
        chosen = [self.tables.symptoms[k] for k in keys[:limit]]
        return join_words([s.name if s.kind == "symptom" else s.ask for s in chosen])

    def asked(self, keys: list[str], last: str = "and") -> str:
        """The same as a question names them."""
        return join_words([self.tables.symptoms[k].ask for k in keys[:3]]).replace(" and ", f" {last} ")

    def condition_text(self, condition: Condition) -> str:
        """Features, urgency, look-alike and what to do, in a shuffled choice of sentences."""
        rng, level = self.rng, condition.acuity.value
        lays = rng.sample(self.tables.symptoms[rng.choice(condition.keys)].lay, 2)
        alike = condition.alike
        reason = condition.why[0].lower() + condition.why[1:]
        body = [
            self.say("quote", lay=lays[0], lay2=lays[1]),
            self.say("ask", asks=self.asked(condition.asks)),
            self.say("time", level=level, wait=self.waits[level]),
            self.say("alike", alike=alike.name, points=alike.points, against=alike.against),
            self.say("steps", steps=join_words(condition.steps)),
        ]
        if condition.ages[0] >= 1:
            body.append(self.say("who", low=f"{condition.ages[0]:.0f}", high=f"{condition.ages[1]:.0f}"))
        if condition.options:
            body.append(self.say("some", opts=self.name(list(condition.options))))
        for name, to in list(condition.step_up.items())[:2]:
            body.append(self.say("rise", flag=self.tables.modifiers[name].flag, to=to.value))
        first = [self.say("define", name=condition.name, keys=self.name(condition.keys))]
        if condition.denies:
            first.append(self.say("denied", denies=self.asked(condition.denies, "or")))
        first.append(self.say("level", level=level, why=condition.why, reason=reason))
        return " ".join([*first, *rng.sample(body, rng.randint(3, len(body)))])

    def lexicon_text(self, condition: Condition) -> str:
        """What people say and what the nurse writes, for a few symptoms; language is shared by all splits."""
        chosen = self.rng.sample(list(self.tables.symptoms), 3)
        chosen.append(self.rng.choice([k for k in condition.keys if k not in chosen] or chosen[:1]))
        sentences = []
        for key in dict.fromkeys(chosen):
            symptom = self.tables.symptoms[key]
            sentences.append(self.say("word", lay=self.rng.choice(symptom.lay), sym=symptom.name))
            if symptom.kind == "symptom":
                sentences.append(self.say("alarm" if symptom.alarm else "calm", sym=symptom.name))
        return " ".join(sentences)

    def note_text(self, condition: Condition) -> str:
        """A short clinical note about one invented patient, modifiers included."""
        step = self.rng.choice(list(condition.step_up)) if condition.step_up and self.rng.random() < 0.25 else ""
        scenario = draw_scenario(self.rng, self.tables, condition, step)
        talk = tell_talk(Voice(self.rng, self.tables, self.tables.frames[self.split], scenario))
        told = [self.tables.symptoms[s].name for s in scenario.present]
        time = f", for {scenario.duration.long}" if scenario.duration else ""
        denied = f" No {self.asked(list(scenario.denied), 'or')}." if scenario.denied else ""
        why = condition.why + (f"; raised by {scenario.modifier.flag}" if scenario.modifier else "")
        return self.say(
            "note",
            said=talk.complaint,
            quote=self.rng.choice([talk.quotes[s] for s in scenario.present]),
            summary=f"{age_words(scenario.age)} {scenario.sex}, {', '.join(told)}{time}.",
            denies=denied,
            name=condition.name,
            level=scenario.acuity.value,
            why=why,
            steps=join_words(condition.steps),
        )

    def list_text(self, condition: Condition) -> str:
        """Two conditions of each level side by side, and why the first is where it is."""
        chosen = {
            level.value: [c.name for c in self.rng.sample([c for c in self.conditions if c.acuity is level], 2)]
            for level in Acuity
        }
        level = condition.acuity.value
        if condition.name not in chosen[level]:
            chosen[level][0] = condition.name
        why = self.say("level", level=level, why=condition.why, reason=condition.why[0].lower() + condition.why[1:])
        ranked = self.say("list", **{key: join_words(names) for key, names in chosen.items()})
        return f"{ranked} {capitalise(condition.name)}: {why}"


KINDS: dict[str, Callable[[Writer, Condition], str]] = {
    "condition": Writer.condition_text,
    "lexicon": Writer.lexicon_text,
    "note": Writer.note_text,
    "list": Writer.list_text,
}


def medical_texts(seed: int, count: int, split: Split) -> Iterator[dict[str, str]]:
    """`count` short medical paragraphs {id, text, kind}; conditions, words, notes, rankings."""
    rng = random.Random(f"medical/{seed}/{split}")
    writer = Writer(rng, load_tables(), split)
    turn = deal(rng, writer.conditions)
    for index in range(count):
        kind = rng.choices(list(KINDS), [0.4, 0.2, 0.3, 0.1])[0]
        yield {
            "id": f"med-{split}-{seed}-{index:05d}",
            "text": KINDS[kind](writer, next(turn)),
            "kind": "medical",
        }


def _write_topic(rng: random.Random, slots: Mapping[str, list[str]], topic: list[list[str]]) -> str:
    """One pass over a topic with fresh slot values; numbers agree with each other."""
    values = {key: rng.choice(options) for key, options in slots.items()}
    n, m = rng.randint(12, 60), rng.randint(2, 11)
    values |= {"n": str(n), "m": str(m), "sum": str(n + m), "diff": str(n - m), "prod": str(n * m)}
    text = " ".join(fill(rng.choice(group), **values) for group in topic)
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)


def general_texts(seed: int, count: int, split: Split) -> Iterator[dict[str, str]]:
    """`count` everyday paragraphs {id, text, kind} of 60 to 200 words, nothing medical in them."""
    rng = random.Random(f"general/{seed}/{split}")
    tables = load_general()
    topics = deal(rng, list(tables[split].values()))
    for index in range(count):
        text = _write_topic(rng, tables["slots"], next(topics))
        while len(text.split()) < MIN_WORDS:
            text += "\n" + _write_topic(rng, tables["slots"], next(topics))
        yield {"id": f"gen-{split}-{seed}-{index:05d}", "text": text, "kind": "general"}
