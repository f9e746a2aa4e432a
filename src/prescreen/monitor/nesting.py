"""Which alarms are one: what counts part of another signal's visits alarms as a part of it. Judges nothing.

Two figures of the same visits are no two findings. A part keeps its own figure, cases and action; where the whole
does not alarm, the part is an alarm of its own.
"""

from collections.abc import Collection, Iterable, Sequence

from prescreen.monitor.chart import Chart
from prescreen.monitor.signals import find_signal


def ancestors(name: str) -> list[str]:
    """The signals whose visits this one counts a part of, the closest first."""
    found = []
    while name := find_signal(name).part_of:
        found.append(name)
    return found


def wholes(ringing: Collection[str]) -> dict[str, str]:
    """For each signal that alarms the one whose alarm it is part of; itself where it is an alarm of its own."""
    return {name: next((one for one in reversed(ancestors(name)) if one in ringing), name) for name in ringing}


def begin(ringing: Collection[str], before: Collection[str]) -> dict[str, str]:
    """For each signal that begins to alarm the one whose alarm it joins: the whole it is part of, or a part of it
    that alarmed before; empty for an alarm of its own."""
    of = wholes(ringing)
    widened = {of[name]: name for name in ringing if name in before}
    return {name: of[name] if of[name] != name else widened.get(name, "") for name in ringing if name not in before}


def nest(charts: Iterable[Chart]) -> list[list[Chart]]:
    """Alarms, each the whole with its parts behind it; in the order of the first of each."""
    alarms = [chart for chart in charts if chart.state == "alarm"]
    of, found = wholes([chart.signal.name for chart in alarms]), dict[str, list[Chart]]()
    for chart in alarms:
        found.setdefault(of[chart.signal.name], []).append(chart)
    return [sorted(one, key=lambda chart: len(ancestors(chart.signal.name))) for one in found.values()]


def parts_of(alarms: Sequence[Sequence[Chart]]) -> dict[str, str]:
    """The title of the whole for each signal that alarms as a part, by its name."""
    return {part.signal.name: one[0].signal.title for one in alarms for part in one[1:]}
