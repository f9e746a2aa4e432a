"""Who signs without reading? Each signer against all others, by user id alone. Knows contacts, no names.

Quick is no fault, and to agree is none: an experienced nurse is quick and changes what is wrong. A rubber stamp
signs as drafted far more often than the others **and** within a fraction of their time; blind reads that agree as
often as seen ones clear a signer, for then they would have decided the same. Every share is tested exactly against
the others of the same weeks, each chance multiplied by the number of signers. Where most of a clinic stamps nobody
stands out: the clinic's own signals (`unchanged`, `time_to_sign`, `draft_pull`) see that.
"""

import statistics
from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from prescreen.clinic.contact import Contact
from prescreen.clinic.rates import Rate
from prescreen.config import Strict
from prescreen.monitor.counting import is_unchanged
from prescreen.monitor.tails import rank_chance, tail_above
from prescreen.monitor.week import add
from prescreen.monitor.wording import tell_rate

CASES = 20
Verdict = Literal["steady", "watch", "found", "too few"]


class Bounds(Strict):
    """What counts as standing out. `level` is for one look at all signers together."""

    level: Annotated[float, Field(gt=0, lt=1)] = 0.01
    least: Annotated[int, Field(ge=5)] = 30  # signatures on a model's draft before a signer is judged
    more: Annotated[float, Field(gt=0)] = 0.10  # signed as drafted more often than the others by so much
    quicker: Annotated[float, Field(gt=0, lt=1)] = 0.5  # the median time is below this part of the others'
    clears: Annotated[int, Field(ge=5)] = 20  # blind reads that can clear a signer
    gap: Annotated[float, Field(ge=0)] = 0.10  # less agreement when blind than when seen does not clear


class Rater(NamedTuple):
    """One signer beside the others. `p_unchanged` and `p_quick` are already multiplied by the number of signers."""

    user: str
    verdict: Verdict
    unchanged: Rate
    others: Rate
    seconds: float | None
    others_seconds: float | None
    blind: Rate  # agreement with the model before the draft was seen
    seen: Rate  # and after
    p_unchanged: float
    p_quick: float
    sentence: str
    cases: tuple[str, ...]  # signed as drafted and quickest: worth reading again


class _Signer:
    """What is counted of one signer."""

    def __init__(self) -> None:
        self.times: list[tuple[float, str]] = []
        self.counts = dict.fromkeys(("unchanged", "changed", "blind", "blind not", "seen", "seen not"), 0)
        self.stamped: list[tuple[float, str]] = []

    def add(self, contact: Contact) -> None:
        as_drafted, seconds = is_unchanged(contact), contact.seconds
        if as_drafted is None:
            return
        self.counts["unchanged" if as_drafted else "changed"] += 1
        if seconds is not None:
            self.times.append((seconds, contact.visit))
            if as_drafted:
                self.stamped.append((seconds, contact.visit))
        if contact.level_model is not None:
            agrees = (contact.blind or contact.level) == contact.level_model
            self.counts[("blind" if contact.blind else "seen") + ("" if agrees else " not")] += 1

    def rate(self, name: str, other: str) -> Rate:
        return Rate(right=self.counts[name], wrong=self.counts[other])

    @property
    def unchanged(self) -> Rate:
        return self.rate("unchanged", "changed")

    @property
    def seconds(self) -> list[float]:
        return [seconds for seconds, _ in self.times]


def read_raters(contacts: Iterable[Contact], bounds: Bounds | None = None) -> list[Rater]:
    """Every signer of these contacts (some weeks together), those who stand out first."""
    bounds = bounds or Bounds()
    signers: dict[str, _Signer] = {}
    for contact in contacts:
        if contact.signed is not None and contact.signer:
            signers.setdefault(contact.signer, _Signer()).add(contact)
    judged = [signer for signer in signers.values() if signer.unchanged.n >= bounds.least]
    found = [
        _judge(user, signer, [o for o in signers.values() if o is not signer], len(judged), bounds)
        for user, signer in sorted(signers.items())
    ]
    order: list[Verdict] = ["found", "watch", "steady", "too few"]
    return sorted(found, key=lambda rater: order.index(rater.verdict))


def _judge(user: str, signer: _Signer, rest: list[_Signer], judged: int, bounds: Bounds) -> Rater:
    unchanged, others = signer.unchanged, add(one.unchanged for one in rest)
    theirs = [seconds for one in rest for seconds in one.seconds]
    p_unchanged = min(1.0, judged * tail_above(unchanged.right, unchanged.n, others.right, others.n))
    p_quick = min(1.0, judged * rank_chance(signer.seconds, theirs)[0])
    own_s, other_s = (statistics.median(times) if times else None for times in (signer.seconds, theirs))
    blind, seen = signer.rate("blind", "blind not"), signer.rate("seen", "seen not")
    agrees = p_unchanged < bounds.level and _share(unchanged) >= _share(others) + bounds.more
    quick = p_quick < bounds.level and own_s is not None and own_s <= bounds.quicker * (other_s or 0.0)
    cleared = blind.n >= bounds.clears and _share(blind) >= _share(seen) - bounds.gap
    verdict: Verdict = "found" if agrees and quick and not cleared else "watch" if agrees or quick else "steady"
    if unchanged.n < bounds.least or others.n < bounds.least:
        verdict = "too few"
    told = f"{user}: {tell_rate(unchanged)} signed as drafted, all others {tell_rate(others)}; "
    told += (
        f"median {_tell(own_s)}, all others {_tell(other_s)}; agrees with the model in {tell_rate(seen)} seen and "
    )
    told += f"{tell_rate(blind)} blind. {ENDS[verdict]}"
    cases = tuple(visit for _, visit in sorted(signer.stamped)[:CASES]) if verdict in ("found", "watch") else ()
    return Rater(user, verdict, unchanged, others, own_s, other_s, blind, seen, p_unchanged, p_quick, told, cases)


ENDS: dict[Verdict, str] = {
    "found": "Signs as drafted within a fraction of the others' time: read the cases together.",
    "watch": "One of the two marks alone: no fault by itself.",
    "steady": "Like the others.",
    "too few": "Too few signatures to judge.",
}


def _share(rate: Rate) -> float:
    return rate.right / rate.n if rate.n else 0.0


def _tell(seconds: float | None) -> str:
    return "no time" if seconds is None else f"{seconds:.0f} s"
