"""A review from the claim to the signature: begun, decided first, signed on exactly what was seen."""

import datetime
from collections.abc import Sequence

from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.report import Report
from prescreen.errors import ConflictError, RefusedError
from prescreen.store.base import Act
from prescreen.store.charts import Chart, begun_at, last_seen
from prescreen.store.holding import check_hold, claim, holder
from prescreen.store.reviews import Signature, reopen, sign, undo
from prescreen.store.tables import Review, Visit
from prescreen.store.visits import OPEN, add_entry, finish, lock_visit, raise_level, read_entries, standing

NOT_FINISHED = "the patient had not finished the questions when a nurse took over"


def begin_review(act: Act, visit_id: str, *, take_over: bool = False) -> Visit:
    """Hold a visit and note when: the time to the signature counts from here."""
    held = holder(lock_visit(act, visit_id, *OPEN), act.now) == act.who.id
    visit = claim(act, visit_id, take_over=take_over)
    if not held:
        add_entry(act, visit, "claim", "")
    return visit


def end_intake(
    act: Act, visit_id: str, draft_by: datetime.timedelta, *, floor: Acuity | None, unasked: Sequence[str]
) -> Visit:
    """Take the answers as they stand from a patient who is still answering, or has stopped.

    `floor` and `unasked` are the interview's: words that no rule can read hold the visit up here as at its end.
    """
    visit = lock_visit(act, visit_id, "intake")
    if visit.case is None:
        raise ConflictError("the patient has not said anything yet")
    finish(act, visit_id, floor=floor, unasked=[NOT_FINISHED, *unasked], draft_by=draft_by)
    return begin_review(act, visit_id)


def decide_first(act: Act, visit_id: str, version: int, level: Acuity) -> Visit:
    """Keep the level a nurse chose before seeing the draft; once only. A higher one counts at once."""
    visit = lock_visit(act, visit_id, "waiting", "asked")
    check_hold(act, visit, version)
    if not visit.blind:
        raise RefusedError("this visit is reviewed with its draft; choose the level when you sign")
    if any(entry.actor == act.who.id for entry, _ in read_entries(act, visit, "blind")):
        raise ConflictError("you have chosen a level for this visit already; the draft is shown now")
    add_entry(act, visit, "blind", level.value)
    if level.rank >= standing(visit):
        raise_level(visit, level)
    act.log("visit.blind", visit.id, level=level.value)
    return visit


def sign_chart(
    act: Act,
    chart: Chart,
    *,
    version: int,
    final: Report,
    reason: str,
    note: str,
    channels: Sequence[str],
    undo_for: datetime.timedelta,
) -> Review:
    """Sign what the person has before them: ConflictError where the chart is not the one they last saw."""
    check_hold(act, chart.visit, version)
    if chart.awaits_choice:
        raise RefusedError("choose a level from the patient's words first; then the draft is shown")
    if last_seen(act, chart) != chart.digest:
        raise ConflictError("something new came in since you opened this; read it and sign again")
    seconds = max(0.0, (act.now - begun_at(act, chart)).total_seconds())
    signature = Signature(version, chart.digest, final, reason, note, seconds, chart.choice)
    return sign(act, chart.visit.id, signature, channels, undo_for)


def undo_last(act: Act, visit_id: str) -> Visit:
    """Take back the person's own last signature on a visit."""
    query = (
        select(Review.id)
        .where(Review.visit_id == visit_id, Review.state == "signed", Review.signer == act.who.id)
        .order_by(Review.at.desc())
    )
    review = act.session.scalar(query.limit(1))
    if review is None:
        raise ConflictError("there is no signature of yours to take back")
    return undo(act, review)


def open_correction(act: Act, visit_id: str) -> Visit:
    """Open a signed visit again; the first signature stays, the next one follows it."""
    visit = reopen(act, visit_id)
    add_entry(act, visit, "claim", "")
    return visit


def list_undoable(act: Act) -> list[Review]:
    """The person's own signatures that can still be taken back, newest first."""
    query = select(Review).where(Review.signer == act.who.id, Review.state == "signed", Review.undo_until > act.now)
    return list(act.session.scalars(query.order_by(Review.at.desc()).limit(3)))
