"""What the data stage passes around: text, chat rows, preference pairs and rejects.

Knows the lines of the files that other stages (and other trainers) read. Knows nothing about where a record
comes from or how a model reads it.
"""

from dataclasses import asdict, dataclass
from typing import Literal

from prescreen.errors import GuardError
from prescreen.model.harmony import Message

Kind = Literal["medical", "general"]
Part = Literal["train", "valid", "test"]

LICENCES = {
    "CC-BY-4.0": "Creative Commons Attribution 4.0",
    "CC0-1.0": "Creative Commons public-domain dedication",
    "MIT": "MIT licence",
    "Apache-2.0": "Apache licence 2.0",
    "Apache-2.0 (project)": "this project's own text, Apache licence 2.0",
    "clinic": "the clinic's own records, used inside the clinic under its own legal basis",
}


@dataclass(frozen=True)
class Text:
    """One document for continual pre-training."""

    id: str
    text: str
    source: str
    licence: str
    kind: Kind


@dataclass(frozen=True)
class Told:
    """Where something to learn from comes from and what it teaches."""

    id: str
    case_id: str
    patient_id: str
    task: str
    source: str
    licence: str


@dataclass(frozen=True)
class Row(Told):
    """One chat to learn from: its last message is the assistant's."""

    messages: tuple[Message, ...]
    part: Part | None = None  # the split its publisher chose; None: ours decides

    @property
    def read(self) -> str:
        """What the model reads: every message of the user."""
        return "\n".join(m["content"] for m in self.messages if m["role"] == "user")

    @property
    def learned(self) -> str:
        """What the model must say."""
        return "\n".join(m["content"] for m in self.messages if m["role"] == "assistant")


@dataclass(frozen=True)
class Pair(Told):
    """Two answers to one prompt and why the second is worse."""

    reason: str
    acuity: str
    messages: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]


@dataclass(frozen=True)
class Answer(Told):
    """One answer to one prompt and whether it is wanted: what KTO learns from."""

    reason: str
    acuity: str
    messages: tuple[Message, ...]
    completion: tuple[Message, ...]
    label: bool


@dataclass(frozen=True)
class Reject:
    """A record that was left out, with where it stands and why."""

    source: str
    where: str
    reason: str
    text: str = ""


Learned = Text | Row | Pair | Answer


def as_line(record: Learned | Reject) -> dict[str, object]:
    """One line of an output file. The publisher's split is ours to know, not the reader's."""
    return {key: value for key, value in asdict(record).items() if key != "part"}


def check_licence(licence: str, source: str, record_id: str) -> None:
    """Nothing is learned from without a licence we know."""
    if licence not in LICENCES:
        raise GuardError(
            f"{source}, record {record_id}: licence {licence!r} is not known; name one of "
            f"{', '.join(LICENCES)} or leave the source out"
        )
