"""Contacts as a trial and the stop rules count them: levels, labels and times; nothing is unsealed, or read.

Cheap enough for every sweep. Knows no statistics; what a person said stays sealed.
"""

import datetime
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import defer

from prescreen.clinic.absences import code_absence
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact
from prescreen.clinic.signed import ModelLabel
from prescreen.store.base import Act
from prescreen.store.contacts import find_shown
from prescreen.store.loop_tables import Shadow
from prescreen.store.reviews import find_ends
from prescreen.store.tables import Draft, Review, Visit
from prescreen.store.visits import LEVELS

_SEALED_OF_VISIT: Final = (Visit.interview, Visit.case, Visit.unasked, Visit.record)


def read_trial_contacts(act: Act, since: datetime.datetime) -> list[Contact]:
    """Visits finished since then, each with its draft, its shadow and its standing signature."""
    visits = select(Visit).where(Visit.finished.is_not(None), Visit.finished >= since).order_by(Visit.finished)
    rows = list(act.session.scalars(visits.options(*map(defer, _SEALED_OF_VISIT))))
    wanted = select(Visit.id).where(Visit.finished.is_not(None), Visit.finished >= since)
    drawn = select(Draft).where(Draft.visit_id.in_(wanted)).options(defer(Draft.report))
    drafts = {draft.id: draft for draft in act.session.scalars(drawn)}
    signed: dict[str, list[Review]] = {}
    standing = select(Review).where(Review.visit_id.in_(wanted), Review.state == "signed")
    for review in act.session.scalars(standing.options(defer(Review.body))):
        signed.setdefault(review.visit_id, []).append(review)
    shadows: dict[str, Shadow] = {}
    tried = select(Shadow).where(Shadow.visit_id.in_(wanted)).order_by(Shadow.at)
    for shadow in act.session.scalars(tried.options(defer(Shadow.report))):
        shadows[shadow.visit_id] = shadow
    return [_make_contact(visit, drafts, signed.get(visit.id, ()), shadows.get(visit.id)) for visit in rows]


def _make_contact(
    visit: Visit, drafts: dict[str, Draft], reviews: Sequence[Review], shadow: Shadow | None
) -> Contact:
    """Of the draft the first signer had before them; the level is that of the last signature that stands."""
    first, last = find_ends(reviews) if reviews else (None, None)
    draft = drafts.get((first.draft_id if first else visit.draft_id) or "")
    label = None if draft is None or draft.label is None else ModelLabel.model_validate(draft.label)
    assert visit.finished is not None
    return Contact(
        visit=visit.id,
        team=visit.team,
        language=visit.language,
        channel=visit.channel,
        age_band="unknown",
        sex="unknown",
        area="",
        words=0,
        vitals=0,
        opened=visit.opened,
        finished=visit.finished,
        urgent=visit.urgent,
        drafted=None if draft is None else draft.at,
        model=label,
        no_draft="" if label else code_absence(draft.why if draft else "no draft"),
        level_rules=_level(visit.level_rules),
        level_model=_level(visit.level_model) if label is not None else None,
        shown=find_shown(visit, first, draft),
        shadow=None if shadow is None else _level(shadow.level),
        shadow_model=None if shadow is None else ModelLabel.model_validate(shadow.label),
        signed=None if last is None else last.at,
        signer="" if last is None else last.signer,
        level=None if last is None else _level(last.level),
        blind=None if first is None else _level(first.blind_level),
        reason="" if last is None else last.reason,
        edited=bool(last and last.edited),
        seconds=None if last is None else last.seconds,
    )


def _level(rank: int | None) -> Acuity | None:
    return None if rank is None else LEVELS[rank]
