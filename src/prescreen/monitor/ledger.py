"""The ledger of releases: every act of a release's life, one line each, chained by hash and signed by the clinic.

Each line is a line of the clinic's audit log as well, which is how a ledger cut short is found. Without a store it
is chained and not signed, and says so. Knows files, keys and the audit log; knows nothing of what a release is.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AwareDatetime, ValidationError

from prescreen.config import Strict
from prescreen.errors import GuardError
from prescreen.store.base import Clock, Store, Who
from prescreen.store.releases import Note, list_notes, note_line

NAME: Final = "ledger.jsonl"
START: Final = "0" * 64
Deed = Literal[
    "proposed", "held", "shadow began", "shadow judged", "canary began", "canary judged", "approved", "promoted",
    "rolled back", "retired",
]  # fmt: skip
Detail = Mapping[str, str | int | float | None]


class Line(Strict):
    """One act. `release` is the key of what it is about, `before` the hash of the line before."""

    number: int
    at: AwareDatetime
    deed: Deed
    who: str
    role: str
    release: str
    detail: dict[str, str | int | float | None]
    before: str
    hash: str = ""
    signature: str = ""  # Ed25519; empty where no store was there

    def chained(self) -> str:
        """The hash that binds this line and all before it."""
        told = self.model_dump(mode="json", exclude={"hash", "signature"})
        return sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def told(self) -> bytes:
        """What is signed."""
        return f"release ledger|{self.number}|{self.hash}".encode()


class Verdict(NamedTuple):
    """What was found; `bad` is the first line that is not as it was written."""

    whole: bool
    sentence: str
    lines: int
    signed: int
    bad: int | None = None


class Ledger:
    """The ledger in a folder of releases; with a store each line is signed and noted in its audit log."""

    def __init__(self, folder: Path, clock: Clock, store: Store | None = None) -> None:
        self.path, self.clock, self.store = folder / NAME, clock, store

    def append(self, deed: Deed, who: Who, release: str, **detail: str | int | float | None) -> Line:
        """Add a line: on the disk, and in the audit log, or neither."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self.check_signer()
            lines = read_lines(self.path)
            line = Line(
                number=len(lines) + 1,
                at=self.clock(),
                deed=deed,
                who=who.id,
                role=who.role,
                release=release,
                detail=dict(detail),
                before=lines[-1].hash if lines else START,
            )
            line = line.model_copy(update={"hash": line.chained()})
            if self.store is None:
                self._write(line)
                return line
            return self._write_noted(self.store, line, lines, who)

    def check_signer(self) -> None:
        """GuardError where a clinic's ledger would get a line nobody signs."""
        lines = read_lines(self.path)
        if self.store is None and lines and lines[-1].signature:
            raise GuardError(f"{self.path}: is signed by a clinic; name its folder with --data")

    def read(self) -> list[Line]:
        """All lines; GuardError where one is not what follows the one before, or was signed by somebody else."""
        verdict = check_lines(self.path, None if self.store is None else self.store.keys.public)
        if not verdict.whole:
            raise GuardError(
                f"{self.path}: {verdict.sentence}; nothing is promoted on it, compare it with its copy"
            )
        return read_lines(self.path)

    def verify(self) -> Verdict:
        """The chain, the signatures and, with a store, whether the audit log knows the same lines."""
        if self.store is None:
            return check_lines(self.path, None)
        verdict = check_lines(self.path, self.store.keys.public)
        if not verdict.whole:
            return verdict
        with self.store.look(Who("ledger", "service")) as look:
            notes = list_notes(look)
        return compare_notes(read_lines(self.path), notes, verdict)

    def _write_noted(self, store: Store, line: Line, lines: Sequence[Line], who: Who) -> Line:
        size = self.path.stat().st_size if self.path.exists() else 0
        line = line.model_copy(update={"signature": store.keys.signer.sign(line.told()).hex()})
        try:
            with store.act(who) as act:
                known = {note.line for note in list_notes(act)}
                for late in lines:  # signed, and its writer died before the audit log had it
                    if late.signature and late.number not in known:
                        note_line(act, late.deed, late.release, late.number, late.hash)
                note_line(act, line.deed, line.release, line.number, line.hash)
                self._write(line)
        except BaseException:
            if self.path.exists():
                os.truncate(self.path, size)
            raise
        return line

    def _write(self, line: Line) -> None:
        """One whole line on the disk; what a power cut left of an earlier one goes first."""
        handle = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            kept = os.pread(handle, os.fstat(handle).st_size, 0)
            end = kept.rfind(b"\n") + 1
            os.ftruncate(handle, end)
            os.pwrite(handle, line.model_dump_json().encode() + b"\n", end)
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.path.with_name(f".{NAME}.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def read_lines(path: Path) -> list[Line]:
    """The lines as they stand, unchecked but for their form; a last one without its end was never finished."""
    if not path.exists():
        return []
    *whole, _torn = path.read_text(encoding="utf-8", errors="replace").split("\n")
    found = []
    for number, text in enumerate(whole, 1):
        try:
            found.append(Line.model_validate_json(text))
        except ValidationError:
            raise GuardError(f"{path}: line {number} cannot be read; compare it with its copy") from None
    return found


def check_lines(path: Path, public: Ed25519PublicKey | None) -> Verdict:
    """Chain and signatures. Lines of a time without a store may be unsigned, none after the first signed one."""
    try:
        lines = read_lines(path)
    except GuardError as error:
        return Verdict(False, str(error), 0, 0, None)
    before, signed = START, 0
    for number, line in enumerate(lines, 1):
        if line.number != number or line.before != before:
            return Verdict(False, f"line {number} does not follow the one before: moved, put in or taken out",
                           len(lines), signed, number)  # fmt: skip
        if line.hash != line.chained():
            return Verdict(False, f"line {number} was changed", len(lines), signed, number)
        if line.signature and public is not None and not is_signed(line, public):
            return Verdict(False, f"line {number} was not signed by this clinic", len(lines), signed, number)
        if signed and not line.signature:
            return Verdict(False, f"line {number} is not signed, those before are", len(lines), signed, number)
        before, signed = line.hash, signed + bool(line.signature)
    return Verdict(True, f"{len(lines)} lines, each as it was written; {signed} signed", len(lines), signed)


def is_signed(line: Line, public: Ed25519PublicKey) -> bool:
    """Whether the clinic's key signed this line."""
    try:
        public.verify(bytes.fromhex(line.signature), line.told())
    except (InvalidSignature, ValueError):
        return False
    return True


def compare_notes(lines: Sequence[Line], notes: Sequence[Note], verdict: Verdict) -> Verdict:
    """Whether the audit log knows exactly the signed lines. The very last may miss: its writer died in between."""
    hashes = {line.number: line.hash for line in lines}
    for note in notes:
        if note.line not in hashes:
            return verdict._replace(
                whole=False, sentence=f"the audit log knows line {note.line}: cut off", bad=len(lines) + 1
            )
        if hashes[note.line] != note.hash:
            return verdict._replace(whole=False, sentence=f"line {note.line} is another one", bad=note.line)
    known = {note.line for note in notes}
    missing = [line.number for line in lines if line.signature and line.number not in known]
    if missing and missing != [len(lines)]:
        return verdict._replace(
            whole=False, sentence=f"the audit log does not know line {missing[0]}", bad=missing[0]
        )
    return verdict
