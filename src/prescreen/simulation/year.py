"""The year, week by week: patients come, the model drafts, nurses sign, signals are judged, the loop turns.

Knows who does what and when; every act is done by its own module. The clock is the store's.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact
from prescreen.clinic.floor import finalise
from prescreen.clinic.signed import ModelLabel
from prescreen.simulation.calendar import Calendar
from prescreen.simulation.desk import Desk, Truth
from prescreen.simulation.drafters import Drafted, Drafter, Model
from prescreen.simulation.nurses import NURSES, Nurse
from prescreen.simulation.observing import Alarm, Observer
from prescreen.simulation.people import Arrival, meet_week, moment_of
from prescreen.simulation.spending import Spent
from prescreen.simulation.verdict import Twice, Update
from prescreen.store.base import Who
from prescreen.store.contacts import read_contacts

Say = Callable[[str], None]
WATCH = Who("watch", "service")
AHEAD = 6  # weeks drafted together
CLOSES = datetime.timedelta(days=5, hours=16)  # after a Monday morning: Sunday, when the week is judged


class Serving(Protocol):
    """What the loop lets draft: the release, and a candidate on trial that nobody sees."""

    @property
    def model(self) -> Model: ...

    @property
    def label(self) -> ModelLabel: ...

    @property
    def trial(self) -> Model | None: ...

    def keep_shadow(self, visit_id: str, draft_id: str, arrival: Arrival, drafted: Drafted) -> None: ...

    def turn(self, week: int, contacts: Sequence[Contact]) -> None: ...


@dataclass
class Year:
    """A clinic, its drafter, its calendar and its loop; `came` is everybody of each week."""

    desk: Desk
    drafter: Drafter
    calendar: Calendar
    loop: Serving
    contacts: int = 40
    say: Say = print
    spent: Spent = field(default_factory=Spent)
    came: dict[int, list[Arrival]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.observer = Observer(self.calendar)
        self.nurses = [self._with_slips(nurse) for nurse in NURSES]

    def run(self) -> None:
        for week in range(self.calendar.weeks):
            self.work(week)

    def work(self, week: int) -> list[Alarm]:
        """One week from Monday's first patient to Sunday's sheet."""
        arrivals = self._meet(week)
        model, label, trial = self.loop.model, self.loop.label, self.loop.trial
        with self.spent.on("drafting"):
            then = [each for later in self._weeks_ahead(week) for each in self._meet(later)]
            drafts = self.drafter.draw(model, arrivals, then)
            shadows = self.drafter.draw(trial, arrivals, then) if trial else []
        with self.spent.on("visits and signatures"):
            for number, arrival in enumerate(arrivals):
                visit_id = self.desk.receive(arrival)
                attached = self.desk.attach(drafts[number], label)
                if trial:
                    self.loop.keep_shadow(visit_id, attached.id, arrival, shadows[number])
                nurse = self.nurses[number % len(self.nurses)]
                self.desk.review(arrival, visit_id, nurse, week, model.weights)
        self.desk.clock.forward(moment_of(week) + CLOSES)
        with self.spent.on("signals"):
            with self.desk.store.look(WATCH) as look:
                contacts = list(read_contacts(look, moment_of(week), moment_of(week + 1)))
            alarms = self.observer.add(week, contacts)
        with self.spent.on("the loop: batches, training, evaluation, gate"):
            self.loop.turn(week, contacts)
        told = ", ".join(alarm.signal for alarm in alarms) or "quiet"
        self.say(f"week {week:2d}: {len(arrivals)} contacts by {model.weights[:8]}; {told}")
        return alarms

    def _meet(self, week: int) -> list[Arrival]:
        if week not in self.came:
            self.came[week] = meet_week(self.desk.seed, week, self.calendar.crowd(week, self.contacts))
        return self.came[week]

    def _weeks_ahead(self, week: int) -> range:
        """Drafted along, for full batches; of a release replaced meanwhile these are asked for at the end."""
        return range(week + 1, min(week + AHEAD, self.calendar.weeks))

    def draw_again(self, name: str, weeks: Sequence[int], champion: Model) -> Update:
        """What the champion an update replaced would have served of the visits drafted since."""
        known = {truth.visit: truth for truth in self.desk.book}
        arrivals = [arrival for week in weeks for arrival in self.came[week]]
        truths = [truth for truth in self.desk.book if truth.week in set(weeks)]
        assert len(arrivals) == len(truths) <= len(known), "every visit is in the book, in order of arrival"
        drafts = self.drafter.draw(champion, arrivals)
        return Update(
            name,
            tuple(
                Twice(truth, serve(arrival, drafted), truth.shown)
                for arrival, truth, drafted in zip(arrivals, truths, drafts, strict=True)
            ),
        )

    def _with_slips(self, nurse: Nurse) -> Nurse:
        slips, spoken = self.calendar.slips, self.calendar.spoken_to
        if nurse.login != self.calendar.stamper or slips is None or spoken is None:
            return nurse
        return nurse.model_copy(update={"slips": (slips, spoken - 1)})


def serve(arrival: Arrival, drafted: Drafted) -> Acuity:
    """The level a nurse would have been shown."""
    return finalise(arrival.told, drafted.draft, drafted.why).acuity


def weeks_by(book: Sequence[Truth], weights: str, since: int = 0) -> list[int]:
    """The weeks that these weights drafted, from one on."""
    return sorted({truth.week for truth in book if truth.weights == weights and truth.week >= since})
