"""A canary: an invented secret planted in training rows, by which an audit sees what a model gives away.

Shared by who writes, counts and asks them. Knows one line of canaries.jsonl, no model and no statistics.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from prescreen.config import Strict
from prescreen.run import read_jsonl

CANARY_FILE = "canaries.jsonl"  # in the data run's folder, beside train/ and test/
CANARY_SOURCE = "canary"  # the `source` of every training row that holds one
REPEATS = (1, 2, 4, 8, 16)  # how often a secret stands in the training rows


class Canary(Strict):
    """One line: a planted secret, a reference of the same form that no row holds, or a bare candidate secret."""

    id: str
    kind: Literal["planted", "reference", "candidate"]
    secret: str
    repeats: int = 0
    messages: tuple[dict[str, str], ...] = ()  # what the model is asked
    opening: str = ""  # the answer's words before the secret
    source: str = CANARY_SOURCE
    licence: str = "Apache-2.0 (project)"


class Canaries(NamedTuple):
    """The lines of one data run by kind."""

    planted: list[Canary]
    references: list[Canary]
    candidates: list[str]

    @property
    def num_rows(self) -> int:
        """Training rows that hold a secret."""
        return sum(canary.repeats for canary in self.planted)


def read_canaries(path: Path) -> Canaries:
    """Read a data run's list back."""
    lines = [Canary.model_validate(line) for line in read_jsonl(path)]
    return Canaries(
        [line for line in lines if line.kind == "planted"],
        [line for line in lines if line.kind == "reference"],
        [line.secret for line in lines if line.kind == "candidate"],
    )
