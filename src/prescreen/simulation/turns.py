"""When the loop's acts are due: updates, trials, poisoned batches, a bad candidate, a rollback, who stamps.

Follows the calendar week by week and writes down what came of each act. Does none of them itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prescreen.clinic.contact import Contact
from prescreen.clinic.signed import ModelLabel
from prescreen.errors import PrescreenError
from prescreen.monitor.raters import read_raters
from prescreen.monitor.shelf import read_state
from prescreen.simulation.calendar import Calendar, Poison
from prescreen.simulation.drafters import Drafted, Model
from prescreen.simulation.loop import Back, Loop
from prescreen.simulation.people import Arrival, moment_of
from prescreen.simulation.poisons import Stopped, copy_clinic, plant, read_stop
from prescreen.simulation.reversing import try_reversed

STAMPING_WEEKS = 4  # looked at together, to name who signs without reading
AGAIN = 3  # weeks until an update that was held or stopped is tried anew


@dataclass
class Turns:
    """The loop as the year sees it. `scratch` holds poisoned copies."""

    loop: Loop
    calendar: Calendar
    scratch: Path
    stopped: list[Stopped] = field(default_factory=list)
    backs: list[Back] = field(default_factory=list)
    stampers: list[tuple[int, str]] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    _due: list[int] = field(default_factory=list)
    _since: int = 0
    _bad_key: str = ""
    _recent: list[list[Contact]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._due = list(self.calendar.updates)
        self._poisons = sorted(self.calendar.poisons.items())
        self._bad_due = self.calendar.bad_candidate

    @property
    def model(self) -> Model:
        return self.loop.model

    @property
    def label(self) -> ModelLabel:
        return self.loop.label

    @property
    def trial(self) -> Model | None:
        return self.loop.trial

    def keep_shadow(self, visit_id: str, draft_id: str, arrival: Arrival, drafted: Drafted) -> None:
        self.loop.keep_shadow(visit_id, draft_id, arrival, drafted)

    def turn(self, week: int, contacts: Sequence[Contact]) -> None:
        """Everything due on this Sunday, in an order a clinic could keep."""
        self._recent = [*self._recent, list(contacts)][-STAMPING_WEEKS:]
        names = {who.id: login for login, who in self.loop.desk.staff.items()}
        told = [contact for recent in self._recent for contact in recent]
        self.stampers += [(week, names[one.user]) for one in read_raters(told) if one.verdict == "found"]
        if self._poisons and week >= self._poisons[0][0] and not self.loop.is_trying():
            planned, kind = self._poisons.pop(0)
            self.stopped.append(self._poison(week, planned, kind))
        if self._bad_due is not None and week >= self._bad_due and not self.loop.is_trying():
            self._try_bad(week)
        elif self.loop.is_trying() or (self._due and week >= self._due[0]):
            self._step(week)
        if week == self.calendar.rollback and len(self.loop.served) > 1:
            self.backs.append(self.loop.take_back(week))

    def _step(self, week: int) -> None:
        """A new update, or the candidate on trial one step further."""
        served = len(self.loop.served)
        is_bad = bool(self._bad_key) and read_state(self.loop.shelf.ledger.read()).candidate == self._bad_key
        if not self.loop.is_trying():
            self.loop.learn_between(moment_of(self._since), self.loop.desk.clock())
        sentence = self.loop.step(week, f"update {served}")
        if is_bad:
            self.bad.append(f"week {week}: {sentence}")
        elif len(self.loop.served) > served:
            self._since, self._due = week + 1, self._due[1:]
        elif not self.loop.is_trying() and self._due:
            self._due[0] = week + AGAIN

    def _poison(self, week: int, planned: int, kind: Poison) -> Stopped:
        """The same update, on a copy of the clinic in which a batch was poisoned: it must stop by name."""
        copy = copy_clinic(self.loop.desk, self.scratch / kind)
        plant(copy, kind, week, self.label)
        copy.store.close()
        error: PrescreenError | None = None
        folder = self.loop.next_runs()
        try:
            self.loop.try_poisoned(self.scratch / kind, moment_of(max(week - 2, self._since)))
        except PrescreenError as caught:
            error = caught
        return read_stop(folder, planned, kind, error)

    def _try_bad(self, week: int) -> None:
        self._bad_due = None
        learned = self.loop.last_learned()
        if learned is None:
            self.bad.append("no update had learned anything to turn round")
            return
        tried = try_reversed(self.loop.shelf, self.loop.place, self.loop.release, learned, self.loop.who)
        if tried.reasons:
            self.bad.append(f"week {week}: the gate holds it: {' '.join(tried.reasons)}")
            return
        self._bad_key = read_state(self.loop.shelf.ledger.read()).candidate
        self._step(week)
