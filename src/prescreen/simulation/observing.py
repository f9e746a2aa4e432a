"""The year as the clinic's own monitoring sees it: each week measured and judged, its alarms kept with their cause.

Knows contacts, signals and the calendar. Knows nothing that only the simulation knows of a patient.
"""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from prescreen.clinic.contact import Contact
from prescreen.monitor.accepted import Accepted, decide, latest
from prescreen.monitor.chart import Chart
from prescreen.monitor.limits import Watch
from prescreen.monitor.nesting import begin
from prescreen.monitor.week import Week, measure
from prescreen.simulation.calendar import WITHIN, Calendar, Event
from prescreen.simulation.people import MONDAY


class Alarm(NamedTuple):
    """A signal that was no alarm the week before. `event` is what was planted then, empty for a false alarm;
    `joins` the signal of the same visits whose alarm it is part of or widens, empty for an alarm of its own."""

    week: int
    signal: str
    sentence: str
    event: str
    joins: str = ""


class Observer:
    """Charts week by week. A change that the clinic accepts begins a new reference for what had alarmed on it."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.weeks: list[Week] = []
        self.alarms: list[Alarm] = []
        self.charts: list[Chart] = []
        self._watch = Watch()
        self.accepted: tuple[Accepted, ...] = ()
        self._ringing: set[str] = set()

    def add(self, number: int, contacts: Sequence[Contact]) -> list[Alarm]:
        """The alarms that are new this week."""
        for event in self.calendar.events:
            if event.accepted == number:
                self._accept(event, number)
        week = measure(contacts, day_of(number))
        self.weeks.append(week)
        self._watch.add(week)
        self.charts = self._watch.charts()
        ringing = {chart.signal.name: chart.sentence for chart in self.charts if chart.state == "alarm"}
        new = [
            Alarm(number, name, ringing[name], self._cause(number), joins)
            for name, joins in begin(ringing, self._ringing).items()
        ]
        self._ringing = set(ringing)
        self.alarms += new
        return new

    def _accept(self, event: Event, number: int) -> None:
        """What alarmed on a change that stays gets a new reference, by a person's decision."""
        for signal in sorted({alarm.signal for alarm in self.alarms if alarm.event == event.name}):
            one = decide(signal, day_of(number), by="charge nurse", why=event.says)
            self.accepted = (*self.accepted, one)
        self._watch = Watch(latest(self.accepted))
        for week in self.weeks:
            self._watch.add(week)

    def _cause(self, number: int) -> str:
        """The event an alarm of this week may be of, the newest first."""
        found = [event.name for event in self.calendar.events if event.covers(number)]
        return found[-1] if found else ""

    def find_false(self) -> list[list[Alarm]]:
        """Alarms of steady weeks, each with those that joined it in its week."""
        steady = [alarm for alarm in self.alarms if self.calendar.is_steady(alarm.week)]
        return [
            [alarm, *(one for one in steady if (one.week, one.joins) == (alarm.week, alarm.signal))]
            for alarm in steady
            if not alarm.joins
        ]

    def find_right(self, event: Event) -> Alarm | None:
        """The first alarm of the right kind within the weeks allowed."""
        due = range(event.first, event.first + WITHIN)
        found = [alarm for alarm in self.alarms if alarm.signal in event.expects and alarm.week in due]
        return found[0] if found else None


def day_of(week: int) -> datetime.date:
    """The Monday of a week of the simulation."""
    return MONDAY.date() + datetime.timedelta(weeks=week)
