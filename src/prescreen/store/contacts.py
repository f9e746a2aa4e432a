"""Finished visits as contacts: codes, levels and times for monitoring. Six queries a batch, constant memory.

Reads columns, not rows of the session, so that nothing of a long window stays in memory. A shredded patient's visit
is counted, what its sealed parts held is unknown. Knows no signal and no statistics.
"""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import and_, func, or_, select

from prescreen.clinic.absences import code_absence
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.areas import find_area
from prescreen.clinic.case import Case
from prescreen.clinic.contact import Contact, band_age
from prescreen.clinic.edits import classify_edits
from prescreen.clinic.orders import gives_orders
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel, SignedVisit
from prescreen.store.base import Act
from prescreen.store.keys import unseal
from prescreen.store.outcomes import Known, read_outcomes
from prescreen.store.reviews import find_ends
from prescreen.store.shadows import read_shadows
from prescreen.store.tables import Draft, Patient, Review, Visit
from prescreen.store.visits import LEVELS

BATCH: Final = 200
UNKNOWN: Final = "unknown"
_VISIT = (
    Visit.id, Visit.patient_id, Visit.team, Visit.language, Visit.channel, Visit.opened,
    Visit.finished, Visit.urgent, Visit.level, Visit.level_rules, Visit.level_model, Visit.draft_id, Visit.case,
    Patient.key_version, Patient.sealed_key,
)  # fmt: skip
_REVIEW = (
    Review.id, Review.visit_id, Review.draft_id, Review.signer, Review.at, Review.level, Review.level_before,
    Review.blind_level, Review.reason, Review.edited, Review.seconds, Review.body, Review.corrects,
)  # fmt: skip
_DRAFT = (Draft.id, Draft.level, Draft.label, Draft.why, Draft.report)
Found = Any  # a row of these columns


class _Told(NamedTuple):
    """What of a contact stands in sealed parts."""

    case: Case | None = None
    draft: Report | None = None
    signed: SignedVisit | None = None


def read_contacts(act: Act, since: datetime.datetime, until: datetime.datetime) -> Iterator[Contact]:
    """One contact for each visit finished from `since` on and before `until`, the earliest first."""
    last: tuple[datetime.datetime, str] | None = None
    while rows := _read_visits(act, since, until, last):
        yield from _read_batch(act, rows)
        last = rows[-1].finished, rows[-1].id


def _read_visits(
    act: Act, since: datetime.datetime, until: datetime.datetime, last: tuple[datetime.datetime, str] | None
) -> Sequence[Found]:
    query = select(*_VISIT).join(Patient, Patient.id == Visit.patient_id)
    query = query.where(Visit.finished >= since, Visit.finished < until)
    if last is not None:
        finished, visit = last
        query = query.where(or_(Visit.finished > finished, and_(Visit.finished == finished, Visit.id > visit)))
    return act.session.execute(query.order_by(Visit.finished, Visit.id).limit(BATCH)).all()


def _read_batch(act: Act, rows: Sequence[Found]) -> Iterator[Contact]:
    """The signatures that stand, the drafts that were shown, and when a first draft stood there."""
    visits = [row.id for row in rows]
    standing = select(*_REVIEW).where(Review.visit_id.in_(visits), Review.state == "signed")
    signed: dict[str, list[Found]] = {}
    for row in act.session.execute(standing):
        signed.setdefault(row.visit_id, []).append(row)
    ends = {visit: find_ends(chain) for visit, chain in signed.items()}
    reviews = {visit: last for visit, (_, last) in ends.items()}
    firsts = {visit: first for visit, (first, _) in ends.items()}  # who met the draft's level
    shown = {row.id: (reviews[row.id].draft_id if row.id in reviews else row.draft_id) for row in rows}
    wanted = {*shown.values(), *(row.draft_id for row in firsts.values())} - {None}
    drafts = {row.id: row for row in act.session.execute(select(*_DRAFT).where(Draft.id.in_(wanted)))}
    first = select(Draft.visit_id, func.min(Draft.at)).where(Draft.visit_id.in_(visits)).group_by(Draft.visit_id)
    drafted = {visit: at for visit, at in act.session.execute(first)}
    became = read_outcomes(act, visits)
    tried = read_shadows(act, visits)
    for row in rows:
        review, draft = reviews.get(row.id), drafts.get(shown[row.id] or "")
        made = _make_contact(row, review, draft, drafted.get(row.id), _open(act, row, review, draft))
        if review is not None and (met := firsts[row.id]) is not review:
            made = made.model_copy(update={"shown": find_shown(row, met, drafts.get(met.draft_id))})
        known = became.get(row.id, Known(followed=False, later=None))
        made = made.model_copy(update=tried[row.id]._asdict()) if row.id in tried else made
        yield made if review is None else made.model_copy(update=known._asdict())


