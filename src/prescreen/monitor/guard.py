"""The stop rules the running service keeps by itself: which rate of the release's visits is beyond its bound.

A rule stops where the exact one-sided 95 % bound of the rate lies above what limits.yaml allows, of enough visits.
It is asked again and again; `benchmarks/stopping.py` says how often that stops a release within its limits.
Knows contacts and limits, no clock and no engine.
"""

import datetime
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from prescreen.clinic.contact import Contact
from prescreen.clinic.rates import Rate
from prescreen.monitor.changes import Stop, Stops
from prescreen.monitor.trial import count, is_lowered, is_missed, is_of, is_raised

UNREADABLE: Final = frozenset({"no report", "cut off"})  # codes of `clinic.absences`: an answer that was no report


class Stopped(NamedTuple):
    """A rule that was broken, by name, with its figure."""

    rule: str
    rate: Rate
    most: float

    @property
    def sentence(self) -> str:
        """For the ledger and the staff."""
        return f"{self.rule.replace('_', ' ')}: {self.rate}, at most {100 * self.most:g} % is allowed"


def find_stops(
    contacts: Sequence[Contact],
    stops: Stops,
    weights: str,
    verdict: str,
    now: datetime.datetime,
    began: datetime.datetime | None = None,
) -> list[Stopped]:
    """Every rule the release of these weights breaks now.

    An answer that was no report bears nobody's name, so only those since it `began` to serve are this release's:
    what the one before failed at must not take this one back as well.
    """
    rules: dict[str, tuple[Stop, Callable[[Sequence[Contact]], Rate]]] = {
        "upgrades_to_emergency": (stops.upgrades_to_emergency, lambda known: _of_signed(known, is_missed)),
        "upgrades": (stops.upgrades, lambda known: _of_signed(known, is_raised)),
        "overrides": (stops.overrides, lambda known: _of_signed(known, lambda c: is_raised(c) or is_lowered(c))),
    }
    found = []
    drafted = [c for c in contacts if is_of(c.model, weights, verdict) and c.model and not c.model.trial]
    for name, (stop, measure) in rules.items():
        rate = measure(_since(drafted, now, stop))
        if breaks(rate, stop):
            found.append(Stopped(name, rate, stop.most))
    failed = [c for c in contacts if c.model is None and c.no_draft in UNREADABLE]
    stop = stops.schema_failures
    right, wrong = (len(_since(_from(known, began), now, stop)) for known in (failed, drafted))
    rate = Rate(right=right, wrong=wrong)
    return [*found, Stopped("schema_failures", rate, stop.most)] if breaks(rate, stop) else found


def breaks(rate: Rate, stop: Stop) -> bool:
    """Whether a rate is above its bound beyond chance, of enough visits."""
    return rate.n >= stop.least and rate.lower() > stop.most


def _since(contacts: Sequence[Contact], now: datetime.datetime, stop: Stop) -> list[Contact]:
    return [c for c in contacts if c.finished > now - datetime.timedelta(days=stop.days)]


def _from(contacts: Sequence[Contact], began: datetime.datetime | None) -> list[Contact]:
    return [c for c in contacts if began is None or (c.drafted or c.finished) >= began]


def _of_signed(contacts: Sequence[Contact], rule: Callable[[Contact], bool]) -> Rate:
    return count(rule(contact) for contact in contacts if contact.level is not None)
