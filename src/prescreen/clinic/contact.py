"""A contact as monitoring sees it: codes, levels and times of one visit, nothing said and nobody's name.

Pure data: the store makes one of each finished visit, `monitor` counts them. Knows neither.
"""

import datetime
from collections.abc import Iterable
from typing import Final, Literal

from pydantic import AwareDatetime

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.signed import ModelLabel
from prescreen.config import Strict

FOLLOWED: Final = datetime.timedelta(hours=72)  # how long after a signature something is its outcome
LaterKind = Literal["emergency visit", "admission", "came again", "died"]
# how urgent a kind is where the record does not say it
USUAL: Final[dict[LaterKind, Acuity]] = {
    "came again": Acuity.LOW,
    "emergency visit": Acuity.HIGH,
    "admission": Acuity.HIGH,
    "died": Acuity.EMERGENCY,
}
AgeBand = Literal["unknown", "0-1", "2-15", "16-39", "40-64", "65-79", "80+"]
_BANDS: tuple[tuple[AgeBand, int], ...] = (("0-1", 2), ("2-15", 16), ("16-39", 40), ("40-64", 65), ("65-79", 80))


def band_age(years: float | None) -> AgeBand:
    """The band of an age."""
    if years is None:
        return "unknown"
    return next((band for band, below in _BANDS if years < below), "80+")


class Later(Strict):
    """What the record told of the patient within 72 hours of the signature; `level` is how urgent that was."""

    kind: LaterKind
    at: AwareDatetime
    level: Acuity


class Contact(Strict):
    """One finished visit. What is not known is None; `signed` and all after it stand only under a signature.

    `level_rules` and `level_model` are None where no rule fired and no model drafted, `shown` is the level the
    nurse met. `followed` says that somebody looked what came after: only then does `later` None mean that nothing
    did. `edits` are kinds of `clinic.edits`; `shadow` is the level of a candidate whose draft nobody saw.
    """

    visit: str
    team: str
    language: str
    channel: str
    age_band: AgeBand
    sex: Literal["female", "male", "other", "unknown"]
    area: str  # complaint group
    words: int  # the patient said
    vitals: int  # values measured, the pain score not among them
    opened: AwareDatetime
    finished: AwareDatetime
    urgent: AwareDatetime | None = None  # a red flag of an emergency was said
    suspicious: bool = False  # text that gives orders to the software
    drafted: AwareDatetime | None = None
    model: ModelLabel | None = None
    no_draft: str = ""  # why no model's draft
    uncertainty: Literal["", "low", "moderate", "high"] = ""
    unsupported: int = 0  # claims of the draft nobody made
    level_rules: Acuity | None = None
    level_model: Acuity | None = None
    shown: Acuity | None = None
    shadow: Acuity | None = None
    shadow_model: ModelLabel | None = None
    signed: AwareDatetime | None = None
    signer: str = ""
    level: Acuity | None = None
    blind: Acuity | None = None  # decided before the draft was seen
    reason: str = ""
    edited: bool = False
    edits: tuple[str, ...] = ()
    seconds: float | None = None  # the nurse had the visit open
    followed: bool = False
    later: Later | None = None


def choose_worst(events: Iterable[Later]) -> Later | None:
    """The most urgent of what came after; among equals the graver kind, then the first."""
    order = list(USUAL)

    def weigh(event: Later) -> tuple[int, int, float]:
        return event.level.rank, order.index(event.kind), -event.at.timestamp()

    return max(events, key=weigh, default=None)
