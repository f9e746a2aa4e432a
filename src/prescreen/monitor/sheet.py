"""The weekly sheet: one page a part-time lead can act on in five minutes. No name and no word of a patient.

Takes contacts and charts, chooses what is said in which order, renders one self-contained page. Judges nothing,
knows no table and no web.
"""

import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate, chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from prescreen.clinic.contact import Contact
from prescreen.clinic.incident import Incident
from prescreen.errors import InputError
from prescreen.monitor.accepted import Accepted, latest, read_accepted
from prescreen.monitor.chart import Chart
from prescreen.monitor.counting import Rules
from prescreen.monitor.drawing import draw, tell_figure
from prescreen.monitor.limits import judge
from prescreen.monitor.nesting import nest, parts_of
from prescreen.monitor.reading import choose, count_by
from prescreen.monitor.signals import find_signal
from prescreen.monitor.week import DAYS, Week, measure, monday

if TYPE_CHECKING:
    from jinja2 import Template

    from prescreen.store.base import Act

CHARTS: Final = 12  # drawn; the others are named
NAMED: Final = 3  # in the headline
TOLD, ACTED = 5, 4  # signals with a sentence, and with what to do; none without its parts
HISTORY: Final = 60  # weeks read, so that a reference is there
_WEEK: Final = re.compile(r"(\d{4})-W(\d{2})")
_ORDER: Final = {"alarm": 0, "watch": 1, "steady": 2, "too few": 3}


class Read(NamedTuple):
    """All weeks measured, and the contacts of the last two, whose cases may be worth reading."""

    weeks: tuple[Week, ...]
    last: tuple[Contact, ...]
    before: tuple[Contact, ...]


def draw_up(act: "Act", start: datetime.date, *, clinic: str = "", base_url: str = "") -> str:
    """The page of a week out of a clinic's store."""
    from prescreen.store.incidents import list_incidents

    read, charts, accepted = judge_week(act, start)
    return make_sheet(
        read,
        act.now,
        clinic=clinic,
        base_url=base_url,
        incidents=list_incidents(act),
        charts=charts,
        accepted=accepted,
    )


def judge_week(act: "Act", start: datetime.date) -> tuple[Read, list[Chart], tuple[Accepted, ...]]:
    """A week out of a clinic's store: all weeks read, every signal judged, and the changes accepted by then."""
    from prescreen.store.contacts import read_contacts

    read = read_weeks(read_contacts(act, *span(start)), start, act.now)
    accepted = tuple(one for one in read_accepted(act) if one.since <= start)
    return read, judge(read.weeks, rebased=latest(accepted)), accepted


def parse_week(text: str, today: datetime.date) -> datetime.date:
    """The Monday of "2026-W48"; without text that of the last whole week."""
    if not text:
        return monday(today) - DAYS
    found = _WEEK.fullmatch(text)
    try:
        start = datetime.date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        start = None
    if start is None or start > today:
        raise InputError(f"{text[:20]!r} is no week that has begun; write it as calendars do, for example 2026-W48")
    return start


def span(start: datetime.date, weeks: int = HISTORY) -> tuple[datetime.datetime, datetime.datetime]:
    """From when to when contacts are read for the sheet of a week."""
    end = datetime.datetime.combine(start + DAYS, datetime.time(), datetime.UTC)
    return end - weeks * DAYS, end


def read_weeks(
    contacts: Iterable[Contact], start: datetime.date, now: datetime.datetime, rules: Rules | None = None
) -> Read:
    """Contacts, the earliest first, measured week by week up to that of `start`; two weeks in memory."""
    weeks: list[Week] = []
    last: tuple[Contact, ...] = ()
    before: tuple[Contact, ...] = ()
    for monday_of, of_week in _each_week(contacts, start):
        before, last = last, tuple(of_week)
        weeks.append(measure(last, monday_of, now=now, rules=rules))
    return Read(tuple(weeks), last, before)


def _each_week(contacts: Iterable[Contact], start: datetime.date) -> Iterator[tuple[datetime.date, list[Contact]]]:
    """Every week from the first contact's to the one asked for, empty ones too."""
    due: datetime.date | None = None
    for found, grouped in groupby(contacts, lambda contact: monday(contact.finished)):
        while due is not None and due < found:
            yield due, []
            due += DAYS
        yield found, list(grouped)
        due = found + DAYS
    due = start if due is None else due
    while due <= start:
        yield due, []
        due += DAYS


def make_sheet(
    read: Read,
    now: datetime.datetime,
    *,
    clinic: str = "",
    base_url: str = "",
    incidents: Sequence[Incident] = (),
    charts: Sequence[Chart] | None = None,
    accepted: Sequence[Accepted] = (),
) -> str:
    """The page. Visits are links to the service at `base_url`, or plain numbers without one."""
    told = build(read, now, incidents, judge(read.weeks) if charts is None else charts)
    links = base_url.rstrip("/") if base_url.startswith(("http://", "https://")) else ""
    anew = [(find_signal(name).title, name_iso(since)) for name, since in latest(accepted).items()]
    return _template().render(
        told, clinic=clinic, links=links, draw=draw, quote=quote, tell_figure=tell_figure, anew=anew
    )


