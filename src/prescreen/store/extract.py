"""The audit log for an auditor: all of it as JSON lines or CSV, or what concerns one visit. It holds codes, ids and
times; nothing said and no patient's name is in it. Knows no verdict: `audit` gives that.
"""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sqlalchemy import or_, select

from prescreen.clinic.cells import defuse
from prescreen.errors import InputError
from prescreen.store.base import Act, Store, Who
from prescreen.store.people import AuditLine
from prescreen.store.tables import Review

AUDITOR: Final = Who("audit", "service")
_BATCH: Final = 2000


class Line(NamedTuple):
    """One line of the log as it is shown."""

    number: int
    at: str
    actor: str
    role: str
    action: str
    thing: str
    outcome: str
    detail: str
    mac: str


def export(store: Store, out: Path, form: Literal["jsonl", "csv"]) -> int:
    """Write the whole log to a new file; the number of lines. Constant memory."""
    count = 0
    try:
        handle = os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise InputError("is there already; name a new file", file=out) from None
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file, store.look(AUDITOR) as act:
        sheet = csv.writer(file)
        if form == "csv":
            sheet.writerow(Line._fields)
        for line in _read_all(act):
            count += 1
            if form == "csv":
                sheet.writerow([line.number, *(defuse(cell) for cell in line[1:])])
            else:
                file.write(json.dumps(line._asdict(), ensure_ascii=False) + "\n")
    return count


def read_visit(act: Act, visit_id: str) -> list[Line]:
    """All that was done with one visit, in order."""
    signatures = select(Review.id).where(Review.visit_id == visit_id)
    query = (
        select(AuditLine)
        .where(or_(AuditLine.thing == visit_id, AuditLine.thing.in_(signatures)))
        .order_by(AuditLine.number)
    )
    return [_show(line) for line in act.session.scalars(query)]


def read_page(act: Act, *, before: int, action: str, actor: str, limit: int) -> list[Line]:
    """The newest lines before a number (0: the newest), narrowed by how the action begins and by who acted."""
    query = select(AuditLine).order_by(AuditLine.number.desc()).limit(limit)
    if before:
        query = query.where(AuditLine.number < before)
    if action:
        query = query.where(AuditLine.action.startswith(action, autoescape=True))
    if actor:
        query = query.where(AuditLine.actor == actor)
    return [_show(line) for line in act.session.scalars(query)]


def _read_all(act: Act) -> Iterator[Line]:
    last = -1
    while True:
        query = select(AuditLine).where(AuditLine.number > last).order_by(AuditLine.number).limit(_BATCH)
        lines = list(act.session.scalars(query))
        if not lines:
            return
        yield from map(_show, lines)
        last = lines[-1].number
        act.session.expunge_all()


def _show(line: AuditLine) -> Line:
    at = line.at.isoformat(timespec="microseconds")
    return Line(
        line.number, at, line.actor, line.role, line.action, line.thing, line.outcome, line.detail, line.mac
    )
