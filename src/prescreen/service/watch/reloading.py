"""The release may change while the service runs: promoted, rolled back, a candidate on trial. Noticed in a second.

The files' marks are looked at, never their content; what changed is opened anew, and the rules draft meanwhile.
Knows how a house opens its engine; judges nothing.
"""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Final

from prescreen.errors import PrescreenError
from prescreen.monitor.ledger import Ledger, Line
from prescreen.monitor.shelf import CANARY, SHADOW
from prescreen.pipeline import Stages
from prescreen.release import CURRENT
from prescreen.service.engine.engines import Endpoint, Released
from prescreen.service.house import House
from prescreen.service.watch.trial import open_trial

TOLD_FOR: Final = datetime.timedelta(days=7)  # how long the staff read of a rollback
Mark = tuple[int, int, int] | None


class Reloader:
    """Looks at the folder of releases and opens what changed. Made before the engine; called by one thread."""

    def __init__(self, house: House, stages: Stages, reopen: Callable[[], None]) -> None:
        settings = house.settings.engine
        assert isinstance(settings, Released | Endpoint)
        self.house, self.stages, self.reopen, self.folder = house, stages, reopen, settings.releases
        self.current = mark_of(self.folder / CURRENT)
        self.trial: tuple[Mark, Mark] | None = None  # not looked at yet

    def __call__(self) -> bool:
        """Open anew what changed since the last look; whether anything did."""
        current, trial = mark_of(self.folder / CURRENT), self._mark_trial()
        if (current, trial) == (self.current, self.trial):
            return False
        is_other = current != self.current
        self.current, self.trial = current, trial  # before opening: what changes meanwhile is seen at the next look
        if is_other:
            self.reopen()
        self.open_trial()
        self.tell()
        return True

    def open_trial(self) -> None:
        """Let go of the candidate that was tried and open the one that is."""
        old, self.house.tried = self.house.tried, None
        if old is not None:
            old.engine.close()
        self.house.tried = open_trial(self.house, self.stages)

    def tell(self) -> None:
        """What the staff must know of the last days, from the ledger."""
        try:
            lines = Ledger(self.folder, self.house.store.clock, self.house.store).read()
        except (PrescreenError, OSError):
            self.house.notice = "The ledger of releases is not as it was written: no release is signed by it."
            return
        self.house.notice = tell_rollback(lines, self.house.store.clock())

    def _mark_trial(self) -> tuple[Mark, Mark]:
        return mark_of(self.folder / SHADOW), mark_of(self.folder / CANARY)


def mark_of(path: Path) -> Mark:
    """What tells a file from the one that was there before: every release is a new file."""
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size, known.st_ino


def tell_rollback(lines: list[Line], now: datetime.datetime) -> str:
    """A sentence about the last rollback where it is recent and nothing was promoted since."""
    last = next((line for line in reversed(lines) if line.deed in ("promoted", "rolled back")), None)
    if last is None or last.deed != "rolled back" or now - last.at > TOLD_FOR:
        return ""
    after = "the release before it drafts" if last.detail["to"] else "the rules alone draft"
    by = "by a stop rule" if last.role == "service" else "by a person"
    return f"A release of the drafting model was taken back {by} on {last.at:%d %b, %H:%M} UTC; {after}."
