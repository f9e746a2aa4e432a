"""Drafts of a visit, and the worker's claim on the work: a job is a lease, so what a dead worker held comes back.

A draft never lowers a waiting visit, however late it comes. Knows no engine.
"""

import datetime
from typing import Final, NamedTuple

from sqlalchemy import Select, func, select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel
from prescreen.store.base import Act, new_id
from prescreen.store.leases import is_due, is_free
from prescreen.store.record import add_record
from prescreen.store.tables import Draft, Job, Visit
from prescreen.store.visits import lock_visit, raise_level, read_case

LEASE: Final = datetime.timedelta(seconds=120)
TRIES: Final = 3
FARTHEST: Final = datetime.timedelta(minutes=10)


class Work(NamedTuple):
    """A job under lease: the case as it stood, and its version, so that a stale draft is known."""

    job_id: str
    visit_id: str
    kind: str
    case: Case
    version: int
    attempts: int
    deadline: datetime.datetime


def is_work_due(act: Act, lease: datetime.timedelta = LEASE) -> bool:
    """Whether `take_job` would find one: a look takes no turn from anybody."""
    return act.session.scalar(_due(act, lease).with_only_columns(Job.id)) is not None


def take_job(act: Act, worker: str, lease: datetime.timedelta = LEASE) -> Work | None:
    """The most urgent job that is due and nobody holds, now held by `worker`; None where there is nothing to do."""
    job = act.session.scalar(_due(act, lease).with_for_update(of=Job, skip_locked=True))
    if job is None:
        return None
    visit = act.session.get_one(Visit, job.visit_id)
    job.lease, job.lease_until, job.attempts = worker, act.now + lease, job.attempts + 1
    case = add_record(act, visit, read_case(act, visit))
    return Work(job.id, visit.id, job.kind, case, visit.version, job.attempts, job.deadline)


def finish_job(act: Act, work: Work, worker: str, report: Report, label: ModelLabel | None) -> Draft | None:
    """Attach the draft, unless another worker was first or the case has changed since (then it is drafted anew)."""
    visit = lock_visit(act, work.visit_id)  # visit before job, as everywhere: two acts never wait for each other
    job: Job = act.lock(Job, work.job_id)
    if job.state != "waiting" or job.lease != worker:
        return None
    job.state = "done"
    if visit.state not in ("waiting", "asked"):
        return None
    return attach_draft(act, visit, report, label)


def attach_draft(act: Act, visit: Visit, report: Report, label: ModelLabel | None) -> Draft:
    """Keep a draft and show it to the nurse; the visit's level may rise by it."""
    draft = Draft(
        id=new_id(),
        visit_id=visit.id,
        at=act.now,
        level=report.acuity.rank,
        label=None if label is None else label.model_dump(),
        why=report.no_draft_reason,
        report=b"",
    )
    draft.report = act.seal(visit.patient_id, f"drafts|report|{draft.id}", report.model_dump_json())
    act.session.add(draft)
    visit.draft_id = draft.id
    visit.version += 1
    if report.rule_acuity is not None:
        raise_level(visit, report.rule_acuity, of_rules=True)
    if report.model_acuity is not None:
        visit.level_model = report.model_acuity.rank
    raise_level(visit, report.acuity)
    act.log("visit.draft", visit.id, draft=draft.id, level=report.acuity.value, model=int(label is not None))
    return draft


def put_off(act: Act, job_id: str, worker: str, wait: datetime.timedelta) -> None:
    """Give a job back for a later try."""
    job: Job = act.lock(Job, job_id)
    if job.lease == worker and job.state == "waiting":
        job.lease = job.lease_until = None
        job.due = act.now + wait


def read_draft(act: Act, visit: Visit, draft: Draft) -> Report:
    """A drafted report, opened."""
    return Report.model_validate_json(act.unseal(visit.patient_id, f"drafts|report|{draft.id}", draft.report))


def _due(act: Act, lease: datetime.timedelta) -> Select[Job]:
    due = (Job.state == "waiting", is_due(act, Job.due, FARTHEST), is_free(act, Job, lease))
    query = select(Job).join(Visit, Visit.id == Job.visit_id).where(*due)
    standing = func.coalesce(
        Visit.level, Acuity.HIGH.rank
    )  # as `visits.standing`; databases sort NULL as they like
    return query.order_by(standing.desc(), Job.due).limit(1)
