"""The week's signals among the metrics: judged once, beside the service, one state each, and no word of anybody."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.invented import FIRST
from prescreen.errors import StoreError
from prescreen.monitor.chart import Chart, Point
from prescreen.monitor.signals import load_signals
from prescreen.service.house import House
from prescreen.service.watch import weekly
from prescreen.service.watch.labels import SETS
from prescreen.service.watch.weekly import Weekly
from service.front import make_house

SIGNALS = {signal.name for signal in load_signals()}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = make_house(tmp_path)
    yield house
    house.close()


def test_each_signal_has_one_state_once_the_week_is_judged(house: House) -> None:
    watched = Weekly(house)
    first = list(watched.tell())
    assert not first  # a scrape never waits for the judging
    watched.wait(30)
    points = [point for point in watched.tell() if point.name == "signal_state"]
    assert {point.labels for point in points} == {(name, state) for name in SIGNALS for state in SETS["verdict"]}
    stands = [point.labels for point in points if point.value]
    assert sorted(name for name, _ in stands) == sorted(SIGNALS)
    assert {state for _, state in stands} == {"too-few"}


def test_an_alarm_is_counted_once_and_its_part_told_as_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rings = ("overrides", "overrides_up", "found_later")
    charts = [
        Chart(signal, "share", (Point(FIRST, 0.2, 9, "alarm"),), None, None, None, state, "")
        for signal in load_signals()
        for state in ("alarm" if signal.name in rings else "steady",)
    ]
    monkeypatch.setattr(weekly, "judge_week", lambda act, start: (None, charts, ()))
    watched = Weekly(house)
    list(watched.tell())
    watched.wait(30)
    stands = dict(point.labels for point in watched.tell() if point.name == "signal_state" and point.value)
    assert {name: state for name, state in stands.items() if state != "steady"} == {
        "overrides": "alarm", "overrides_up": "part", "found_later": "alarm",
    }  # fmt: skip


def test_a_week_is_judged_once_and_the_next_one_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    real = weekly.judge_week
    monkeypatch.setattr(weekly, "judge_week", lambda act, start: asked.append(str(start)) or real(act, start))
    watched = Weekly(house)
    for _ in range(3):
        list(watched.tell())
        watched.wait(30)
    assert len(asked) == 1
    later = house.store.clock() + datetime.timedelta(days=7)
    monkeypatch.setattr(house.store, "clock", lambda: later)
    list(watched.tell())
    watched.wait(30)
    assert len(asked) == 2 and asked[0] < asked[1]


def test_a_store_that_is_away_leaves_what_was_judged(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Weekly(house)
    list(watched.tell())
    watched.wait(30)
    judged = len(list(watched.tell()))

    def fail(*_: object) -> None:
        raise StoreError("the store is away")

    monkeypatch.setattr(weekly, "judge_week", fail)
    monkeypatch.setattr(watched, "_due", float("-inf"))
    assert len(list(watched.tell())) == judged
    watched.wait(30)
    assert len(list(watched.tell())) == judged
