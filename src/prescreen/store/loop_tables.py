"""The tables of the learning loop: drafts nobody saw, what became of patients, incidents. Knows no act."""

import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from prescreen.store.tables import Base


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


class AcceptedRow(Base):
    """A change of a signal that a person accepted: from the week of `since` on it has a new reference."""

    __tablename__ = "accepted_changes"
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime.datetime]
    signal: Mapped[str]
    since: Mapped[str]  # a Monday, as calendars write a date
    by: Mapped[str]
    why: Mapped[str] = mapped_column(Text)
