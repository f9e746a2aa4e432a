"""One patient's facts, put in order and joined: what belongs to which encounter.

Knows references and time, not what a record needs.
"""

import bisect
import datetime
import hashlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from prescreen.records.fhir_resources import Fact
from prescreen.records.fhir_values import DAY, Span, Unreadable, read_datetime
from prescreen.records.record import Identifiers

HOUR = 3600.0
BEFORE, AFTER = 72 * HOUR, 4 * HOUR  # talk this long before and after the start belongs to the contact
MAX_PAIRS = 20_000_000  # encounters times other facts: beyond it this is no one person's record
PREGNANCIES = ("Observation", "Condition")
SAID = ("QuestionnaireResponse", "Communication")
NOTES = ("Composition", "DocumentReference")
MEDICINES = ("MedicationStatement", "MedicationRequest")

Lookup = Callable[[str], tuple[str, str]]  # reference -> type and text of what is no patient's


class Kept(NamedTuple):
    """A fact with its own names and its place in the export."""

    fact: Fact
    names: tuple[str, ...]  # Type/id and fullUrl
    file: str
    place: int
    digest: bytes


class Person(NamedTuple):
    """The patient: own names, what `read_patient` found, the digest of the resource."""

    names: tuple[str, ...]
    data: dict[str, Any]
    digest: bytes


def order(kept: Kept) -> float:
    return kept.fact.span.lo if kept.fact.span else math.inf


class Chart:
    """All of one patient's facts, ordered by time; undated ones last."""

    def __init__(self, person: Person, kept: list[Kept], lookup: Lookup) -> None:
        self.person, self.lookup = person, lookup
        self.digest = hashlib.sha256(b"".join((person.digest, *(k.digest for k in kept)))).digest()
        self.by_kind: dict[str, list[Kept]] = {}
        for item in sorted(kept, key=order):
            self.by_kind.setdefault(item.fact.kind, []).append(item)
        self.encounters = self.by_kind.get("Encounter", [])
        self.encounter_of = {name: e for e in self.encounters for name in e.names}
        others = len(kept) - len(self.by_kind.get("Observation", ()))
        if len(self.encounters) * others > MAX_PAIRS:
            raise Unreadable(
                "this patient has more encounters and resources than one person can; correct the export"
            )
        self.said = self._assign([k for kind in SAID for k in self.by_kind.get(kind, ())])
        self.notes = [k for kind in NOTES for k in self.by_kind.get(kind, ())]
        self.medicines = [k for kind in MEDICINES for k in self.by_kind.get(kind, ())]
        self.linked: dict[str, list[Kept]] = {}
        self.loose: list[Kept] = []
        for item in self.by_kind.get("Observation", ()):
            owner = self.owner(item)
            if owner:
                self.linked.setdefault(owner.names[0], []).append(item)
            elif not item.fact.encounter and item.fact.span and item.fact.span.exact:
                self.loose.append(item)
        self.pregnancies = [
            k for kind in PREGNANCIES for k in self.by_kind.get(kind, ()) if "pregnant" in k.fact.data
        ]
        self.identifiers = self._identify()

    def owner(self, kept: Kept) -> Kept | None:
        return self.encounter_of.get(kept.fact.encounter)

    def contacts(self) -> list[Kept]:
        """One for each encounter; without any, one for all that was said."""
        if self.encounters:
            return self.encounters
        talk = sorted((k for kind in SAID for k in self.by_kind.get(kind, ())), key=order)
        if not talk:
            return []
        first = talk[0]
        start = {"start": first.fact.span and _iso(first.fact.span), "end": None}
        return [first._replace(fact=Fact("Talk", first.fact.subject, "", first.fact.span, start), names=("Talk",))]

    def measured_between(self, first: float, last: float) -> list[Kept]:
        """Observations outside any encounter, by their time."""
        return self.loose[
            bisect.bisect_left(self.loose, first, key=order) : bisect.bisect_right(self.loose, last, key=order)
        ]

    def _assign(self, talk: list[Kept]) -> dict[str, list[Kept]]:
        """Talk by the contact it belongs to: the encounter it names, or else the nearest in time."""
        if not self.encounters:
            return {"Talk": sorted(talk, key=order)}
        said: dict[str, list[Kept]] = {}
        for item in sorted(talk, key=order):
            owner = self.encounter_of.get(item.fact.encounter)
            if owner is None and not item.fact.encounter and (span := item.fact.span):
                near = [e for e in self.encounters if e.fact.span and within(span, e.fact.span, BEFORE, AFTER)]
                owner = min(near, key=lambda e: abs(order(e) - span.lo), default=None)
            if owner:
                said.setdefault(owner.names[0], []).append(item)
        return said

    def _identify(self) -> Identifiers:
        """Everything the patient and the relatives are known by, and the numbers of the encounters."""
        relatives = [k.fact.data for k in self.by_kind.get("RelatedPerson", ())]
        visits = [{name: e.fact.data[name] for name in ("numbers", "names")} for e in self.encounters]
        known: dict[str, dict[str, None]] = {}
        for source in (self.person.data["known"], *relatives, *visits):
            for name, values in source.items():
                known.setdefault(name, {}).update(dict.fromkeys(values))
        birth = self.person.data["birth"]
        date = read_datetime(birth) if len(birth) == 10 else None
        return Identifiers(birth_date=date.date() if date else None, **{n: tuple(v) for n, v in known.items()})


def _iso(span: Span) -> str:
    moment = datetime.datetime.fromtimestamp(span.lo, datetime.UTC).isoformat()
    return moment if span.exact else moment[:10] if span.hi - span.lo < DAY else moment[:4]


def within(span: Span, start: Span, before: float, after: float) -> bool:
    return start.lo - before <= span.lo <= start.hi + after
