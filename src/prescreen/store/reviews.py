"""The signature: signed, taken back, corrected. Each is one transaction with its audit line.

A signature takes the visit's lock, the version the signer saw and, where the level changes or nothing vouches for
it, a reason; report, audit line and outbox rows are written together or not at all. Knows no page and no channel.
"""

import datetime
import uuid
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel, Person, SignedVisit
from prescreen.errors import ConflictError, RefusedError
from prescreen.store.base import Act, new_id
from prescreen.store.drafts import read_draft
from prescreen.store.holding import LOCK, SIGNERS, check_hold
from prescreen.store.patients import read_link
from prescreen.store.people import User
from prescreen.store.tables import Draft, Outgoing, Patient, Review, Visit
from prescreen.store.visits import LEVELS, lock_visit, raise_level, read_case

REASONS: Final = (
    "seen in person",
    "vital signs",
    "history not in the draft",
    "words misread",
    "red flag does not apply",
    "red flag missed",
    "clinic protocol",
    "agrees after reading",
    "other",
)


class Signature(NamedTuple):
    """What a signer decides. `version` and `seen` are those of the page they had before them."""

    version: int
    seen: str
    final: Report
    reason: str = ""
    note: str = ""
    seconds: float = 0.0
    blind_level: Acuity | None = None


def sign(
    act: Act, visit_id: str, signature: Signature, channels: Sequence[str], undo: datetime.timedelta
) -> Review:
    """Sign the report: it leaves through every channel once the time to undo has passed."""
    visit = lock_visit(act, visit_id, "waiting", "asked")
    check_hold(act, visit, signature.version)
    draft = act.session.get(Draft, visit.draft_id) if visit.draft_id else None
    drafted = read_draft(act, visit, draft) if draft else None
    last = last_review(act, visit)
    _check_reason(visit, signature, draft, visit.level if last is None else last.level)
    review = Review(
        id=str(uuid.uuid4()),
        visit_id=visit.id,
        draft_id=visit.draft_id,
        signer=act.who.id,
        at=act.now,
        state="signed",
        level=signature.final.acuity.rank,
        level_before=visit.level,
        blind_level=None if signature.blind_level is None else signature.blind_level.rank,
        reason=signature.reason,
        edited=drafted is None or drafted != signature.final,
        seconds=signature.seconds,
        undo_until=act.now + undo,
        corrects=None if last is None else last.id,
        seen=signature.seen,
        body=b"",
    )
    signed = _write_signed(act, visit, review, draft, drafted, signature)
    review.body = act.seal(visit.patient_id, f"reviews|body|{review.id}", signed.model_dump_json())
    act.session.add(review)
    act.session.flush()
    for name in channels:
        row = Outgoing(id=new_id(), review_id=review.id, channel=name, state="waiting", due=review.undo_until)
        act.session.add(row)
    visit.state, visit.locked_by, visit.locked_until = "signed", None, None
    act.log(
        "visit.sign",
        visit.id,
        review=review.id,
        level=signature.final.acuity.value,
        before=None if visit.level is None else LEVELS[visit.level].value,
        reason=signature.reason,
        seen=signature.seen,
    )
    return review


def undo(act: Act, review_id: str) -> Visit:
    """Take a signature back before it has left; afterwards a correction is signed instead."""
    review: Review = act.lock(Review, review_id)
    if review.signer != act.who.id:
        raise RefusedError("only who signed may take it back")
    rows = list(act.session.scalars(select(Outgoing).where(Outgoing.review_id == review.id).with_for_update()))
    gone = any(row.state == "sent" or row.lease is not None or row.attempts for row in rows)
    if review.state != "signed" or gone or act.now >= review.undo_until:
        raise ConflictError("it is on its way to the record; sign a correction instead")
    review.state = "undone"
    for row in rows:
        row.state = "cancelled"
    visit = lock_visit(act, review.visit_id)
    visit.state = "waiting"
    visit.locked_by, visit.locked_until = act.who.id, act.now + LOCK
    act.log("visit.undo", visit.id, review=review.id)
    return visit


def reopen(act: Act, visit_id: str) -> Visit:
    """Open a signed visit for a correction; the first signature stays as it is, and its level holds until then."""
    visit = lock_visit(act, visit_id, "signed")
    if act.session.get_one(Patient, visit.patient_id).sealed_key is None:
        raise RefusedError("this patient's key was destroyed; nothing of the visit can be read or corrected")
    visit.state = "waiting"
    if (last := last_review(act, visit)) is not None:
        raise_level(visit, LEVELS[last.level])
    visit.locked_by, visit.locked_until = act.who.id, act.now + LOCK
    act.log("visit.reopen", visit.id)
    return visit


def last_review(act: Act, visit: Visit) -> Review | None:
    """The signature that stands, None before the first."""
    query = select(Review).where(Review.visit_id == visit.id, Review.state == "signed")
    signed = act.session.scalars(query).all()
    return find_ends(signed)[1] if signed else None


def find_ends(signed: Sequence[Any]) -> tuple[Any, Any]:
    """Of a visit's signatures, one at least (rows with `id` and `corrects`): the first, and the one that stands.

    What corrects what decides, never the clock, which may have been put back in between.
    """
    ids, corrected = {row.id for row in signed}, {row.corrects for row in signed}
    first = next(row for row in signed if row.corrects not in ids)
    return first, next(row for row in signed if row.id not in corrected)


def read_signed(act: Act, review: Review) -> SignedVisit:
    """What was signed, opened."""
    visit = act.session.get_one(Visit, review.visit_id)
    return SignedVisit.model_validate_json(act.unseal(visit.patient_id, f"reviews|body|{review.id}", review.body))


def _check_reason(visit: Visit, signature: Signature, draft: Draft | None, before: int | None) -> None:
    """`before` is the level it starts from: a correction changes what was signed, not what the draft proposed."""
    changed = before is None or signature.final.acuity.rank != before
    unsure = draft is None or draft.label is None or signature.final.uncertainty == "high"
    if (changed or unsure) and signature.reason not in REASONS:
        raise RefusedError("choose a reason: the level changes, or nothing but the rules vouches for it")
    below_rules = visit.level_rules is not None and signature.final.acuity.rank < visit.level_rules
    if (below_rules or signature.reason == "other") and len(signature.note.strip()) < 10:
        raise RefusedError("write in a sentence why: a red-flag rule set the level, or the reason is another")


def _write_signed(
    act: Act, visit: Visit, review: Review, draft: Draft | None, drafted: Report | None, signature: Signature
) -> SignedVisit:
    user = act.session.get_one(User, act.who.id)
    if user.role not in SIGNERS:
        raise RefusedError("a nurse or a physician signs")
    return SignedVisit(
        id=review.id,
        visit_id=visit.id,
        corrects=review.corrects,
        patient=read_link(act, visit),
        language=visit.language,
        opened=visit.opened,
        finished=visit.finished or act.now,
        signed=act.now,
        case=read_case(act, visit),
        draft=drafted if draft is not None and draft.label is not None else None,
        model=ModelLabel.model_validate(draft.label) if draft is not None and draft.label is not None else None,
        final=signature.final,
        reason=signature.reason,
        note=signature.note,
        signer=Person(id=user.id, name=user.name, role=user.role, reference=user.reference),  # type: ignore[arg-type]
        seen=signature.seen,
    )
