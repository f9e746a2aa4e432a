"""Cases worth reading: visits of a week by what makes them telling, the most telling first. Codes and ids alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact
from prescreen.clinic.incident import Incident
from prescreen.monitor.chart import Chart
from prescreen.monitor.nesting import ancestors

MOST: Final = 10
LINE: Final = 52  # characters


class Reason(NamedTuple):
    """Why to read a visit, and how telling that is: 1 to 9."""

    worth: int
    words: str


class Worth(NamedTuple):
    """A visit worth reading."""

    visit: str
    reasons: tuple[str, ...]

    @property
    def line(self) -> str:
        """The reasons on one line of the sheet; of those that do not fit, how many there are."""
        told = self.reasons[0]
        for number, reason in enumerate(self.reasons[1:], start=1):
            if len(told) + len(reason) > LINE:
                return f"{told} (+{len(self.reasons) - number})"
            told += f"; {reason}"
        return told


def choose(
    contacts: Iterable[Contact], charts: Sequence[Chart], incidents: Sequence[Incident] = (), most: int = MOST
) -> tuple[list[Worth], int]:
    """At most so many visits, the most telling first, and how many more there are."""
    found: dict[str, list[Reason]] = {}
    for incident in incidents:
        if incident.state != "closed" and incident.visit:
            found.setdefault(incident.visit, []).append(Reason(9, f"incident: {incident.kind} ({incident.state})"))
    for contact in contacts:
        if reasons := list(find_reasons(contact)):
            found.setdefault(contact.visit, []).extend(reasons)
    for visit, title in _behind_alarms(charts):
        if visit not in found:  # a reason of its own tells more
            found[visit] = [Reason(1, f"behind the alarm: {title}")]
    ranked = sorted(found.items(), key=lambda item: _rank(item[1]), reverse=True)
    chosen = [Worth(visit, _tell(reasons)) for visit, reasons in ranked[:most]]
    return chosen, len(ranked) - len(chosen)


def find_reasons(contact: Contact) -> Iterator[Reason]:
    """What makes one visit telling."""
    level, shown = contact.level, contact.shown
    if contact.later is not None and level is not None and contact.later.level > level:
        yield Reason(8, f"{contact.later.kind} within 72 h, signed {level.value}")
    if level is Acuity.EMERGENCY and shown is not None and shown < level:
        yield Reason(7, f"raised to emergency, shown {shown.value}")
    rules, model = contact.level_rules, contact.level_model
    if level is not None and rules is not None and level < rules:
        yield Reason(6, f"signed {level.value}, rules said {rules.value}")
    if rules is not None and model is not None and model < rules:
        yield Reason(3 + rules.rank - model.rank, f"rule above model: {rules.value} over {model.value}")
    if contact.blind is not None and model is not None and contact.blind is not model:
        apart = abs(contact.blind.rank - model.rank)
        yield Reason(2 + apart, f"blind read differs: nurse {contact.blind.value}, draft {model.value}")
    if contact.suspicious:
        yield Reason(2, "text that gives orders to the software")


def _behind_alarms(charts: Sequence[Chart]) -> Iterator[tuple[str, str]]:
    """The narrowest signal names a visit: a part of an alarm tells more than the whole."""
    for chart in sorted(charts, key=lambda chart: -len(ancestors(chart.signal.name))):
        if chart.state == "alarm":
            yield from ((visit, chart.signal.title) for visit in chart.cases)


def _rank(reasons: Sequence[Reason]) -> tuple[int, int]:
    worths = sorted((reason.worth for reason in reasons), reverse=True)
    return worths[0], sum(worths)


def _tell(reasons: Sequence[Reason]) -> tuple[str, ...]:
    ordered = sorted(reasons, key=lambda reason: -reason.worth)
    return tuple(dict.fromkeys(reason.words for reason in ordered))


def count_by(contacts: Iterable[Contact], name: str) -> Mapping[str, int]:
    """How many contacts each signer signed, or each model drafted, the most first."""
    counts: dict[str, int] = {}
    for contact in contacts:
        model = contact.model
        key = contact.signer if name == "signer" else f"{model.name} {model.version}" if model is not None else ""
        if key:
            counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