def build(
    read: Read, now: datetime.datetime, incidents: Sequence[Incident], charts: Sequence[Chart]
) -> dict[str, Any]:
    """Everything the page says, in its order."""
    week = read.weeks[-1]
    alarms = nest(charts)
    others = [chart for chart in charts if chart.state != "alarm"]  # in each state the order of signals.yaml
    ranked = [*chain(*alarms), *sorted(others, key=lambda chart: _ORDER[chart.state])]
    watched = [chart for chart in ranked if chart.state == "watch"]
    arrived = [c for c in read.before if c.later is not None and c.later.at.date() >= week.start]
    told = take([*alarms, *([chart] for chart in watched)], TOLD)
    cases, more = choose([*read.last, *arrived], charts, incidents)
    return {
        "week": name_iso(week.start),
        "first": week.start,
        "final": week.start + DAYS - datetime.timedelta(days=1),
        "made": now,
        "is_over": now.date() >= week.start + DAYS,
        "headline": tell_headline(alarms, watched, charts),
        "alarms": alarms,
        "told": told,
        "untold": len(alarms) + len(watched) - len(told),
        "parts": parts_of(alarms),
        "watched": watched,
        "actions": list_actions(alarms, watched),
        "drawn": ranked[:CHARTS],
        "undrawn": {state: _titles(ranked[CHARTS:], state) for state in ("alarm", "watch", "steady", "too few")},
        "too_few": _titles(ranked, "too few"),
        "num_charts": len(charts),
        "cases": cases,
        "more": more,
        "counts": count(read.last),
        "signers": count_by(read.last, "signer"),
        "models": count_by(read.last, "model"),
        "open_incidents": sum(incident.state != "closed" for incident in incidents),
        "reference": next((chart.reference for chart in charts if chart.reference), ""),
        "weeks": len(read.weeks),
    }


def tell_headline(alarms: Sequence[Sequence[Chart]], watched: Sequence[Chart], charts: Sequence[Chart]) -> str:
    """What changed, in a line: an alarm counts once, its parts are named behind it."""
    if alarms:
        titles = ", ".join(_name(alarm) for alarm in alarms[:NAMED])
        more = f" and {len(alarms) - NAMED} more" if len(alarms) > NAMED else ""
        one = "change" if len(alarms) == 1 else "changes"
        return f"{len(alarms)} {one} beyond chance in {len(charts)} signals: {titles}{more}"
    if charts and all(chart.state == "too few" for chart in charts):
        return "Too few contacts to judge yet"
    return "Nothing changed beyond chance" + (f"; {len(watched)} worth watching" if watched else "")


def _name(alarm: Sequence[Chart]) -> str:
    whole, *parts = (chart.signal.title.lower() for chart in alarm)
    return f"{whole} (with {', '.join(parts)})" if parts else whole


def take(alarms: Sequence[Sequence[Chart]], most: int) -> list[Sequence[Chart]]:
    """The first alarms, whole, until so many signals are among them."""
    lengths = accumulate((len(alarm) for alarm in alarms), initial=0)
    return [alarm for alarm, before in zip(alarms, lengths, strict=False) if before < most]


def list_actions(alarms: Sequence[Sequence[Chart]], watched: Sequence[Chart]) -> list[tuple[str, str]]:
    """What to do, once each, with the signal that asks for it; the parts of an alarm ask with it."""
    actions: dict[str, str] = {}
    for chart in chain(*take(alarms, ACTED)) if alarms else watched[:2]:
        actions.setdefault(chart.signal.action, chart.signal.title)
    return [(title, action) for action, title in actions.items()]


def count(contacts: Sequence[Contact]) -> dict[str, int]:
    """The week in counts."""
    signed = [contact for contact in contacts if contact.signed is not None]
    blind = [contact for contact in contacts if contact.blind is not None]
    return {
        "contacts": len(contacts),
        "drafted by a model": sum(contact.model is not None for contact in contacts),
        "by the rules alone": sum(contact.model is None for contact in contacts),
        "signed": len(signed),
        "not signed yet": len(contacts) - len(signed),
        "blind reads": len(blind),
        "of these as the draft": sum(contact.blind is contact.level_model for contact in blind),
    }


def name_iso(start: datetime.date) -> str:
    """A week as calendars write it."""
    year, week, _ = start.isocalendar()
    return f"{year}-W{week:02}"


def _titles(charts: Sequence[Chart], state: str) -> list[str]:
    return [chart.signal.title for chart in charts if chart.state == state]


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made.get_template("sheet.html")
