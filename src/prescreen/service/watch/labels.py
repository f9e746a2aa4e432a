"""The closed sets every label is taken from: what is in none of them is told as `other`. Knows no metric.

This is the one gate between the service and whoever reads its numbers: no word of a patient is in any set.
"""

import importlib.metadata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final, get_args

from prescreen.clinic.acuity import Acuity
from prescreen.monitor.chart import State
from prescreen.monitor.signals import load_signals
from prescreen.service.engine.calling import Fault
from prescreen.store.reviews import REASONS

if TYPE_CHECKING:
    from prescreen.service.house import House

OTHER: Final = "other"
NO_MODEL: Final = "none"
LEVELS: Final = (*(level.value for level in Acuity), "unknown")
FAULTS: Final = {fault.value: fault.name.lower() for fault in Fault}
ACTS: Final = (
    "drafts", "drafted", "by_rules", "asked", "answered", "ask_unreadable", "repaired", "repair_failed",
    "schema_failures",
)  # fmt: skip
PART: Final = "part"  # a signal's alarm that is part of another's
WINDOWS: Final = ("hour", "day", "week")
SETS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(values)
    for name, values in {
        "level": LEVELS,
        "state": ("intake", "waiting", "asked", "signed", "left"),
        "sending": ("waiting", "dead"),
        "arrival": ("phone", "tablet", "invite"),
        "window": WINDOWS,
        "by": ("model", "rules", "nobody"),
        "why": (*FAULTS.values(), "none"),
        "reason": (*(reason.replace(" ", "-") for reason in REASONS), "none"),
        "direction": ("up", "down"),
        "result": ("same", "higher", "lower"),
        "act": ACTS,
        "lane": ("ask", "draft"),
        "fault": FAULTS.values(),
        "breaker": ("closed", "half-open", "open"),
        "signal": (signal.name for signal in load_signals()),
        "verdict": (*(state.replace(" ", "-") for state in get_args(State)), PART),
        "method": ("GET", "POST", "PUT", "HEAD"),
        "status": ("1xx", "2xx", "3xx", "4xx", "5xx", "gone"),
    }.items()
}


class Labels:
    """All sets of one clinic."""

    def __init__(
        self,
        *,
        languages: Iterable[str] = (),
        channels: Iterable[str] = (),
        routes: Iterable[str] = (),
        models: Iterable[str] = (),
        versions: Iterable[str] = (),
    ) -> None:
        self.sets: dict[str, frozenset[str]] = {
            **SETS,
            "language": frozenset(languages),
            "channel": frozenset(channels),
            "route": frozenset(routes),
            "model": frozenset(models),
            "version": frozenset(versions),
        }

    def fit(self, name: str, value: str) -> str:
        """The value where it is in its label's set; a label nobody knows is a fault of ours."""
        return value if value in self.sets[name] else OTHER


def name_labels(house: "House") -> Labels:
    """The sets of a house: its languages, pages, ways and model as they are now."""
    label = house.label
    return Labels(
        languages=house.settings.clinic.languages,
        channels=[way.name for way in house.settings.record],
        routes=house.routes,
        models=[NO_MODEL] if label is None else [label.name],
        versions=[own_version(), NO_MODEL if label is None else label.version],
    )


@cache
def own_version() -> str:
    """What runs here."""
    return importlib.metadata.version("prescreen")


def name_why(why: str) -> str:
    """A code for the sentence that says why no model drafted."""
    if not why:
        return "none"
    if why.startswith("the model did not answer within"):
        return "late"
    return FAULTS.get(why, "lapsed" if " lapsed on " in why else "off" if why.endswith("rules only") else OTHER)


def name_status(status: int) -> str:
    """The class of a status; 0 is of a person who hung up."""
    return f"{status // 100}xx" if 100 <= status < 600 else "gone"
