"""Whether the audit log is whole: no line changed, gone, added, moved or cut off the end. Knows no act of a visit.

One pass in constant memory: each line's mark is computed anew from the one before; checkpoints and anchor are
walked beside it, and the head at last.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, select

from prescreen.errors import InputError
from prescreen.store.anchors import MARKED, Mark, is_ours, read_anchor, write_moment
from prescreen.store.base import BROKEN, GENESIS, Store, audit_bytes
from prescreen.store.faults import say_faults
from prescreen.store.people import AuditHead, AuditLine, Checkpoint

_BATCH = 2000
_LINE = AuditLine.__table__
_MARK = Checkpoint.__table__
_UNREADABLE = (TypeError, ValueError, AttributeError, OverflowError)


class Verdict(NamedTuple):
    """What was found: `bad` is the first line that is not as it was written, `sentence` says what is wrong."""

    whole: bool
    sentence: str
    lines: int
    checkpoints: int
    anchored: int
    bad: int | None = None


class _Broken(Exception):
    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line, self.sentence = line, sentence


class _Marks:
    """Signed marks in order, beside the walk over the lines."""

    def __init__(self, marks: Iterator[Mark], name: str, public: Ed25519PublicKey) -> None:
        self._marks, self._name, self._public = marks, name, public
        self.met = 0
        self.last = -1
        self.next = self._step()

    def meet(self, number: int, mac: str) -> None:
        """Compare the line with the mark of its number, where there is one."""
        if self.next is None or self.next.number > number:
            return
        if self.next.number < number or self.next.mac != mac:
            raise _Broken(self.next.number, f"line {self.next.number} is not the one the {self._name} was taken of")
        self.met += 1
        self.last = number
        self.next = self._step()

    def end(self, lines: int) -> None:
        if self.next is not None:
            raise _Broken(
                lines + 1, f"the log ends at line {lines}, the {self._name} knows line {self.next.number}: cut off"
            )

    def _step(self) -> Mark | None:
        mark = next(self._marks, None)
        if mark is None:
            return None
        if mark.number <= self.last or not is_ours(mark, self._public):
            raise _Broken(mark.number, f"the {self._name} of line {mark.number} was not signed by this clinic")
        return mark


def verify(store: Store, anchor: Path | None = None, public_key: Ed25519PublicKey | None = None) -> Verdict:
    """Walk the whole log; the verdict names the first bad line. `public_key` is the auditor's own copy."""
    public = public_key or store.keys.public
    walk = _Walk(store)
    with say_faults(), store.engine.connect() as connection:
        connection = connection.execution_options(**_steady(connection))
        try:
            walk.run(connection, public, anchor)
        except _Broken as broken:
            return walk.tell(False, broken.sentence, broken.line)
        except InputError as error:
            return walk.tell(False, str(error), None)
    return walk.tell(True, f"{walk.lines} lines, each as it was written")


class _Walk:
    """Where the walk stands."""

    def __init__(self, store: Store) -> None:
        self.keys = store.keys
        self.lines, self.mac = 0, GENESIS
        self.marks: _Marks | None = None
        self.anchored: _Marks | None = None

    def run(self, connection: Connection, public: Ed25519PublicKey, anchor: Path | None) -> None:
        self.marks = _Marks(_read_marks(connection), "checkpoint", public)
        if anchor is not None:
            self.anchored = _Marks(read_anchor(anchor), "anchor", public)
        for line in _read_lines(connection):
            self._take(line)
        for marks in (self.marks, self.anchored):
            if marks is not None:
                marks.end(self.lines)
        self._check_head(connection)

    def tell(self, whole: bool, sentence: str, bad: int | None = None) -> Verdict:
        met = [0 if marks is None else marks.met for marks in (self.marks, self.anchored)]
        return Verdict(whole, sentence, self.lines, met[0], met[1], bad)

    def _take(self, line: Row[Any]) -> None:
        number = self.lines + 1
        if line.number != number:
            raise _Broken(number, f"line {number} is gone" if line.number > number else "a line was put before all")
        try:
            mac = self.keys.chain(self.mac, audit_bytes(line))
        except _UNREADABLE:
            raise _Broken(number, f"line {number} was changed: it cannot be read") from None
        if mac != line.mac:
            raise _Broken(number, f"line {number} was changed, moved or put in")
        if line.action == BROKEN:
            raise _Broken(number, f"line {number} notes that the end of the log had been changed before it")
        assert self.marks is not None
        if line.action == MARKED and line.detail != f'{{"number":{self.marks.last}}}':
            raise _Broken(number, f"the checkpoint that line {number} tells of is gone")
        for marks in (self.marks, self.anchored):
            if marks is not None:
                marks.meet(number, mac)
        self.lines, self.mac = number, mac

    def _check_head(self, connection: Connection) -> None:
        heads = list(connection.execute(select(AuditHead.__table__)))
        told = [(head.id, head.number, head.mac, head.seal) for head in heads]
        if told != [(1, self.lines, self.mac, self.keys.seal_head(self.lines, self.mac))]:
            raise _Broken(self.lines + 1, f"the log ends at line {self.lines}, its head says otherwise: cut off")


def _steady(connection: Connection) -> dict[str, Any]:
    """Options under which all is read as of one moment."""
    steady = {"isolation_level": "REPEATABLE READ"} if connection.dialect.name == "postgresql" else {}
    return {"reads_only": True, **steady}


def _read_lines(connection: Connection) -> Iterator[Row[Any]]:
    last, size = None, _BATCH
    while True:
        query = select(_LINE).order_by(_LINE.c.number).limit(size)
        try:
            batch = connection.execute(query if last is None else query.where(_LINE.c.number > last)).all()
        except _UNREADABLE:
            if size == 1:
                number = (last or 0) + 1
                raise _Broken(number, f"line {number} was changed: it cannot be read") from None
            size = 1
            continue
        if not batch:
            return
        yield from batch
        last = batch[-1].number


def _read_marks(connection: Connection) -> Iterator[Mark]:
    last = -1
    first = True
    while True:
        query = select(_MARK).order_by(_MARK.c.number).limit(_BATCH)
        try:
            batch = connection.execute(query if first else query.where(_MARK.c.number > last)).all()
            marks = [Mark(row.number, row.mac, write_moment(row.at), row.signature) for row in batch]
        except _UNREADABLE:
            raise _Broken(max(last, 0) + 1, f"a checkpoint after line {max(last, 0)} cannot be read") from None
        if not marks:
            return
        yield from marks
        last, first = marks[-1].number, False
