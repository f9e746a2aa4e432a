"""The script: which danger signs are asked of whom, read from `script.yaml`. Knows no answers.

Every question names the rule of `clinic.redflags` that its "yes" must fire; tests hold it to that.
"""

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from prescreen.clinic.areas import load_areas
from prescreen.config import Strict, read_yaml
from prescreen.errors import RecipeError

SCRIPT = Path(__file__).with_name("script.yaml")


class Who(NamedTuple):
    """What decides whom a question is for; None is not known. `birth`: within the last six weeks."""

    age: float | None
    sex: str | None
    pregnant: bool | None
    birth: bool


class When(Strict):
    """Whom a question or a topic is for. What is not known never takes a question away, but chooses no topic."""

    age_min: float | None = None
    age_max: float | None = None
    sex: Literal["female", "male"] | None = None
    pregnant: bool | None = None
    birth: bool | None = None

    def fits(self, who: Who, *, unknown: bool = True) -> bool:
        """Whether it is for this person; `unknown` is the answer for what nobody knows."""
        known = [
            (self.age_min is not None, None if who.age is None else who.age >= (self.age_min or 0)),
            (self.age_max is not None, None if who.age is None else who.age <= (self.age_max or 0)),
            (self.sex is not None, None if who.sex in (None, "other") else who.sex == self.sex),
            (self.pregnant is not None, None if who.pregnant is None else who.pregnant == self.pregnant),
            (self.birth is not None, who.birth == self.birth),
        ]
        return all((unknown if told is None else told) for asked, told in known if asked)


class Sign(Strict):
    """One danger sign: how the record puts the question, what "yes" `states`, and the rule it must fire."""

    id: str = Field(pattern=r"^[a-z-]+$")
    ask: str
    states: str
    rule: str
    source: str = Field(min_length=8)


class Box(Sign):
    """A box of the page everybody gets; ticked, it opens a topic and may stand for one of its questions."""

    topic: str
    instead_of: str | None = None


class Question(Sign):
    """A question of a topic; `unsure: high` raises a case whose answer is "not sure"."""

    unsure: Literal["high"] | None = None
    when: When = When()


class Topic(Strict):
    """Questions that belong to a kind of complaint, found by words (`clinic.areas`) or by who the patient is."""

    id: str = Field(pattern=r"^[a-z-]+$")
    say: str
    questions: tuple[str, ...] = Field(min_length=1)
    when: When | None = None


class Script(Strict):
    """The whole table."""

    screen: tuple[Box, ...]
    questions: tuple[Question, ...]
    topics: tuple[Topic, ...]

    @model_validator(mode="after")
    def _names_meet(self) -> "Script":
        ids = [*(question.id for question in self.questions), *(topic.id for topic in self.topics)]
        boxes = [box.id for box in self.screen]
        if doubled := sorted({i for i in ids if ids.count(i) > 1} | {i for i in boxes if boxes.count(i) > 1}):
            raise ValueError(f"ids must be unique; doubled: {', '.join(doubled)}")
        wanted = {q for topic in self.topics for q in topic.questions} | {box.topic for box in self.screen}
        wanted |= {box.instead_of for box in self.screen if box.instead_of}
        if missing := sorted(wanted - set(ids)):
            raise ValueError(f"names questions or topics that are not there: {', '.join(missing)}")
        if unused := sorted({q.id for q in self.questions} - wanted):
            raise ValueError(f"questions of no topic: {', '.join(unused)}")
        return self

    @cached_property
    def by_id(self) -> Mapping[str, Question]:
        """Questions by their id."""
        return {question.id: question for question in self.questions}

    @cached_property
    def areas(self) -> tuple[Topic, ...]:
        """The topics a patient may choose among when the words of the complaint do not tell."""
        return tuple(topic for topic in self.topics if topic.id in load_areas().names)


@cache
def load_script(path: Path = SCRIPT) -> Script:
    """Read and check a script; RecipeError names the file and the place."""
    try:
        return Script.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def find_topics(script: Script, complaint: str, ticked: Iterable[str], area: str, who: Who) -> list[str]:
    """Topics in order: by who the patient is, the boxes ticked, their own choice, the words of the complaint."""
    told, boxes = load_areas().find(complaint), set(ticked)
    found = [t.id for t in script.topics if t.when is not None and t.when.fits(who, unknown=False)]
    found += [box.topic for box in script.screen if box.id in boxes]
    found += [topic.id for topic in script.areas if topic.id == area]
    found += [topic.id for topic in script.topics if topic.id in told]
    return list(dict.fromkeys(found))


def choose_questions(script: Script, topics: Iterable[str], ticked: Iterable[str], who: Who) -> list[str]:
    """The questions of these topics in the order they are asked: the first of each topic, then the second, …"""
    boxes = set(ticked)
    covered = {box.instead_of for box in script.screen if box.id in boxes}
    wanted = list(topics)
    lists = [
        [q for q in topic.questions if q not in covered and script.by_id[q].when.fits(who)]
        for topic in sorted((t for t in script.topics if t.id in wanted), key=lambda t: wanted.index(t.id))
    ]
    longest = max(map(len, lists), default=0)
    return list(dict.fromkeys(own[i] for i in range(longest) for own in lists if i < len(own)))
