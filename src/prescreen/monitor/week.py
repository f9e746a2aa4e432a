"""A week in figures: contacts of one week, counted for every signal. Knows contacts; judges nothing.

A figure keeps the ids of what it counts, so that cases worth reading can be opened. Constant memory is the reader's
business: the figures grow with the contacts of one week alone.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prescreen.clinic.contact import Contact
from prescreen.clinic.rates import Rate
from prescreen.monitor.counting import GAPS, MIXES, PARTS, REASONS, SHARES, TIMES, Rules
from prescreen.monitor.signals import load_signals

DAYS = datetime.timedelta(days=7)


@dataclass(frozen=True)
class Share:
    """Some of some; `cases` are the visits in the numerator, `why` counts their reasons where there are any."""

    rate: Rate
    cases: tuple[str, ...] = ()
    why: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Mix:
    """How contacts fall into groups."""

    counts: Mapping[str, int]

    @property
    def n(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Times:
    """Measured seconds, unsorted; `cases` are the visits of the most striking ones, the worst first."""

    values: tuple[float, ...]
    cases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """The same share in several groups."""

    rates: Mapping[str, Rate]
    cases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Figure = Share | Mix | Times | Parts


@dataclass(frozen=True)
class Week:
    """One week. `release` names the model that drafted most of it, empty where none did."""

    start: datetime.date
    contacts: int
    release: str
    figures: Mapping[str, Figure]


def pool(figures: Sequence[Figure]) -> Figure:
    """Several weeks' figures of one signal as one."""
    first = figures[0]
    if isinstance(first, Share):
        shares = [figure for figure in figures if isinstance(figure, Share)]
        why: Counter[str] = Counter()
        for share in shares:
            why.update(share.why)
        return Share(add(share.rate for share in shares), _join(share.cases for share in shares), dict(why))
    if isinstance(first, Mix):
        counts: Counter[str] = Counter()
        for figure in figures:
            counts.update(figure.counts if isinstance(figure, Mix) else {})
        return Mix(dict(sorted(counts.items())))
    if isinstance(first, Times):
        times = [figure for figure in figures if isinstance(figure, Times)]
        return Times(tuple(v for t in times for v in t.values), _join(t.cases for t in times))
    parts = [figure for figure in figures if isinstance(figure, Parts)]
    groups = sorted({group for part in parts for group in part.rates})
    return Parts(
        {group: add(part.rates.get(group, Rate()) for part in parts) for group in groups},
        {group: _join(part.cases.get(group, ()) for part in parts) for group in groups},
    )


def size(figure: Figure) -> int:
    """How many contacts a figure counts."""
    if isinstance(figure, Share):
        return figure.rate.n
    if isinstance(figure, Mix):
        return figure.n
    return len(figure.values) if isinstance(figure, Times) else sum(rate.n for rate in figure.rates.values())


def sum_up(figure: Figure) -> Rate:
    """A share, or the shares of all groups together."""
    if isinstance(figure, Share):
        return figure.rate
    assert isinstance(figure, Parts), "times and mixes have no share"
    return add(figure.rates.values())


def add(rates: Iterable[Rate]) -> Rate:
    """Several weeks or groups as one."""
    told = list(rates)
    return Rate(right=sum(rate.right for rate in told), wrong=sum(rate.n - rate.right for rate in told))


def _join(cases: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The newest week's cases first."""
    return tuple(visit for week in reversed(list(cases)) for visit in week)


def monday(moment: datetime.datetime | datetime.date) -> datetime.date:
    """The Monday a moment's week begins with."""
    day = moment.date() if isinstance(moment, datetime.datetime) else moment
    return day - datetime.timedelta(days=day.weekday())


def measure(
    contacts: Iterable[Contact],
    start: datetime.date,
    *,
    now: datetime.datetime | None = None,
    rules: Rules | None = None,
) -> Week:
    """All figures of a week's contacts. What is later than `now`, the week's end, is not known yet."""
    end = datetime.datetime.combine(start + DAYS, datetime.time(), datetime.UTC)
    told, at, rules = list(contacts), now or end, rules or Rules()
    figures: dict[str, Figure] = {}
    for signal in load_signals():
        figures[signal.name] = _count(signal.name, told, at, rules)
    drafted = Counter(f"{c.model.name} {c.model.version}" for c in told if c.model is not None)
    release = drafted.most_common(1)[0][0] if drafted else ""
    return Week(start, len(told), release, figures)


def _count(name: str, contacts: list[Contact], now: datetime.datetime, rules: Rules) -> Figure:
    if name in SHARES:
        return _share(name, contacts, now, rules)
    if name in MIXES:
        groups = (MIXES[name](contact, rules) for contact in contacts)
        return Mix(dict(sorted(Counter(group for group in groups if group is not None).items())))
    if name in TIMES:
        timed = [(seconds, c.visit) for c in contacts if (seconds := TIMES[name](c)) is not None]
        worst = sorted(timed, reverse=name == "draft_wait")[:10]
        return Times(tuple(seconds for seconds, _ in timed), tuple(visit for _, visit in worst))
    return _parts(name, contacts)


def _share(name: str, contacts: list[Contact], now: datetime.datetime, rules: Rules) -> Share:
    counts, cases = SHARES[name], []
    why: Counter[str] = Counter()
    wrong = 0
    for contact in contacts:
        counted = counts(contact, now, rules)
        if counted:
            cases.append(contact.visit)
            if name in REASONS:
                why[REASONS[name](contact)] += 1
        elif counted is False:
            wrong += 1
    return Share(Rate(right=len(cases), wrong=wrong), tuple(cases), dict(why.most_common()))


def _parts(name: str, contacts: list[Contact]) -> Parts:
    split = PARTS[name] if name in PARTS else GAPS[name]
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    cases: dict[str, list[str]] = {}
    worth_reading = name not in PARTS  # of agreement those that disagree are worth reading
    for contact in contacts:
        told = split(contact)
        if told is None:
            continue
        group, counted = told
        (right if counted else wrong)[group] += 1
        if counted is worth_reading:
            cases.setdefault(group, []).append(contact.visit)
    rates = {group: Rate(right=right[group], wrong=wrong[group]) for group in sorted({*right, *wrong})}
    return Parts(rates, {group: tuple(ids) for group, ids in cases.items()})
