"""Simulated patients: fact sheets that answer what a question asks about, the same way every time.

A question is about a topic when all word beginnings of one of the topic's cues stand in it. Knows words and sheets;
knows no model and no metric.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError, model_validator

from prescreen.clinic.acuity import Acuity
from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError

SHEETS = Path(__file__).with_name("probes") / "conversation.yaml"
MORE = "more"  # the topic of an open question
AT_ONCE = 2  # facts told in one answer, however many were asked for
LOST = "Sorry, I do not understand what you mean."
UNSURE = "I could not say."
NOTHING_MORE = "No, nothing else."
WORD = re.compile(r"[a-z0-9]+")
REQUEST = re.compile(r"\?|\b(tell|describe|explain|go on|need to know)\b", re.IGNORECASE)
_WHOLE = 3  # parts of a cue up to this length are whole words or their plural


class Sheet(Strict):
    """One patient: the opening words, what each topic would bring to light, and what may not stay unasked."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    level: Acuity | None = None
    opening: str = Field(min_length=8)
    must_ask: tuple[str, ...] = ()
    facts: dict[str, str] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_answer_what_must_be_asked(self) -> "Sheet":
        if missing := [topic for topic in self.must_ask if topic not in self.facts]:
            raise ValueError(f"must_ask names topics without a fact: {', '.join(missing)}")
        return self


class Ward(Strict):
    """All sheets and the topics they share."""

    version: int
    topics: dict[str, tuple[str, ...]]
    patients: tuple[Sheet, ...]

    @model_validator(mode="after")
    def _topics_are_known(self) -> "Ward":
        for sheet in self.patients:
            if unknown := [topic for topic in sheet.facts if topic not in self.topics]:
                raise ValueError(f"{sheet.id}: unknown topics {', '.join(unknown)}")
        ids = [sheet.id for sheet in self.patients]
        if len(set(ids)) < len(ids):
            raise ValueError("two patients share an id")
        return self


class Answer(NamedTuple):
    """What the patient said and the facts it told; `topics` is what the question was understood to be about."""

    text: str
    told: tuple[str, ...]
    topics: tuple[str, ...]


@cache
def read_ward(path: Path = SHEETS) -> Ward:
    """The authored patients; RecipeError names the file and the place."""
    try:
        return Ward.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def is_question(text: str) -> bool:
    """Whether a reply asks anything; one that does not has ended the conversation."""
    return bool(REQUEST.search(text))


def find_topics(question: str, topics: Mapping[str, Sequence[str]]) -> list[str]:
    """The topics a question is about, in the order in which it comes to them."""
    words = WORD.findall(question.lower().replace("'", ""))
    places = {topic: place for topic, cues in topics.items() if (place := _find_place(words, cues)) is not None}
    return sorted(places, key=lambda topic: places[topic])


def answer_question(sheet: Sheet, topics: Mapping[str, Sequence[str]], question: str, told: set[str]) -> Answer:
    """What this patient says; `told` is what it has said before, so that an open question brings something new."""
    about = tuple(find_topics(question, topics))
    known = [topic for topic in about if topic in sheet.facts][:AT_ONCE]
    if not known and about == (MORE,):
        known = [topic for topic in sheet.facts if topic not in told and topic not in sheet.must_ask][:1]
        if not known:
            return Answer(NOTHING_MORE, (), about)
    if known:
        return Answer(" ".join(sheet.facts[topic] for topic in known), tuple(known), about)
    return Answer(UNSURE if about else LOST, (), about)


def _find_place(words: Sequence[str], cues: Sequence[str]) -> int | None:
    """Where the first word of a cue stands whose parts are all there; the earliest of all cues."""
    found = []
    for cue in cues:
        places = [next((i for i, word in enumerate(words) if _begins(word, part)), None) for part in cue.split()]
        if places and None not in places:
            found.append(min(place for place in places if place is not None))
    return min(found, default=None)


def _begins(word: str, part: str) -> bool:
    return word in (part, f"{part}s") if len(part) <= _WHOLE else word.startswith(part)
