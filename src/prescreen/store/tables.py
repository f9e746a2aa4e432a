"""The tables. What a person said or is called stands in sealed bytes; ids, levels, states and times stand open, for
the queue sorts by them. Knows no act.
"""

import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, LargeBinary, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Moment(TypeDecorator[datetime.datetime]):
    """A moment in UTC, aware in Python and naive in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Any) -> datetime.datetime | None:
        if value is None:
            return None
        assert value.tzinfo is not None, "a moment needs its time zone"
        return value.astimezone(datetime.UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime.datetime | None, dialect: Any) -> datetime.datetime | None:
        return None if value is None else value.replace(tzinfo=datetime.UTC)


class Base(DeclarativeBase):
    """All tables; names of constraints are fixed, so that migrations can find them."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {
        datetime.datetime: Moment,
        str: String(64),
        bytes: LargeBinary,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


class Patient(Base):
    """A person, by a random id. `sealed_key` is the patient's own key under the clinic's; gone means shredded."""

    __tablename__ = "patients"
    id: Mapped[str] = mapped_column(primary_key=True)
    look: Mapped[bytes | None] = mapped_column(unique=True)  # keyed hash of the record's own identifier
    key_version: Mapped[int]
    sealed_key: Mapped[bytes | None]
    link: Mapped[bytes | None]  # sealed clinic.signed.PatientLink
    training: Mapped[bool] = mapped_column(default=False)  # may signed visits train the next version?
    hold: Mapped[bool] = mapped_column(default=False)  # legal hold: must not be shredded
    created: Mapped[datetime.datetime]
    shredded: Mapped[datetime.datetime | None]


class Visit(Base):
    """One contact. `level` is the higher of rules and draft so far, None while nothing has assessed it."""

    __tablename__ = "visits"
    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    team: Mapped[str]
    language: Mapped[str]
    channel: Mapped[str]
    state: Mapped[str]  # intake | waiting | asked | signed | left
    version: Mapped[int] = mapped_column(default=1)
    opened: Mapped[datetime.datetime]
    finished: Mapped[datetime.datetime | None]
    urgent: Mapped[datetime.datetime | None]  # when a red flag of an emergency was first said
    level: Mapped[int | None]
    level_rules: Mapped[int | None]
    level_model: Mapped[int | None]
    blind: Mapped[bool] = mapped_column(default=False)  # the nurse decides before the draft is shown
    assigned_to: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    escalated: Mapped[datetime.datetime | None]
    locked_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    locked_until: Mapped[datetime.datetime | None]
    interview: Mapped[bytes | None]  # sealed state of the interview
    case: Mapped[bytes | None]  # sealed clinic.case.Case as of now
    unasked: Mapped[bytes | None]  # sealed list of what a nurse must know was not asked
    record: Mapped[bytes | None]  # sealed history read from the record
    draft_id: Mapped[str | None]
    __table_args__ = (Index("ix_visits_queue", "state", "level", "finished"),)


class Entry(Base):
    """What was said and done on a visit, in order, never changed."""

    __tablename__ = "entries"
    id: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), index=True)
    number: Mapped[int]
    at: Mapped[datetime.datetime]
    kind: Mapped[str]  # answer | alert | question | vitals | handover | claim | seen | blind
    actor: Mapped[str]
    body: Mapped[bytes]
    __table_args__ = (Index("uq_entries_visit_number", "visit_id", "number", unique=True),)


class Draft(Base):
    """A drafted report, never changed; `label` names the model, empty where the rules alone drafted."""

    __tablename__ = "drafts"
    id: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), index=True)
    at: Mapped[datetime.datetime]
    level: Mapped[int]
    label: Mapped[dict[str, Any] | None]
    why: Mapped[str] = mapped_column(Text, default="")  # why there is no model's draft
    report: Mapped[bytes]


class Shadow(Base):
    """What a candidate on trial would have drafted: shown to nobody, and no level but its own is touched by it.

    `draft_id` is the draft it stands beside, `level` None where the candidate gave no report.
    """

    __tablename__ = "shadows"
    id: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), index=True)
    draft_id: Mapped[str]
    release: Mapped[str]  # the candidate's key: exactly its gate and weights
    at: Mapped[datetime.datetime]
    level: Mapped[int | None]  # behind the rules
    level_model: Mapped[int | None]  # the candidate's own
    label: Mapped[dict[str, Any]]
    why: Mapped[str] = mapped_column(Text, default="")  # why there is no draft
    seconds: Mapped[float]
    report: Mapped[bytes]
    __table_args__ = (Index("uq_shadows_draft_release", "draft_id", "release", unique=True),)


