"""Checkpoints of the audit log, signed with Ed25519, and the anchor: the same marks in a file outside the database.

Who can write the database but not the anchor cannot cut the log shorter than its last mark. Knows no way of sending
the file elsewhere: put it on another machine's disk, or on one that only grows.
"""

import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import func, select

from prescreen.errors import InputError
from prescreen.store.base import Act, Store, Who
from prescreen.store.people import AuditHead, Checkpoint

MARKER = Who("audit", "service")
MARKED = "audit.checkpoint"


class Mark(NamedTuple):
    """The end of the log at a moment, signed."""

    number: int
    mac: str
    at: str
    signature: str


def take_checkpoint(store: Store, anchor: Path | None = None, every: int = 1) -> Mark | None:
    """Sign the end of the log where it grew by `every` lines since the last mark; bring the anchor up to date."""
    mark = None
    with store.act(MARKER) as act:
        head = act.session.get(AuditHead, 1, with_for_update=True, populate_existing=True)
        last = act.session.scalar(select(func.max(Checkpoint.number))) or 0
        if head is not None and head.number - last > (1 if last else 0) and head.number - last >= every:
            mark = _sign(act, head)
    if anchor is not None:
        _catch_up(store, anchor)
    return mark


def told(number: int, mac: str, at: str) -> bytes:
    """What is signed."""
    return f"{number}|{mac}|{at}".encode()


def is_ours(mark: Mark, public: Ed25519PublicKey) -> bool:
    """Whether the clinic's key signed it."""
    try:
        public.verify(bytes.fromhex(mark.signature), told(mark.number, mark.mac, mark.at))
    except (InvalidSignature, ValueError):
        return False
    return True


def write_moment(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).isoformat(timespec="microseconds")


def read_anchor(anchor: Path) -> Iterator[Mark]:
    """The marks of an anchor in order. A line torn by a power cut counts for nothing where it was written again."""
    if not anchor.is_file():
        raise InputError("there is no anchor here; name the file the checkpoints are written to", file=anchor)
    torn, at = "", 0
    with anchor.open(encoding="utf-8", errors="replace") as handle:
        for at, line in enumerate(handle, 1):
            mark = _parse(line)
            if torn and not line.startswith(torn):
                raise InputError("the anchor was changed here; compare it with its copy", file=anchor, line=at - 1)
            torn = "" if mark else line.rstrip("\n")
            if mark:
                yield mark
            elif not torn:
                raise InputError("the anchor has an empty line; compare it with its copy", file=anchor, line=at)
    if torn and line.endswith("\n"):
        raise InputError("the anchor was changed here; compare it with its copy", file=anchor, line=at)


def _sign(act: Act, head: AuditHead) -> Mark:
    at = write_moment(act.now)
    signature = act.keys.signer.sign(told(head.number, head.mac, at)).hex()
    act.session.add(Checkpoint(number=head.number, at=act.now, mac=head.mac, signature=signature))
    act.log(MARKED, number=head.number)
    return Mark(head.number, head.mac, at, signature)


def _catch_up(store: Store, anchor: Path) -> None:
    last = 0
    if anchor.exists():
        for mark in read_anchor(anchor):
            last = mark.number
    with store.look(MARKER) as act:
        query = select(Checkpoint).where(Checkpoint.number > last).order_by(Checkpoint.number)
        marks = [
            Mark(row.number, row.mac, write_moment(row.at), row.signature) for row in act.session.scalars(query)
        ]
    if marks:
        _append(anchor, marks)


def _append(anchor: Path, marks: list[Mark]) -> None:
    anchor.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(mark._asdict(), sort_keys=True) + "\n" for mark in marks)
    handle = os.open(anchor, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            text = "\n" + text
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _parse(line: str) -> Mark | None:
    try:
        told = json.loads(line)
        return Mark(int(told["number"]), str(told["mac"]), str(told["at"]), str(told["signature"]))
    except (ValueError, TypeError, KeyError):
        return None
