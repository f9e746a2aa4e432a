"""The store: a database, the keys, a clock; and an act, which is one transaction with its lines in the audit log.

SQLite (WAL, every commit on the disk) by default, PostgreSQL by its address. Knows no visit.
"""

import datetime
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, create_engine, event, make_url, select
from sqlalchemy.orm import Session

from prescreen.errors import ConflictError, GuardError
from prescreen.store.faults import say_faults
from prescreen.store.keys import Keys, seal, unseal
from prescreen.store.people import AuditHead, AuditLine
from prescreen.store.tables import Base, Patient
from prescreen.store.turns import Turns

Clock = Callable[[], datetime.datetime]
GENESIS = "0" * 64
BROKEN = "audit.broken"  # the end of the log was not as we left it
WAIT_S = 30


def now_utc() -> datetime.datetime:
    """The time now; a store takes another clock in tests."""
    return datetime.datetime.now(datetime.UTC)


def new_id() -> str:
    """A random id of 128 bits."""
    return secrets.token_hex(16)


class Who(NamedTuple):
    """Who acts: a user, a patient (by the visit), or a part of the service."""

    id: str
    role: str


class Act:
    """One transaction. `log` notes what is done; the lines are chained and written when the act ends well."""

    def __init__(self, session: Session, keys: Keys, now: datetime.datetime, who: Who) -> None:
        self.session, self.keys, self.now, self.who = session, keys, now, who
        self._lines: list[tuple[str, str, str, str]] = []
        self._opened: dict[str, bytes] = {}

    def log(self, action: str, thing: str = "", outcome: str = "done", **detail: str | int | float | None) -> None:
        """Note an action by codes and ids alone: never what somebody said, wrote or is called."""
        told = json.dumps(detail, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        self._lines.append((action, thing, outcome, told))

    def seal(self, patient: str, place: str, text: str) -> bytes:
        """Text under the patient's own key. `place` is table, column and row, e.g. "drafts|report|<id>"."""
        return seal(self._patient_key(patient), place, text.encode("utf-8", "surrogatepass"))

    def unseal(self, patient: str, place: str, sealed: bytes) -> str:
        return unseal(self._patient_key(patient), place, sealed).decode("utf-8", "surrogatepass")

    def lock(self, kind: type[Base], key: Any) -> Any:
        """A row nobody else changes until this act ends; ConflictError where it is gone."""
        found = self.session.get(kind, key, with_for_update=True, populate_existing=True)
        if found is None:
            raise ConflictError("this is not here any more; look at the list again")
        return found

    def write_lines(self) -> None:
        """Chain the lines to the log; called once, as the last thing before the commit.

        Where somebody moved the end of the log, that is noted as a line and the clinic goes on.
        """
        if not self._lines:
            return
        self.session.flush()
        head = self.session.get(AuditHead, 1, with_for_update=True, populate_existing=True)
        if head is None:
            head = AuditHead(id=1, number=0, mac=GENESIS, seal="")
            self.session.add(head)
        elif head.seal != self.keys.seal_head(head.number, head.mac):
            self._lines.insert(0, (BROKEN, "", "failed", json.dumps({"head": head.number})))
        for action, thing, outcome, detail in self._lines:
            line = AuditLine(
                number=head.number + 1,
                at=self.now,
                actor=self.who.id,
                role=self.who.role,
                action=action,
                thing=thing,
                outcome=outcome,
                detail=detail,
            )
            line.mac = self.keys.chain(head.mac, audit_bytes(line))
            self.session.add(line)
            head.number, head.mac = line.number, line.mac
        head.seal = self.keys.seal_head(head.number, head.mac)
        self._lines.clear()

    def _patient_key(self, patient: str) -> bytes:
        if patient not in self._opened:
            row = self.session.get(Patient, patient)
            if row is None or row.sealed_key is None:
                raise GuardError(f"patient {patient}: the key was destroyed; nothing of this patient can be read")
            self._opened[patient] = self.keys.open_patient(patient, row.key_version, row.sealed_key)
        return self._opened[patient]


def audit_bytes(line: AuditLine | Row[Any]) -> bytes:
    """What of a line is chained: everything but the mark itself."""
    at = line.at.astimezone(datetime.UTC).isoformat(timespec="microseconds")
    told = [line.number, at, line.actor, line.role, line.action, line.thing, line.outcome, line.detail]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


class Store:
    """A database with its keys. Acts of several threads and processes may overlap."""

    def __init__(self, url: str, keys: Keys, clock: Clock = now_utc) -> None:
        self.url, self.keys, self.clock = url, keys, clock
        self.engine = open_database(url)
        self.turns = Turns(WAIT_S) if url.startswith("sqlite") else None

    @contextmanager
    def act(self, who: Who) -> Iterator[Act]:
        """A transaction that may change things: all of it and its audit lines, or nothing."""
        with self._turn(), say_faults(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.connection()  # SQLite waits here for other processes: the act's time is that of its turn
            act = Act(session, self.keys, self.clock(), who)
            yield act
            act.write_lines()

    @contextmanager
    def look(self, who: Who) -> Iterator[Act]:
        """A transaction that only reads and leaves no line: for lists and checks, not for opening a chart."""
        with say_faults(), Session(self.engine, expire_on_commit=False) as session:
            session.connection(execution_options={"reads_only": True})
            yield Act(session, self.keys, self.clock(), who)

    def is_empty(self) -> bool:
        """Whether nothing was ever noted."""
        with Session(self.engine) as session:
            return not session.scalar(select(AuditHead.number))

    def close(self) -> None:
        self.engine.dispose()

    def _turn(self) -> AbstractContextManager[None]:
        """SQLite: the one turn of this process; a server orders its writers itself."""
        return self.turns.take() if self.turns is not None else nullcontext()


def open_database(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL; SQLite waits for other writers instead of failing."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True)
    make_private(url)
    connect = {"timeout": WAIT_S, "check_same_thread": False}
    engine = create_engine(url, connect_args=connect, pool_size=20, max_overflow=40, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say when a transaction begins
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reads_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def database_file(url: str) -> Path | None:
    """The file of an SQLite address; None for a server and for memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def make_private(url: str) -> None:
    """A new SQLite file is its owner's alone, in a folder of its owner's; its journals take after it."""
    path = database_file(url)
    if path is not None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
