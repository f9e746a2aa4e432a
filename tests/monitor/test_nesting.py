"""Alarms of the same visits: which signals are parts, that they are one alarm, and that no part is hidden by it."""

import datetime
from pathlib import Path

import numpy as np
import pytest

from monitor.invented import FIRST, Clinic, draw_contacts
from prescreen.errors import RecipeError
from prescreen.monitor.chart import Chart, Point, State
from prescreen.monitor.counting import NO_REPORT, SHARES, Rules
from prescreen.monitor.nesting import ancestors, nest, parts_of, wholes
from prescreen.monitor.reading import choose
from prescreen.monitor.sheet import Read, make_sheet
from prescreen.monitor.signals import find_signal, load_signals
from prescreen.monitor.week import measure

PARTS = {signal.name: signal.part_of for signal in load_signals() if signal.part_of}
UP, SUDDEN, CHANGED = "overrides_up", "upgrades_to_emergency", "overrides"


def chart(name: str, state: State = "alarm", cases: tuple[str, ...] = ()) -> Chart:
    told = find_signal(name)
    points = (Point(FIRST, 0.25, 20, state),)
    return Chart(told, "share", points, 0.1, None, 0.2, state, f"{told.title}: 5 of 20.", cases=cases)


def charts(*alarms: str) -> list[Chart]:
    return [chart(s.name, "alarm" if s.name in alarms else "steady") for s in load_signals()]


def page(told: list[Chart]) -> str:
    now = datetime.datetime.combine(FIRST, datetime.time(), datetime.UTC) + datetime.timedelta(days=8)
    return make_sheet(Read((measure([], FIRST),), (), ()), now, charts=told)


@pytest.mark.parametrize(("part", "whole"), PARTS.items())
def test_a_part_counts_some_of_the_visits_of_its_whole_among_the_same(part: str, whole: str) -> None:
    dice, rules = np.random.default_rng(5), Rules()
    often = Clinic(contacts=2000, raised=0.3, lowered=0.3, no_draft=0.1, no_report=0.1, back=0.2, later=0.1)
    found = list(draw_contacts(often, FIRST, dice))
    found += [one.model_copy(update={"level": None, "signed": None, "seconds": None}) for one in found[:500]]
    no_report = {"model": None, "no_draft": min(NO_REPORT), "level_model": None}
    found += [one.model_copy(update=no_report) for one in found[:50]]
    now = datetime.datetime.combine(FIRST, datetime.time(), datetime.UTC) + datetime.timedelta(days=14)
    pairs = [(SHARES[part](one, now, rules), SHARES[whole](one, now, rules)) for one in found]
    assert all((some is None) == (every is None) for some, every in pairs), "of the same visits"
    assert all(every for some, every in pairs if some), "and nothing the whole does not count"
    assert 0 < sum(bool(some) for some, _ in pairs) < sum(bool(every) for _, every in pairs)


def test_alarms_of_the_same_visits_are_one_and_a_part_alone_is_its_own() -> None:
    assert ancestors(SUDDEN) == [UP, CHANGED]
    assert set(wholes([CHANGED, UP, SUDDEN]).values()) == {CHANGED}
    assert set(wholes([CHANGED, SUDDEN]).values()) == {CHANGED}, "an ancestor is enough"
    assert set(wholes([UP, SUDDEN, "overrides_down"]).values()) == {UP, "overrides_down"}
    told = nest(charts("found_later", "age_mix", SUDDEN, "overrides_down", CHANGED))
    names = [[one.signal.name for one in alarm] for alarm in told]
    assert names == [[CHANGED, "overrides_down", SUDDEN], ["age_mix"], ["found_later"]]
    assert parts_of(told) == dict.fromkeys(("overrides_down", SUDDEN), find_signal(CHANGED).title)
    assert nest(charts()) == []


def test_the_sheet_counts_an_alarm_once_and_still_says_all_of_its_part() -> None:
    told = page(charts(CHANGED, UP, SUDDEN, "age_mix"))
    titles = "level changed by the nurse (with level raised by the nurse, raised to emergency), ages"
    assert f"2 changes beyond chance in {len(load_signals())} signals: {titles}." in told
    for name in (UP, SUDDEN):
        own = find_signal(name)
        assert f"Alarm, part of: Level changed by the nurse.</span> {own.title}: 5 of 20." in told
        assert f"<strong>{own.title}:</strong> {own.action}" in told
    assert told.count("■ alarm, 25 %, n 20; part of: Level changed by the nurse</span>") == 2
    alone = page(charts(SUDDEN))
    assert "1 change beyond chance" in alone and "signals: raised to emergency." in alone and "part of" not in alone


def test_a_part_is_not_cut_off_with_the_alarms_beyond_the_fifth() -> None:
    told = page(charts(*(signal.name for signal in load_signals())))
    assert "Alarm, part of: Level changed by the nurse.</span> Raised to emergency: 5 of 20." in told
    assert f"<strong>Raised to emergency:</strong> {find_signal(SUDDEN).action}" in told
    whole, read = len(load_signals()) - len(PARTS), 2  # the first alarm is four signals
    assert f"{whole - read} more among the charts" in told
    three = page(charts(UP, SUDDEN, "unchanged", "time_to_sign", "abstentions", "schema_failures"))
    assert "Alarm, part of: No draft by the model.</span>" in three, "an alarm is cut off whole or not at all"
    assert "<strong>Answers that are no report:</strong>" not in three and "more among" not in three


def test_a_case_is_named_by_the_part_it_stands_behind() -> None:
    both = [chart(CHANGED, cases=("a", "b")), chart(UP, cases=("a",))]
    reasons = {case.visit: case.reasons for case in choose([], both)[0]}
    assert reasons == {
        visit: (f"behind the alarm: Level {deed} by the nurse",)
        for visit, deed in (("a", "raised"), ("b", "changed"))
    }


SIGNAL = (
    "{{name: {name}, title: T, kind: {kind}, question: 'Q?', counted: c, among: a, bad: up, effect: 0.1, "
    "part_of: {whole}, action: A, source: S}}"
)


@pytest.mark.parametrize(
    ("wholes", "fault"),
    [
        ({"a": "b", "b": "''"}, ""),
        ({"a": "gone"}, "a: part_of gone is no signal of this file"),
        ({"a": "a"}, "a: part_of a is in a circle"),
        ({"a": "b", "b": "a"}, "a: part_of a is in a circle; b: part_of b is in a circle"),
        ({"a": "mixed", "mixed": "''"}, "a: only a share is part of a share"),
    ],
)
def test_a_whole_that_cannot_be_one_is_refused(tmp_path: Path, wholes: dict[str, str], fault: str) -> None:
    rows = [
        SIGNAL.format(name=name, whole=whole, kind="mix" if name == "mixed" else "share")
        for name, whole in wholes.items()
    ]
    (tmp_path / "signals.yaml").write_text(f"signals: [{', '.join(rows)}]")
    if not fault:
        assert [one.part_of for one in load_signals(tmp_path / "signals.yaml")] == ["b", ""]
        return
    with pytest.raises(RecipeError) as caught:
        load_signals(tmp_path / "signals.yaml")
    assert str(caught.value).endswith(f"signals.yaml: {fault}")
