"""What stands in the store, as codes, times and counts for monitoring. Reads open columns only: no sealed byte.

One look for everything; it holds nobody up, for it only reads. Knows no metric and no statistics.
"""

import datetime
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.exc import DBAPIError

from prescreen.clinic.acuity import Acuity
from prescreen.errors import StoreError
from prescreen.store.anchors import MARKER
from prescreen.store.audit import Verdict
from prescreen.store.base import Act, Store
from prescreen.store.glass import find_unseen
from prescreen.store.holding import LOCK
from prescreen.store.leases import SLACK
from prescreen.store.people import AuditHead, AuditLine, Checkpoint
from prescreen.store.tables import Draft, Job, Outgoing, Review, Visit
from prescreen.store.visits import LEVELS

By = Literal["model", "rules", "nobody"]
WEEK: Final = datetime.timedelta(days=7)
VERIFIED: Final = "audit.verify"
_LOG: Final = "audit"  # the thing a verdict is about: by it the last one is found without walking the log


class Task(NamedTuple):
    """A visit that is somebody's task; `held` where a nurse has it in hand."""

    level: Acuity | None
    since: datetime.datetime
    held: bool


class Opened(NamedTuple):
    """A visit begun within the week."""

    at: datetime.datetime
    channel: str
    language: str


class Drafted(NamedTuple):
    """A draft of the week; `why` is the sentence that says why no model drafted."""

    at: datetime.datetime
    by: By
    why: str


class Signing(NamedTuple):
    """A signature of the week. `stands` unless it was taken back or another corrects it."""

    at: datetime.datetime
    level: Acuity
    before: Acuity | None
    blind: Acuity | None
    reason: str
    edited: bool
    by: By
    corrects: bool
    undone: bool
    stands: bool


class Leaving(NamedTuple):
    """Rows of one channel in one state that have not arrived; `since` is when the oldest could have left."""

    channel: str
    state: str
    num: int
    since: datetime.datetime


class Log(NamedTuple):
    """The audit log: its end, its last mark, and what the last walk over it said."""

    lines: int
    whole: bool  # the end is as we left it
    marked: int  # the line of the last mark
    marked_at: datetime.datetime | None
    verified_at: datetime.datetime | None
    verdict: bool | None
    begun: datetime.datetime | None


class Past(NamedTuple):
    """What was done. `seconds` counts signatures up to each of the bounds asked for, then all."""

    opened: list[Opened]
    drafted: list[Drafted]
    signed: list[Signing]
    seconds: list[int]
    seconds_sum: float


class Figures(NamedTuple):
    """What stands now, and what was done."""

    now: datetime.datetime
    past: Past
    visits: dict[tuple[str, Acuity | None], int]
    tasks: list[Task]
    leaving: list[Leaving]
    jobs: int
    job_deadline: datetime.datetime | None  # of the oldest that waits
    glasses: int  # broken, and nobody has looked at them
    glasses_since: datetime.datetime | None  # the oldest of them
    log: Log


def read_past(act: Act, bounds_s: Sequence[float]) -> Past:
    """Walks whole tables; `bounds_s` are those of the histogram of seconds to a signature."""
    counted, total = _time_signatures(act, bounds_s)
    return Past(_read_opened(act), _read_drafted(act), _read_signed(act), counted, total)


def read_figures(act: Act, past: Past) -> Figures:
    """One quick look at all that stands now, beside what was read of the past."""
    glasses, since = find_unseen(act)
    waiting = act.session.execute(select(func.count(), func.min(Job.deadline)).where(Job.state == "waiting")).one()
    return Figures(
        now=act.now,
        past=past,
        visits=_count_visits(act),
        tasks=_read_tasks(act),
        leaving=_read_leaving(act),
        jobs=waiting[0],
        job_deadline=waiting[1],
        glasses=glasses,
        glasses_since=since,
        log=_read_log(act),
    )


def note_verdict(store: Store, verdict: Verdict) -> bool:
    """Write down what a walk over the log found, for whoever watches; False where the log takes no more line."""
    try:
        with store.act(MARKER) as act:
            act.log(VERIFIED, _LOG, "done" if verdict.whole else "failed", lines=verdict.lines, bad=verdict.bad)
    except (StoreError, DBAPIError):  # full, read-only, or a log whose end was torn off: the verdict stands
        return False
    return True


