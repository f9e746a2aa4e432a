"""A chart: all that a nurse sees of one visit, opened in one transaction, and the mark of what was seen.

Opening is noted in the audit log. In a visit where the nurse decides first the draft is not even opened before the
choice, so no page can show it. Knows no page.
"""

import datetime
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.redflags import Hit, check_rules
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel, PatientLink, SignedVisit
from prescreen.errors import ConflictError
from prescreen.store.base import Act
from prescreen.store.drafts import read_draft
from prescreen.store.holding import LOCK, holder
from prescreen.store.patients import read_link
from prescreen.store.people import User
from prescreen.store.record import add_record
from prescreen.store.reviews import last_review, read_signed
from prescreen.store.tables import Draft, Entry, Job, Outgoing, Patient, Review, Visit
from prescreen.store.visits import LEVELS, OPEN, add_entry, lock_visit, read_case, read_entries, read_unasked

_KEPT: Final = 64  # cases whose flags are remembered: a page is opened several times during one review


@dataclass(frozen=True)
class Chart:
    """One visit, opened. `known` is the case with what the record knows besides, as rules and model read it.

    `draft` is None where there is none and where the nurse has yet to decide without it (`awaits_choice`). `why`
    says why no model drafted; `sent` whether the last signature has left.
    """

    visit: Visit
    link: PatientLink
    case: Case | None
    known: Case | None
    flags: tuple[Hit, ...]
    draft: Report | None
    label: ModelLabel | None
    why: str
    drafting: bool
    unasked: list[str]
    record: str | None
    entries: list[tuple[Entry, str]]
    awaits_choice: bool
    choice: Acuity | None
    holder: str | None
    names: dict[str, str]
    review: Review | None
    signed: SignedVisit | None
    sent: bool

    @property
    def level(self) -> Acuity | None:
        """The level that may be shown, see `shown_level`."""
        return shown_level(self.visit, hides=self.awaits_choice)

    @property
    def starting_level(self) -> Acuity | None:
        """The level the next signature starts from: as signed before, else the one that may be shown."""
        return self.level if self.signed is None else self.signed.level

    @property
    def digest(self) -> str:
        """SHA-256 of what is shown of this chart: words, flags, draft, record and the signature it follows."""
        told = {
            "visit": self.visit.id,
            "case": None if self.case is None else self.case.model_dump(mode="json"),
            "flags": [[hit.rule.id, hit.evidence] for hit in self.flags],
            "draft": None if self.draft is None else self.draft.model_dump(mode="json"),
            "label": None if self.label is None else self.label.model_dump(mode="json"),
            "why": self.why,
            "record": self.record,
            "unasked": self.unasked,
            "follows": None if self.signed is None else self.signed.id,
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def open_chart(act: Act, visit_id: str, action: str = "visit.view") -> Chart:
    """Open a chart for a person: noted in the log and, for who holds the visit, as what they have before them."""
    visit = lock_visit(act, visit_id)
    holds = holder(visit, act.now) == act.who.id
    if holds:
        visit.locked_until = act.now + LOCK
    chart = read_chart(act, visit)
    if holds and visit.state in OPEN and last_seen(act, chart) != chart.digest:
        add_entry(act, visit, "seen", chart.digest)
    act.log(action, visit.id, version=visit.version, seen=chart.digest)
    return chart


def read_chart(act: Act, visit: Visit) -> Chart:
    """The chart as the person who acts may see it."""
    patient = act.session.get_one(Patient, visit.patient_id)
    if patient.sealed_key is None:
        raise ConflictError("this patient's data were destroyed; there is nothing to show")
    entries = read_entries(act, visit)
    review = last_review(act, visit)
    draft = act.session.get(Draft, visit.draft_id) if visit.draft_id else None
    drafting = act.session.scalar(
        select(Job.id).where(Job.visit_id == visit.id, Job.kind == "draft", Job.state == "waiting").limit(1)
    )
    choices = [body for entry, body in entries if entry.kind == "blind" and entry.actor == act.who.id]
    can_lead = draft.label is not None if draft else drafting is not None
    hides = visit.blind and not choices and review is None and visit.state in OPEN and can_lead
    shown = None if hides else draft
    case = read_case(act, visit) if visit.case is not None else None
    known = None if case is None else add_record(act, visit, case)
    return Chart(
        visit=visit,
        link=read_link(act, visit),
        case=case,
        known=known,
        flags=() if known is None else find_flags(known),
        draft=None if shown is None else read_draft(act, visit, shown),
        label=None if shown is None or shown.label is None else ModelLabel.model_validate(shown.label),
        why="" if shown is None else shown.why,
        drafting=drafting is not None,
        unasked=read_unasked(act, visit),
        record=_read_record(act, visit),
        entries=entries,
        awaits_choice=hides,
        choice=Acuity(choices[-1]) if choices else None,
        holder=holder(visit, act.now),
        names={user.id: user.name for user in act.session.scalars(select(User))},
        review=review,
        signed=None if review is None else read_signed(act, review),
        sent=review is not None and _has_left(act, review),
    )


def read_ahead(act: Act, visit_id: str) -> None:
    """Run the rules on a long case before the chart is opened, so that nobody waits for them while it is locked."""
    visit = act.session.get(Visit, visit_id)
    patient = act.session.get(Patient, visit.patient_id) if visit else None
    if visit is not None and visit.case is not None and patient is not None and patient.sealed_key is not None:
        find_flags(add_record(act, visit, read_case(act, visit)))


@lru_cache(_KEPT)
def find_flags(case: Case) -> tuple[Hit, ...]:
    """The red flags of a case."""
    return tuple(check_rules(case))


def shown_level(visit: Visit, *, hides: bool) -> Acuity | None:
    """The level a page may show. Where a nurse decides first, a level that the draft alone set is not told, but an
    emergency always is: nobody waits for the sake of a measurement."""
    level = None if visit.level is None else LEVELS[visit.level]
    drafted = visit.level is not None and visit.level == visit.level_model and visit.level_rules != visit.level
    if not hides or not drafted or level is Acuity.EMERGENCY:
        return level
    return None if visit.level_rules is None else LEVELS[visit.level_rules]


def last_seen(act: Act, chart: Chart) -> str | None:
    """The mark of what the person who acts last had before them of this visit."""
    marks = [body for entry, body in chart.entries if entry.kind == "seen" and entry.actor == act.who.id]
    return marks[-1] if marks else None


def begun_at(act: Act, chart: Chart) -> datetime.datetime:
    """When the person who acts began the review they are in."""
    begun = [e.at for e, _ in chart.entries if e.kind in ("claim", "seen") and e.actor == act.who.id]
    claims = [e.at for e, _ in chart.entries if e.kind == "claim" and e.actor == act.who.id]
    return claims[-1] if claims else min(begun, default=act.now)


def _read_record(act: Act, visit: Visit) -> str | None:
    if visit.record is None:
        return None
    return act.unseal(visit.patient_id, f"visits|record|{visit.id}", visit.record)


def _has_left(act: Act, review: Review) -> bool:
    rows = act.session.scalars(select(Outgoing).where(Outgoing.review_id == review.id))
    return act.now >= review.undo_until or any(row.state == "sent" or row.attempts for row in rows)
