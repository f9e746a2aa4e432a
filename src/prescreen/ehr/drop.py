"""A channel of files: each signature becomes one whole file in a folder that another system reads and empties.

Knows how to store once and whole, also when killed between any two steps; not what the bytes are. Names hold ids
of signatures only. Beside the files stands `.prescreen/`: what was delivered stays known after it was taken away.
"""

import datetime
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, ValidationError

from prescreen.clinic.contact import Later
from prescreen.clinic.signed import SignedVisit
from prescreen.config import Strict
from prescreen.ehr.channel import DeliveryError, History, Receipt
from prescreen.errors import GuardError

LEDGER: Final = ".prescreen"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_ENDING = re.compile(r"(?:\.[A-Za-z0-9]{1,12}){1,3}")


class Dropped(Strict):
    """One line of the ledger: a delivery that has been decided. It is done once its `.part` has got its name."""

    sha256: str
    at: AwareDatetime


class DropChannel:
    """`write` makes the bytes of a visit, always the same of the same; `ending` is e.g. ".json" or ".hl7".

    Order of a delivery: the whole file under a hidden name, its line in the ledger, then its name, each on the
    disk before the next. So a hidden file with a line only wants its name, a line without one was delivered, and a
    hidden file alone is what a kill left over.
    """

    can_be_asked = True

    def __init__(self, folder: Path, write: Callable[[SignedVisit], bytes], ending: str) -> None:
        if not _ENDING.fullmatch(ending):
            raise GuardError(f'a file ending is a dot and letters, like ".json", not {ending!r}')
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise GuardError(f"{folder} must be a folder this service may write into; make it or change its owner")
        self.name = "drop"
        self.folder, self.write, self.ending = folder, write, ending
        self.ledger = folder / LEDGER

    def deliver(self, visit: SignedVisit) -> Receipt:
        """Store the file once; the same receipt at every further call, also after the file was taken away."""
        name = self._name(visit.id)
        data = self.write(visit)
        digest = hashlib.sha256(data).hexdigest()
        try:
            with self._alone():
                self._settle(name)
                known = self._read(name)
                if known is None:
                    known = self._look(name) or Dropped(sha256=digest, at=datetime.datetime.now(datetime.UTC))
                    self._store(name, data, known)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DeliveryError(
                f"the drop folder cannot be written ({reason}); it is tried again", lasting=False
            ) from None
        if known.sha256 != digest:
            raise DeliveryError(
                f"{name} was delivered with other contents; compare both and decide by hand",
                lasting=True,
            )
        return Receipt(name, known.at)

    def find(self, signature: str) -> Receipt | None:
        """The receipt of what was delivered, whether the file is still there or was taken away."""
        name = self._name(signature)
        try:
            with self._alone():
                self._settle(name)
                known = self._read(name) or self._look(name)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DeliveryError(f"the drop folder cannot be read ({reason})", lasting=False) from None
        return Receipt(name, known.at) if known else None

    def read_history(self, reference: str) -> History:
        """Always an error: no history comes this way."""
        raise DeliveryError("a drop folder cannot be asked for a history", lasting=True)

    def read_aftermath(self, signature: str, reference: str | None, since: datetime.datetime) -> Later | None:
        """Always an error: it is not known, which is not the same as nothing."""
        raise DeliveryError("a drop folder cannot be asked what came after", lasting=True)

    def _name(self, signature: str) -> str:
        if not _ID.fullmatch(signature):
            raise DeliveryError("the signature's id cannot be a file name; it must be a UUID", lasting=True)
        return signature + self.ending

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One delivery at a time, over threads and processes."""
        self.folder.stat()  # a folder that is not mounted must not be made anew
        self.ledger.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self.ledger / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _settle(self, name: str) -> None:
        """Finish what a kill interrupted: give a decided file its name, remove an undecided one."""
        hidden = self.ledger / f"{name}.part"
        if not hidden.exists():
            return
        if self._read(name) is None:
            hidden.unlink()
        else:
            hidden.replace(self.folder / name)
            _sync(self.folder)

    def _store(self, name: str, data: bytes, entry: Dropped) -> None:
        """File, line, name; where the file is there already, only the line."""
        there = (self.folder / name).exists()
        hidden, line = self.ledger / f"{name}.part", self.ledger / f"{name}.part.line"
        try:
            if not there:
                _write(hidden, data)
            _write(line, entry.model_dump_json().encode())
        except OSError:
            hidden.unlink(missing_ok=True)
            line.unlink(missing_ok=True)
            raise
        line.replace(self.ledger / f"{name}.line")
        _sync(self.ledger)
        if not there:
            hidden.replace(self.folder / name)
            _sync(self.folder)

    def _read(self, name: str) -> Dropped | None:
        path = self.ledger / f"{name}.line"
        if not path.exists():
            return None
        try:
            return Dropped.model_validate_json(path.read_bytes())
        except ValidationError:
            raise DeliveryError(f"{path} was changed by hand; compare and remove it", lasting=True) from None

    def _look(self, name: str) -> Dropped | None:
        """A file of that name without a line: the ledger was lost, or another program wrote it."""
        path = self.folder / name
        if not path.exists():
            return None
        at = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
        return Dropped(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), at=at)


def _write(path: Path, data: bytes) -> None:
    """The bytes on the disk, for the owner alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
