"""A short year with a stand-in for the model: the store's own acts, monitoring's own signals, the right alarms."""

from collections.abc import Sequence

import pytest

from prescreen.clinic.contact import Contact
from prescreen.clinic.signed import ModelLabel
from prescreen.data.tables import load_tables
from prescreen.monitor.raters import Bounds, read_raters
from prescreen.simulation import verdict
from prescreen.simulation.calendar import YEAR, Event
from prescreen.simulation.desk import open_desk
from prescreen.simulation.drafters import Drafted, Model, Skill, StandIn
from prescreen.simulation.people import Arrival
from prescreen.simulation.year import Year
from prescreen.store.audit import verify

UNKNOWN = frozenset(c.name for c in load_tables().conditions.values() if c.held_out)
WEEKS, CONTACTS = 12, 20


class Fixed:
    """A loop that never turns: one model for ever."""

    model = Model("stand-in", "aa" * 32)
    label = ModelLabel(name="stand-in", version="1", engine="chance", weights="aa" * 32)
    trial: Model | None = None

    def __init__(self) -> None:
        self.weeks: list[Sequence[Contact]] = []

    def keep_shadow(self, visit_id: str, draft_id: str, arrival: Arrival, drafted: Drafted) -> None:
        raise AssertionError("nothing is on trial")

    def turn(self, week: int, contacts: Sequence[Contact]) -> None:
        self.weeks.append(contacts)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """Twelve weeks in which the devices fall silent and one nurse stops reading."""
    calendar = YEAR.short(WEEKS).model_copy(
        update={
            "events": (Event(name="vitals", says="no values", first=8, last=9, expects=("with_vitals",)),),
            "slips": 4,
            "spoken_to": 12,
        }
    )
    desk = open_desk(tmp_path_factory.mktemp("clinic"), 0)
    drafter = StandIn({"aa" * 32: Skill()}, UNKNOWN)
    made = Year(desk, drafter, calendar, Fixed(), contacts=CONTACTS, say=lambda _: None)
    made.run()
    return made


def test_every_contact_is_signed_and_the_log_is_whole(year: Year) -> None:
    contacts = [contact for week in year.loop.weeks for contact in week]  # type: ignore[attr-defined]
    assert len(contacts) == len(year.desk.book) == WEEKS * CONTACTS
    assert all(contact.signed and contact.level and contact.model for contact in contacts)
    assert 0.03 < sum(contact.blind is not None for contact in contacts) / len(contacts) < 0.2
    found = verify(year.desk.store)
    assert found.whole and found.lines > 8 * len(contacts)


def test_the_book_says_what_the_store_says(year: Year) -> None:
    book = {truth.visit: truth for truth in year.desk.book}
    for contact in (contact for week in year.loop.weeks for contact in week):  # type: ignore[attr-defined]
        truth = book[contact.visit]
        assert (contact.level, contact.shown, contact.level_rules) == (truth.signed, truth.shown, truth.rules)
        assert truth.rules is None or truth.shown >= truth.rules


def test_the_silent_devices_alarm_at_once_and_little_else(year: Year) -> None:
    (bar,) = verdict.judge_drifts(year.observer)
    assert bar.met, bar.figure
    assert verdict.judge_false_alarms(year.observer).met


def test_who_stamps_is_named_and_nobody_else(year: Year) -> None:
    weeks = year.loop.weeks  # type: ignore[attr-defined]
    names = {who.id: login for login, who in year.desk.staff.items()}

    def find(first: int, last: int) -> list[str]:
        told = [contact for week in weeks[first : last + 1] for contact in week]
        return [names[one.user] for one in read_raters(told, Bounds(least=20)) if one.verdict == "found"]

    assert find(0, 3) == [] and find(4, 11) == [YEAR.stamper]


def test_a_better_model_needs_fewer_changes_on_the_same_visits(year: Year) -> None:
    skills = {"aa" * 32: Skill(), "bb" * 32: Skill(known=0.4, unknown=0.9)}
    year.drafter = StandIn(skills, UNKNOWN)
    update = year.draw_again("update 1", range(4, 10), Model("worse", "bb" * 32))
    (bar,) = verdict.judge_overrides([update], 1)
    assert bar.met, bar.figure
    (same,) = verdict.judge_overrides([year.draw_again("update 1", range(4, 10), year.loop.model)], 1)
    assert not same.met
    worse = update._replace(visits=tuple(v._replace(before=v.after, after=v.before) for v in update.visits))
    assert not verdict.judge_overrides([worse], 1)[0].met