def _level(rank: int | None) -> Acuity | None:
    return None if rank is None else LEVELS[rank]


def _count_visits(act: Act) -> dict[tuple[str, Acuity | None], int]:
    query = select(Visit.state, Visit.level, func.count()).group_by(Visit.state, Visit.level)
    return {(state, _level(level)): count for state, level, count in act.session.execute(query)}


def _read_tasks(act: Act) -> list[Task]:
    since = func.coalesce(Visit.finished, Visit.urgent, Visit.opened, type_=Visit.opened.type)
    held = and_(Visit.locked_until > act.now, Visit.locked_until <= act.now + LOCK + SLACK)
    is_task = or_(Visit.state.in_(("waiting", "asked")), and_(Visit.state == "intake", Visit.level.is_not(None)))
    query = select(Visit.level, since, case((held, True), else_=False)).where(is_task)
    return [Task(_level(level), at, bool(is_held)) for level, at, is_held in act.session.execute(query)]


def _read_opened(act: Act) -> list[Opened]:
    query = select(Visit.opened, Visit.channel, Visit.language).where(Visit.opened >= act.now - WEEK)
    return [Opened(*row) for row in act.session.execute(query)]


def _read_drafted(act: Act) -> list[Drafted]:
    query = select(Draft.at, Draft.label, Draft.why).where(Draft.at >= act.now - WEEK)
    return [
        Drafted(at, "rules" if label is None else "model", why) for at, label, why in act.session.execute(query)
    ]


def _read_signed(act: Act) -> list[Signing]:
    query = (
        select(
            Review.id, Review.at, Review.level, Review.level_before, Review.blind_level, Review.reason,
            Review.edited, Review.corrects, Review.state, Review.draft_id, Draft.label,
        )
        .outerjoin(Draft, Draft.id == Review.draft_id)
        .where(Review.at >= act.now - WEEK)
    )  # fmt: skip
    rows = act.session.execute(query).all()
    corrected = {row.corrects for row in rows if row.state == "signed"}
    return [
        Signing(
            at=row.at,
            level=LEVELS[row.level],
            before=_level(row.level_before),
            blind=_level(row.blind_level),
            reason=row.reason,
            edited=row.edited,
            by="nobody" if row.draft_id is None else "rules" if row.label is None else "model",
            corrects=row.corrects is not None,
            undone=row.state == "undone",
            stands=row.state == "signed" and row.id not in corrected,
        )
        for row in rows
    ]


def _time_signatures(act: Act, bounds_s: Sequence[float]) -> tuple[list[int], float]:
    """All signatures ever, those taken back too: rows stay, so that these counts never fall."""
    within = [func.coalesce(func.sum(case((Review.seconds <= bound, 1), else_=0)), 0) for bound in bounds_s]
    row = act.session.execute(select(*within, func.count(), func.coalesce(func.sum(Review.seconds), 0.0))).one()
    return [int(count) for count in row[:-1]], float(row[-1])


def _read_leaving(act: Act) -> list[Leaving]:
    query = (
        select(Outgoing.channel, Outgoing.state, func.count(), func.min(Review.undo_until))
        .join(Review, Review.id == Outgoing.review_id)
        .where(Outgoing.state.in_(("waiting", "dead")))
        .group_by(Outgoing.channel, Outgoing.state)
    )
    return [Leaving(*row) for row in act.session.execute(query)]


def _read_log(act: Act) -> Log:
    head = act.session.get(AuditHead, 1)
    mark = act.session.execute(
        select(Checkpoint.number, Checkpoint.at).order_by(Checkpoint.number.desc()).limit(1)
    ).first()
    told = select(AuditLine.at, AuditLine.outcome).where(AuditLine.thing == _LOG, AuditLine.action == VERIFIED)
    last = act.session.execute(told.order_by(AuditLine.number.desc()).limit(1)).first()
    return Log(
        lines=0 if head is None else head.number,
        whole=head is None or head.seal == act.keys.seal_head(head.number, head.mac),
        marked=0 if mark is None else mark.number,
        marked_at=None if mark is None else mark.at,
        verified_at=None if last is None else last.at,
        verdict=None if last is None else last.outcome == "done",
        begun=act.session.scalar(select(AuditLine.at).where(AuditLine.number == 1)),
    )