def _open(act: Act, visit: Found, review: Found | None, draft: Found | None) -> _Told:
    if visit.sealed_key is None:
        return _Told()
    key = act.keys.open_patient(visit.patient_id, visit.key_version, visit.sealed_key)

    def read(place: str, sealed: bytes) -> str:
        return unseal(key, place, sealed).decode("utf-8", "surrogatepass")

    return _Told(
        Case.model_validate_json(read(f"visits|case|{visit.id}", visit.case)) if visit.case else None,
        Report.model_validate_json(read(f"drafts|report|{draft.id}", draft.report)) if draft else None,
        SignedVisit.model_validate_json(read(f"reviews|body|{review.id}", review.body)) if review else None,
    )


def _make_contact(
    visit: Found, review: Found | None, draft: Found | None, drafted: datetime.datetime | None, told: _Told
) -> Contact:
    label = None if draft is None or draft.label is None else ModelLabel.model_validate(draft.label)
    model = told.draft.model_acuity if told.draft else _level(visit.level_model)
    parts: dict[str, Any] = {**_describe(told.case), **(_decide(review, told) if review else {})}
    return Contact(
        visit=visit.id,
        team=visit.team,
        language=visit.language,
        channel=visit.channel,
        opened=visit.opened,
        finished=visit.finished,
        urgent=visit.urgent,
        drafted=drafted,
        model=label,
        no_draft="" if label else code_absence(draft.why if draft else "no draft"),
        uncertainty=told.draft.uncertainty if told.draft and label else "",
        unsupported=len(told.draft.unsupported) if told.draft and label else 0,
        level_rules=_level(visit.level_rules),
        level_model=model if label else None,
        shown=find_shown(visit, review, draft),
        **parts,
    )


def find_shown(visit: Found, review: Found | None, draft: Found | None) -> Acuity | None:
    """The level the nurse met. A level chosen blind has raised the visit by itself and was met by nobody."""
    level = visit.level if review is None else review.level_before
    if review is not None and review.blind_level is not None and draft is not None:
        met = max(draft.level, visit.level_rules or 0)
        level = met if level is None or level == review.blind_level else max(level, met)
    return _level(level)


def _describe(case: Case | None) -> dict[str, Any]:
    """Who came with what, in codes; unknown where the key was destroyed."""
    if case is None:
        return {"age_band": UNKNOWN, "sex": UNKNOWN, "area": UNKNOWN, "words": 0, "vitals": 0}
    sex: Literal["female", "male", "other", "unknown"] = case.sex or "unknown"
    return {
        "age_band": band_age(case.age_years),
        "sex": sex,
        "area": find_area(case),
        "words": len(case.spoken.split()),
        "vitals": len(case.vitals.measured.keys() - {"pain"}),
        "suspicious": gives_orders(case),
    }


def _decide(review: Found, told: _Told) -> dict[str, Any]:
    """What was signed."""
    return {
        "signed": review.at,
        "signer": review.signer,
        "level": _level(review.level),
        "blind": _level(review.blind_level),
        "reason": review.reason,
        "edited": review.edited,
        "edits": _list_edits(told.signed),
        "seconds": review.seconds,
    }


def _list_edits(signed: SignedVisit | None) -> tuple[str, ...]:
    """The kinds of edit between a model's draft and the final; none where the rules alone drafted."""
    if signed is None or signed.draft is None:
        return ()
    return tuple(sorted(classify_edits(signed.draft, signed.final)))


def _level(rank: int | None) -> Acuity | None:
    return None if rank is None else LEVELS[rank]
