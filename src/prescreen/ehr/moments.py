"""FHIR's dates and times as spans: a text that names only a day or a year means all of it. Knows no resource."""

import datetime
import re
from typing import NamedTuple

from prescreen.ehr.shelf import Bound

_PARTIAL = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


class Span(NamedTuple):
    """From its first moment until before the next thing of its kind begins; a time is one moment."""

    low: datetime.datetime
    high: datetime.datetime


def read_span(told: object) -> Span | None:
    """A date, dateTime or instant; None where there is none or it cannot be read. Without a zone it is UTC."""
    if not isinstance(told, str):
        return None
    try:
        if match := _PARTIAL.fullmatch(told):
            return _read_partial(*match.groups())
        moment = datetime.datetime.fromisoformat(told)
        moment = moment.replace(tzinfo=moment.tzinfo or datetime.UTC).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None
    return Span(moment, moment)


def overlaps(period: object, bounds: tuple[Bound, ...]) -> bool:
    """Whether a Period meets all bounds, as a search by date asks; an open end is for ever."""
    told = period if isinstance(period, dict) else {}
    start, end = read_span(told.get("start")), read_span(told.get("end"))
    if start is None and end is None:
        return False
    return all(_meets(start, end, bound) for bound in bounds)


def _meets(start: Span | None, end: Span | None, bound: Bound) -> bool:
    match bound.side:
        case "ge":
            return end is None or end.high >= bound.moment
        case "gt":
            return end is None or end.high > bound.moment
        case "le":
            return start is None or start.low <= bound.moment
    return start is None or start.low < bound.moment


def _read_partial(year: str, month: str | None, day: str | None) -> Span:
    low = datetime.datetime(int(year), int(month or 1), int(day or 1), tzinfo=datetime.UTC)
    if day:
        return Span(low, low + datetime.timedelta(days=1))
    if month:
        return Span(low, (low + datetime.timedelta(days=31)).replace(day=1))
    return Span(low, low.replace(year=low.year + 1))
