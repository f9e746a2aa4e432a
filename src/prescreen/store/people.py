"""The tables of people, sessions and the audit log. Knows no act."""

import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from prescreen.store.tables import Base


class User(Base):
    """A member of staff. `password` is an argon2 hash; `totp` the sealed secret of the second factor."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(160))
    role: Mapped[str]  # nurse | physician | admin | auditor
    teams: Mapped[list[str]]
    reference: Mapped[str | None] = mapped_column(String(160))  # "Practitioner/7"
    password: Mapped[str | None] = mapped_column(String(256))
    totp: Mapped[bytes | None]
    totp_last: Mapped[int] = mapped_column(default=0)  # the last time step used: a code works once
    issuer: Mapped[str | None] = mapped_column(String(256))
    subject: Mapped[str | None] = mapped_column(String(256))
    disabled: Mapped[bool] = mapped_column(default=False)
    must_change: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime.datetime]
    __table_args__ = (Index("uq_users_issuer_subject", "issuer", "subject", unique=True),)


class Session(Base):
    """A sign-in, or a patient's hold on one visit. `id` is the SHA-256 of the cookie."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    visit_id: Mapped[str | None] = mapped_column(ForeignKey("visits.id"), index=True)
    role: Mapped[str]
    csrf: Mapped[str]
    begun: Mapped[datetime.datetime]
    seen: Mapped[datetime.datetime]
    ends: Mapped[datetime.datetime]
    proved: Mapped[datetime.datetime | None]  # when the person last proved who they are (step-up)
    ended: Mapped[datetime.datetime | None]


class Attempt(Base):
    """Tries in a window of time, by a keyed hash of what is throttled (a login, an address, a code)."""

    __tablename__ = "attempts"
    look: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime.datetime]
    count: Mapped[int]


class Pass(Base):
    """A code that opens one visit for its patient: an invitation, or the code to go on later."""

    __tablename__ = "passes"
    look: Mapped[str] = mapped_column(primary_key=True)  # keyed hash of the code
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), index=True)
    kind: Mapped[str]  # invite | resume
    ends: Mapped[datetime.datetime]
    used: Mapped[datetime.datetime | None]


class Grant(Base):
    """A broken glass: one person, one visit, for a while; someone else must look at it afterwards."""

    __tablename__ = "grants"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"), index=True)
    reason: Mapped[bytes]  # sealed with the clinic's key
    at: Mapped[datetime.datetime]
    ends: Mapped[datetime.datetime]
    looked_by: Mapped[str | None]
    looked_at: Mapped[datetime.datetime | None]


class SeenToken(Base):
    """A token's id that must not come twice."""

    __tablename__ = "seen_tokens"
    look: Mapped[str] = mapped_column(primary_key=True)
    ends: Mapped[datetime.datetime]


class Notice(Base):
    """A hand-over note of a team."""

    __tablename__ = "notices"
    id: Mapped[str] = mapped_column(primary_key=True)
    team: Mapped[str]
    at: Mapped[datetime.datetime]
    author: Mapped[str] = mapped_column(ForeignKey("users.id"))
    body: Mapped[bytes]  # sealed with the clinic's key


class AuditLine(Base):
    """Who did what to which thing, in order. `mac` chains each line to all before it; nothing said is in here."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime.datetime]
    actor: Mapped[str]
    role: Mapped[str]
    action: Mapped[str]
    thing: Mapped[str] = mapped_column(String(128))
    outcome: Mapped[str]
    detail: Mapped[str] = mapped_column(Text)  # canonical JSON of codes and ids
    mac: Mapped[str]
    __table_args__ = (Index("ix_audit_thing", "thing"),)


class AuditHead(Base):
    """The end of the chain, in one row: what every act waits for. Without the keys nobody can write its `seal`."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    mac: Mapped[str]
    seal: Mapped[str]


class Checkpoint(Base):
    """The head at a moment, signed with Ed25519; the same line goes to the anchor outside."""

    __tablename__ = "checkpoints"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime.datetime]
    mac: Mapped[str]
    signature: Mapped[str] = mapped_column(String(128))
