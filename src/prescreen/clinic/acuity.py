"""Acuity: four levels, ordered, and an editable table to other triage scales.

The table is `acuity.yaml` beside this file; a clinic may pass its own. Sources: ESI v4 handbook levels 1-5,
Manchester Triage System colours, Korean/Canadian Triage and Acuity Scale 1-5, and the request's own
High/Medium/Low tag, whose "High" covers our two upper levels.
"""

from collections.abc import Mapping
from enum import Enum
from functools import cache, total_ordering
from pathlib import Path
from typing import NamedTuple

from prescreen.config import read_yaml
from prescreen.errors import InputError

SCALES = Path(__file__).with_name("acuity.yaml")


@total_ordering
class Acuity(Enum):
    """How soon a person must be seen. Ordered: LOW < MEDIUM < HIGH < EMERGENCY."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EMERGENCY = "emergency"

    def __init__(self, _: str) -> None:
        self.rank = len(type(self).__members__)  # 0 (low) to 3 (emergency)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Acuity):
            return NotImplemented
        return self.rank < other.rank


class Level(NamedTuple):
    """One reading of a foreign label: our level, and the set a grader should accept."""

    acuity: Acuity
    accepted: tuple[Acuity, ...]


@cache
def load_scales(path: Path = SCALES) -> Mapping[str, Mapping[str, Level]]:
    """Read a scale table: {scale: {label in lower case: Level}}."""
    scales: dict[str, dict[str, Level]] = {}
    for scale, labels in read_yaml(path).items():
        scales[scale] = {}
        for label, levels in labels.items():
            accepted = tuple(Acuity(level) for level in ([levels] if isinstance(levels, str) else levels))
            scales[scale][str(label).lower()] = Level(accepted[0], accepted)
    return scales


def read_level(label: object, scale: str = "acuity", table: Path | None = None) -> Level:
    """Translate a label of another scale; InputError names the labels it would have taken."""
    scales = load_scales(table) if table else load_scales()
    if scale not in scales:
        raise InputError(f"unknown triage scale {scale!r}; known: {', '.join(scales)}")
    key = str(label).strip().lower().removesuffix(".0")
    if key not in scales[scale]:
        raise InputError(f"unknown priority {label!r}; {scale} takes {', '.join(scales[scale])}")
    return scales[scale][key]


def seed_priority(acuity: Acuity) -> str:
    """Our level as the request's own tag: High, Medium or Low."""
    return {Acuity.LOW: "Low", Acuity.MEDIUM: "Medium"}.get(acuity, "High")
