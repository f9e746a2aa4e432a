"""One line on each waiting visit: who it is, and the rule that fired or the patient's own words. Knows no page.

This opens sealed columns, a little of every visit on the list. Of a draft it tells which rules it carries and
nothing a model wrote.
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

SHOWN = 70  # letters of the patient's words: two lines on a phone
_TURNS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))  # would turn the rest of the line around


class Glimpse(NamedTuple):
    """What a line of the queue says beyond its open columns. `level` is the one that may be shown; `rule` is the
    heaviest that fired, `words` what the patient came with where none did."""

    name: str
    level: Acuity | None
    rule: str
    words: str
    decides_first: bool


def glimpse(act: Act, rows: Sequence[Waiting]) -> dict[str, Glimpse]:
    """A glimpse of each row, by the visit's id; the person's own choices uncover the draft to them."""
    ids = [row.id for row in rows]
    query = select(Visit).where(Visit.id.in_(ids)).options(*(defer(column) for column in SEALED))
    visits = {visit.id: visit for visit in act.session.scalars(query)}
    patients = _load_patients(act, visits.values())
    wanted = [visit.draft_id for visit in visits.values() if visit.draft_id]
    drafts = {draft.id: draft for draft in act.session.scalars(select(Draft).where(Draft.id.in_(wanted)))}
    rules, chosen = _read_marks(act, visits, patients)
    for visit in visits.values():
        draft = drafts.get(visit.draft_id or "")
        if visit.id not in rules and draft is not None and patients[visit.patient_id].sealed_key is not None:
            rules[visit.id] = _first_rule(read_draft(act, visit, draft))
    words = _read_words(act, [visit for visit in visits.values() if not rules.get(visit.id)], patients)
    found = {}
    for visit in visits.values():
        draft = drafts.get(visit.draft_id or "")
        hides = visit.blind and visit.id not in chosen and (draft is None or draft.label is not None)
        opens = patients[visit.patient_id].sealed_key is not None
        name = _name(act, visit) if opens else "data destroyed"
        level = shown_level(visit, hides=hides)
        found[visit.id] = Glimpse(name, level, rules.get(visit.id, ""), words.get(visit.id, ""), hides)
    return found


def tell_name(act: Act, visit_id: str) -> str:
    """Who the patient of one visit is; empty where no name was given."""
    visit = act.session.get_one(Visit, visit_id)
    patient = act.session.get_one(Patient, visit.patient_id)
    return _name(act, visit) if patient.sealed_key is not None else "data destroyed"


def cut_words(told: str) -> str:
    """What was said, on one line and cut at a word."""
    line = " ".join(told.translate(_TURNS).split())
    if len(line) <= SHOWN:
        return line
    return (line[: SHOWN + 1].rpartition(" ")[0] or line[:SHOWN]) + " …"


def _first_rule(report: Report) -> str:
    """The heaviest rule of a report, "" where none fired."""
    names = rule_names()
    return next((names[rule] for rule in report.rules if rule in names), "")


def _read_words(act: Act, visits: Sequence[Visit], patients: dict[str, Patient]) -> dict[str, str]:
    """The complaint of each of these visits."""
    owners = {visit.id: visit.patient_id for visit in visits if patients[visit.patient_id].sealed_key is not None}
    query = select(Visit.id, Visit.case).where(Visit.id.in_(owners), Visit.case.is_not(None))
    return {
        id: cut_words(json.loads(act.unseal(owners[id], f"visits|case|{id}", sealed))["complaint"])
        for id, sealed in act.session.execute(query)
        if sealed is not None
    }


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
    """The rule of each visit's heaviest alert, the later of two alike; the visits the person has decided on."""
    names = rule_names()
    alerts: dict[str, str] = {}
    chosen: set[str] = set()
    heaviest: dict[str, int] = {}
    query = select(Entry).where(Entry.visit_id.in_(visits), Entry.kind.in_(("alert", "blind")))
    for entry in act.session.scalars(query.order_by(Entry.number)):
        visit = visits[entry.visit_id]
        if entry.kind == "blind":
            if entry.actor == act.who.id:
                chosen.add(visit.id)
        elif patients[visit.patient_id].sealed_key is not None:
            told = json.loads(act.unseal(visit.patient_id, f"entries|body|{entry.id}", entry.body))
            rank = Acuity(told["level"]).rank
            if rank < heaviest.setdefault(visit.id, rank):
                continue
            heaviest[visit.id] = rank
            alerts[visit.id] = next((names[rule] for rule in told["rules"] if rule in names), "a red flag was said")
    return alerts, chosen


def _name(act: Act, visit: Visit) -> str:
    link = read_link(act, visit)
    told = ", ".join(filter(None, (link.family, link.given))).translate(_TURNS)
    return f"{told} ({link.birth_date.year})" if told and link.birth_date else told
