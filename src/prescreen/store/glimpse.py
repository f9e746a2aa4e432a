"""One line on each waiting visit: who it is and why they stand where they stand. Knows no page.

This opens sealed columns, a little of every visit on the list. Of a visit where the nurse decides first it tells
what the rules found and nothing of the draft.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import defer

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.redflags import load_rules
from prescreen.clinic.report import Report
from prescreen.store.base import Act
from prescreen.store.charts import shown_level
from prescreen.store.drafts import read_draft
from prescreen.store.patients import read_link
from prescreen.store.people import User
from prescreen.store.queue import SEALED, Waiting
from prescreen.store.tables import Draft, Entry, Patient, Visit

_TURNS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))  # would turn the rest of the line around


class Glimpse(NamedTuple):
    """What a line of the queue says beyond its open columns. `level` is the one that may be shown."""

    name: str
    level: Acuity | None
    why: str
    decides_first: bool


def glimpse(act: Act, rows: Sequence[Waiting]) -> dict[str, Glimpse]:
    """A glimpse of each row, by the visit's id; the person's own choices uncover the draft to them."""
    ids = [row.id for row in rows]
    query = select(Visit).where(Visit.id.in_(ids)).options(*(defer(column) for column in SEALED))
    visits = {visit.id: visit for visit in act.session.scalars(query)}
    patients = _load_patients(act, visits.values())
    wanted = [visit.draft_id for visit in visits.values() if visit.draft_id]
    drafts = {draft.id: draft for draft in act.session.scalars(select(Draft).where(Draft.id.in_(wanted)))}
    alerts, chosen = _read_marks(act, visits, patients)
    found = {}
    for visit in visits.values():
        draft = drafts.get(visit.draft_id or "")
        hides = visit.blind and visit.id not in chosen and (draft is None or draft.label is not None)
        opens = patients[visit.patient_id].sealed_key is not None
        why = alerts.get(visit.id, "")
        if not why and opens and draft is not None:
            why = _reason(read_draft(act, visit, draft), hides=hides)
        name = _name(act, visit) if opens else "data destroyed"
        found[visit.id] = Glimpse(name, shown_level(visit, hides=hides), why, hides)
    return found


def tell_name(act: Act, visit_id: str) -> str:
    """Who the patient of one visit is; empty where no name was given."""
    visit = act.session.get_one(Visit, visit_id)
    patient = act.session.get_one(Patient, visit.patient_id)
    return _name(act, visit) if patient.sealed_key is not None else "data destroyed"


def _reason(report: Report, *, hides: bool) -> str:
    """The heaviest rule, then what the draft says; of a hidden draft the rule alone."""
    names = rule_names()
    ruled = next((names[rule] for rule in report.rules if rule in names), "")
    return ruled if ruled or hides else next(iter(report.red_flags), report.rationale or report.summary)


@cache
def rule_names() -> dict[str, str]:
    """What the rules are called, by their id."""
    return {rule.id: rule.name for rule in load_rules().rules}


def name_users(act: Act) -> dict[str, str]:
    """Staff by id."""
    return {user.id: user.name for user in act.session.scalars(select(User))}


def _load_patients(act: Act, visits: Iterable[Visit]) -> dict[str, Patient]:
    """The patients in one query; while somebody holds them, the session finds their keys without one for each."""
    ids = [visit.patient_id for visit in visits]
    return {patient.id: patient for patient in act.session.scalars(select(Patient).where(Patient.id.in_(ids)))}


def _read_marks(
    act: Act, visits: dict[str, Visit], patients: dict[str, Patient]
) -> tuple[dict[str, str], set[str]]:
    """The heaviest rule of each visit's last alert, and the visits the person has decided on already."""
    names = rule_names()
    alerts: dict[str, str] = {}
    chosen: set[str] = set()
    query = (
        select(Entry).where(Entry.visit_id.in_(visits), Entry.kind.in_(("alert", "blind"))).order_by(Entry.number)
    )
    for entry in act.session.scalars(query.order_by(Entry.number)):
        visit = visits[entry.visit_id]
        if entry.kind == "blind":
            if entry.actor == act.who.id:
                chosen.add(visit.id)
        elif patients[visit.patient_id].sealed_key is not None:
            told = json.loads(act.unseal(visit.patient_id, f"entries|body|{entry.id}", entry.body))
            alerts[visit.id] = next((names[rule] for rule in told["rules"] if rule in names), "a red flag was said")
    return alerts, chosen


def _name(act: Act, visit: Visit) -> str:
    link = read_link(act, visit)
    told = ", ".join(filter(None, (link.family, link.given))).translate(_TURNS)
    return f"{told} ({link.birth_date.year})" if told and link.birth_date else told
