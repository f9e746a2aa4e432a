"""Drafts of a candidate on trial: found to be made, kept, sealed under the patient's key. No page reads them.

A shadow touches no row but its own: no level, no version and no lock of a visit changes by it. Knows no engine.
"""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel
from prescreen.store.base import Act, new_id
from prescreen.store.drafts import is_work_due
from prescreen.store.loop_tables import Shadow
from prescreen.store.record import add_record
from prescreen.store.tables import Draft, Patient, Visit
from prescreen.store.visits import LEVELS, read_case

FRESH = datetime.timedelta(minutes=30)  # a draft older than this is not shadowed any more: dropped under load


class ShadowWork(NamedTuple):
    """A visit whose real draft is attached, with the case as that draft's model saw it."""

    visit_id: str
    draft_id: str
    case: Case


def find_unshadowed(act: Act, release: str, since: datetime.datetime) -> ShadowWork | None:
    """The newest real draft the candidate has not drafted beside; None too while any real draft waits."""
    if is_work_due(act):
        return None
    done = select(Shadow.draft_id).where(Shadow.release == release)
    query = (
        select(Draft, Visit)
        .join(Visit, Visit.draft_id == Draft.id)
        .join(Patient, Patient.id == Visit.patient_id)
        .where(
            Draft.at >= max(since, act.now - FRESH),
            Draft.at <= act.now,
            Draft.id.not_in(done),
            Patient.sealed_key.is_not(None),
        )
        .order_by(Draft.at.desc())
        .limit(1)
    )
    found = act.session.execute(query).first()
    if found is None:
        return None
    draft, visit = found
    return ShadowWork(visit.id, draft.id, add_record(act, visit, read_case(act, visit)))


def keep_shadow(
    act: Act, work: ShadowWork, release: str, report: Report, label: ModelLabel, *, drafted: bool, seconds: float
) -> Shadow | None:
    """Keep what the candidate drafted, or that it did not; None where the same was kept before."""
    visit = act.session.get_one(Visit, work.visit_id)
    shadow = Shadow(
        id=new_id(),
        visit_id=visit.id,
        draft_id=work.draft_id,
        release=release,
        at=act.now,
        level=report.acuity.rank if drafted else None,
        level_model=report.model_acuity.rank if drafted and report.model_acuity is not None else None,
        label=label.model_dump(),
        why=report.no_draft_reason,
        seconds=seconds,
        report=b"",
    )
    shadow.report = act.seal(visit.patient_id, f"shadows|report|{shadow.id}", report.model_dump_json())
    try:
        with act.session.begin_nested():
            act.session.add(shadow)
    except IntegrityError:  # another process was first
        return None
    act.log("visit.shadow", visit.id, draft=work.draft_id, release=release[:16])
    return shadow


class Shadowed(NamedTuple):
    """What a contact tells of a candidate on trial: the level it would have shown, and its label."""

    shadow: Acuity | None
    shadow_model: ModelLabel


def read_shadows(act: Act, visits: Sequence[str]) -> dict[str, Shadowed]:
    """The last shadow of each of these visits, by visit."""
    query = select(Shadow.visit_id, Shadow.level, Shadow.label).where(Shadow.visit_id.in_(visits))
    return {
        row.visit_id: Shadowed(
            None if row.level is None else LEVELS[row.level], ModelLabel.model_validate(row.label)
        )
        for row in act.session.execute(query.order_by(Shadow.at))
    }


def read_shadow(act: Act, shadow: Shadow) -> Report:
    """A candidate's report, opened: for a person who compares, never for a page of the visit."""
    visit = act.session.get_one(Visit, shadow.visit_id)
    return Report.model_validate_json(act.unseal(visit.patient_id, f"shadows|report|{shadow.id}", shadow.report))


def list_shadows(act: Act, visit_id: str) -> list[Shadow]:
    """All shadows of a visit, oldest first."""
    return list(act.session.scalars(select(Shadow).where(Shadow.visit_id == visit_id).order_by(Shadow.at)))
