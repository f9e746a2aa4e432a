"""The simulated year: what is planted in which week, what must alarm on it, and when the loop's acts are due.

Pure settings. A week without an event is steady: whatever alarms there is a false alarm.
"""

from typing import Final, Literal

from prescreen.config import Strict
from prescreen.simulation.people import Crowd

SETTLE: Final = 3  # weeks after an event in which pooled windows still hold its weeks
STEADY_WEEKS: Final = 13  # of a quarter
WITHIN: Final = 2  # weeks in which the right alarm is due
Poison = Literal["phi", "injected", "mislabelled"]


class Event(Strict):
    """Something planted. Of those that `expects` names one must alarm in the first two weeks.

    `accepted` is the week in which the clinic accepts the change as its new normal, None where it passes.
    """

    name: str
    says: str
    first: int
    last: int
    expects: tuple[str, ...] = ()
    accepted: int | None = None

    def covers(self, week: int) -> bool:
        """Whether what alarms in this week may be of this event."""
        return self.first <= week <= self.last + SETTLE


class Calendar(Strict):
    """A year, or less of one. Updates learn from the weeks up to theirs; a trial in shadow follows."""

    weeks: int = 52
    events: tuple[Event, ...] = ()
    stamper: str = ""  # the nurse who signs without reading, from `slips` until spoken to
    slips: int | None = None
    spoken_to: int | None = None
    poisons: dict[int, Poison] = {}
    updates: tuple[int, ...] = ()
    bad_candidate: int | None = None
    rollback: int | None = None
    judged_from: int = 4  # weeks of reference before anything can alarm

    def crowd(self, week: int, contacts: int) -> Crowd:
        """Who comes in a week."""
        now = {event.name for event in self.events if event.first <= week <= event.last}
        return Crowd(
            contacts=contacts,
            flu=0.6 if "flu" in now else 0.0,
            newcomers=0.5 if "newcomers" in now or self._stayed(week) else 0.0,
            vitals="vitals" not in now,
        )

    def _stayed(self, week: int) -> bool:
        """A new population does not leave again."""
        return any(event.name == "newcomers" and week >= event.first for event in self.events)

    def is_steady(self, week: int) -> bool:
        """Whether nothing planted can be behind an alarm of this week."""
        return week >= self.judged_from and not any(event.covers(week) for event in self.events)

    def starting(self, week: int) -> list[Event]:
        return [event for event in self.events if event.first == week]

    def short(self, weeks: int) -> "Calendar":
        """The same calendar cut off: what would not be over in time is left out."""
        return self.model_copy(
            update={
                "weeks": weeks,
                "events": tuple(
                    event for event in self.events if event.first + (WITHIN if event.expects else 1) <= weeks
                ),
                "poisons": {week: kind for week, kind in self.poisons.items() if week < weeks},
                "updates": tuple(week for week in self.updates if week < weeks),
                "bad_candidate": self.bad_candidate if (self.bad_candidate or weeks) < weeks else None,
                "rollback": self.rollback if (self.rollback or weeks) < weeks else None,
            }
        )


VITALS: Final = Event(
    name="vitals",
    says="the devices' values stop arriving for two weeks",
    first=10,
    last=11,
    expects=("with_vitals",),
)
FLU: Final = Event(
    name="flu",
    says="a flu season: six in ten come with cough, fever or a sore throat",
    first=16,
    last=19,
    expects=("complaint_mix",),
)
NEWCOMERS: Final = Event(
    name="newcomers",
    says="a farm settlement joins the clinic: another language, conditions the model never met",
    first=28,
    last=30,
    expects=("overrides", "overrides_up", "overrides_down", "language_mix"),
    accepted=31,
)
STAMPING: Final = Event(
    name="stamping",
    says="one nurse signs every draft as it comes, within seconds",
    first=42,
    last=46,
    expects=("quick_signatures", "time_to_sign"),
)
TAKEN_BACK: Final = Event(
    name="rollback",
    says="the drill brings back the release before: nurses change its drafts as often as they used to",
    first=51,
    last=51,
)
YEAR: Final = Calendar(
    events=(VITALS, FLU, NEWCOMERS, STAMPING, TAKEN_BACK),
    stamper="quirin",
    slips=42,
    spoken_to=47,
    poisons={13: "phi", 22: "injected", 36: "mislabelled"},
    updates=(22, 36),
    bad_candidate=26,
    rollback=50,
)
DRIFTS: Final = ("vitals", "flu", "newcomers")