class Review(Base):
    """A signature. `body` is the sealed SignedVisit, `seen` the SHA-256 of what the signer had before them."""

    __tablename__ = "reviews"
    id: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), index=True)
    draft_id: Mapped[str | None]
    signer: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime.datetime]
    state: Mapped[str]  # signed | undone
    level: Mapped[int]
    level_before: Mapped[int | None]
    blind_level: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="")
    edited: Mapped[bool] = mapped_column(default=False)
    seconds: Mapped[float]
    undo_until: Mapped[datetime.datetime]
    corrects: Mapped[str | None]
    seen: Mapped[str]
    body: Mapped[bytes]


class Outgoing(Base):
    """A signature on its way through one channel."""

    __tablename__ = "outgoing"
    id: Mapped[str] = mapped_column(primary_key=True)
    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"), index=True)
    channel: Mapped[str]
    state: Mapped[str]  # waiting | sent | dead | cancelled
    due: Mapped[datetime.datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None]
    lease_until: Mapped[datetime.datetime | None]
    receipt: Mapped[str] = mapped_column(String(256), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    sent: Mapped[datetime.datetime | None]
    __table_args__ = (
        Index("ix_outgoing_due", "state", "due"),
        Index("uq_outgoing_review_channel", "review_id", "channel", unique=True),
    )


class Outcome(Base):
    """What became of a patient within 72 hours of a visit's signature, as far as anybody could tell."""

    __tablename__ = "outcomes"
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), primary_key=True)
    since: Mapped[datetime.datetime]  # the signature it is counted from
    state: Mapped[str]  # asked | found | nothing | unknown
    source: Mapped[str]  # record | file
    why: Mapped[str] = mapped_column(default="")  # a code, where it is unknown
    due: Mapped[datetime.datetime]  # when it is asked again
    attempts: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str | None]
    at: Mapped[datetime.datetime | None]
    level: Mapped[int | None]
    __table_args__ = (Index("ix_outcomes_due", "state", "due"),)


class Job(Base):
    """Work for the model: `draft` a report or find the next `question`."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), index=True)
    kind: Mapped[str]
    state: Mapped[str]  # waiting | done | failed
    due: Mapped[datetime.datetime]
    deadline: Mapped[datetime.datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None]
    lease_until: Mapped[datetime.datetime | None]
    __table_args__ = (Index("ix_jobs_due", "state", "due"),)


class Resource(Base):
    """One version of a resource of the embedded FHIR endpoint."""

    __tablename__ = "resources"
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime.datetime]
    is_current: Mapped[bool]
    subject: Mapped[bytes | None]  # keyed hash of the patient's reference
    body: Mapped[bytes]
    __table_args__ = (
        Index("ix_resources_current", "kind", "is_current", "at"),
        Index("ix_resources_subject", "subject"),
    )


class ResourceKey(Base):
    """A business identifier of a resource's newest version, as a keyed hash: once with its system, once without."""

    __tablename__ = "resource_keys"
    kind: Mapped[str] = mapped_column(primary_key=True)
    look: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    __table_args__ = (Index("ix_resource_keys_id", "kind", "id"),)


class IncidentRow(Base):
    """A report that something went wrong on a visit. What was written of it is sealed under the patient's key."""

    __tablename__ = "incidents"
    id: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), index=True)
    at: Mapped[datetime.datetime]
    reporter: Mapped[str]
    kind: Mapped[str]  # clinic.incident.KINDS
    severity: Mapped[str]
    state: Mapped[str]  # open | assessed | closed
    hazard: Mapped[str | None]  # of the hazard log, "H01"
    assessed: Mapped[datetime.datetime | None]
    assessed_by: Mapped[str | None]
    outcome: Mapped[str | None]
    closed: Mapped[datetime.datetime | None]
    closed_by: Mapped[str | None]
    case_id: Mapped[str | None]  # the regression case made of it
    report: Mapped[bytes]
    assessment: Mapped[bytes | None]
    conclusion: Mapped[bytes | None]
