"""Every signal is described, counted, and moved by what it is there for; and stays quiet when nothing moves."""

import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from monitor.invented import FIRST, FLU, MODELS, Clinic, draw_week
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact, Later
from prescreen.errors import RecipeError
from prescreen.monitor.chart import Chart
from prescreen.monitor.counting import GAPS, MIXES, PARTS, SHARES, TIMES, Rules
from prescreen.monitor.limits import allow
from prescreen.monitor.signals import find_signal, load_signals
from prescreen.monitor.track import Limits, Track
from prescreen.monitor.week import Mix, Parts, Share, Times, Week, measure, monday, pool

NAMES = [signal.name for signal in load_signals()]
BASE, AFTER, CONTACTS = 14, 4, 150
NOON = datetime.datetime(2026, 1, 6, 12, tzinfo=datetime.UTC)
MOVES: dict[str, dict[str, object]] = {
    "overrides": {"raised": 0.15, "lowered": 0.15},
    "overrides_up": {"raised": 0.25},
    "overrides_down": {"lowered": 0.30},
    "upgrades_to_emergency": {"raised": 0.40},
    "unchanged": {"edited": 0.0},
    "time_to_sign": {"seconds": 35.0},
    "quick_signatures": {"seconds": 12.0},
    "blind_agreement": {"blind_agreement": 0.2},
    "draft_pull": {"blind_agreement": 0.2},
    "rules_above_model": {"rules_above": 0.5},
    "abstentions": {"no_draft": 0.3},
    "schema_failures": {"no_report": 0.1},
    "unsupported_claims": {"unsupported": 0.25},
    "high_uncertainty": {"unsure": 0.4},
    "level_agreement": {"raised": 0.4},
    "level_bias": {"lowered": 0.4},
    "orders": {"orders": 0.08},
    "complaint_mix": {"areas": tuple(FLU.items())},
    "language_mix": {"languages": (("en", 0.5), ("es", 0.15), ("ar", 0.05), ("de", 0.3))},
    "channel_mix": {"channels": (("web", 0.2), ("phone", 0.3), ("kiosk", 0.5))},
    "age_mix": {"ages": (("2-15", 0.45), ("16-39", 0.2), ("40-64", 0.2), ("65-79", 0.15))},
    "length_mix": {"words": 9.0},
    "with_vitals": {"vitals": 0.2},
    "language_gap": {"raised_in": "es"},
    "sex_gap": {"raised_in": "female"},
    "age_gap": {"raised_in": "65-79"},
    "team_gap": {"raised_in": "south"},
    "found_later": {"later": 0.06},
    "came_back": {"back": 0.25},
    "late_reviews": {"late": 0.4},
    "emergencies_waiting": {"waits": 0.7},
    "draft_wait": {"wait_s": 70.0},
}


@cache
def base_weeks() -> tuple[Week, ...]:
    dice = np.random.default_rng(7)
    return tuple(draw_week(Clinic(contacts=CONTACTS), number, dice) for number in range(BASE))


def follow(name: str, weeks: list[Week]) -> Chart:
    track = Track(find_signal(name), Limits(), allow(find_signal(name), Limits()))
    for week in weeks:
        track.add(week.start, week.figures[name])
    return track.chart()


def make_contact(**told: object) -> Contact:
    """A contact signed as drafted, after 60 seconds; anything may be told otherwise."""
    plain: dict[str, object] = {
        "visit": "v-1", "team": "a", "language": "en", "channel": "web", "age_band": "16-39", "sex": "female",
        "area": "throat", "words": 20, "vitals": 2, "opened": NOON, "finished": NOON,
        "drafted": NOON + datetime.timedelta(seconds=20), "model": MODELS["1"], "uncertainty": "low",
        "level_model": Acuity.MEDIUM, "shown": Acuity.MEDIUM, "signed": NOON + datetime.timedelta(seconds=100),
        "signer": "n-1", "level": Acuity.MEDIUM, "seconds": 60.0,
    }  # fmt: skip
    return Contact.model_validate(plain | told)


def count(*contacts: Contact, rules: Rules | None = None, days: int = 14) -> Week:
    return measure(contacts, FIRST, now=NOON + datetime.timedelta(days=days), rules=rules)


def test_every_signal_is_described_counted_and_moved_by_a_test() -> None:
    counted = [*SHARES, *MIXES, *TIMES, *PARTS, *GAPS]
    assert sorted(counted) == sorted(NAMES) == sorted(MOVES)
    kinds = {signal.name: signal.kind for signal in load_signals()}
    for table, allowed in (
        (SHARES, {"share"}), (MIXES, {"mix"}), (TIMES, {"times"}), (PARTS, {"parts"}), (GAPS, {"gap", "others"}),
    ):  # fmt: skip
        assert {kinds[name] for name in table} <= allowed


@pytest.mark.parametrize("name", NAMES)
def test_what_it_is_there_for_raises_an_alarm(name: str) -> None:
    dice = np.random.default_rng(11)
    moved = Clinic(contacts=CONTACTS).but(**MOVES[name])
    weeks = [*base_weeks(), *(draw_week(moved, BASE + number, dice) for number in range(AFTER))]
    chart = follow(name, weeks)
    assert chart.state == "alarm", chart.sentence
    assert "chance alone does this less than once" in chart.sentence
    assert chart.p is not None and chart.p < chart.allowed


@pytest.mark.parametrize("name", NAMES)
def test_when_nothing_moves_it_is_quiet(name: str) -> None:
    chart = follow(name, list(base_weeks()))
    assert chart.state in ("steady", "watch", "too few"), chart.sentence
    assert len(chart.points) == BASE and chart.signal.name == name


def test_a_share_keeps_its_counts_and_its_cases() -> None:
    week = count(
        make_contact(),
        make_contact(visit="v-2", level=Acuity.EMERGENCY, edited=True),
        make_contact(visit="v-3", level=Acuity.LOW, edited=True),
        make_contact(visit="v-4", signed=None, level=None, seconds=None),
    )
    told = {name: figure for name, figure in week.figures.items() if isinstance(figure, Share)}
    for name, right, n, cases in (
        ("overrides", 2, 3, ("v-2", "v-3")),
        ("overrides_up", 1, 3, ("v-2",)),
        ("overrides_down", 1, 3, ("v-3",)),
        ("upgrades_to_emergency", 1, 3, ("v-2",)),
        ("unchanged", 1, 3, ("v-1",)),
        ("late_reviews", 1, 4, ("v-4",)),
    ):
        assert (told[name].rate.right, told[name].rate.n, told[name].cases) == (right, n, cases), name
    assert week.contacts == 4 and week.release == "invented 1"


def test_no_draft_is_counted_with_its_reason() -> None:
    silent = {"model": None, "level_model": None, "uncertainty": "", "drafted": None}
    week = count(
        make_contact(),
        make_contact(visit="v-2", no_draft="late", **silent),
        make_contact(visit="v-3", no_draft="no report", **silent),
        make_contact(visit="v-4", no_draft="cut off", **silent),
    )
    absent, broken = week.figures["abstentions"], week.figures["schema_failures"]
    assert isinstance(absent, Share) and isinstance(broken, Share)
    assert absent.why == {"late": 1, "no report": 1, "cut off": 1} and absent.rate.n == 4
    assert broken.cases == ("v-3", "v-4"), "silence is not the same as an answer that is no report"
    waits = week.figures["draft_wait"]
    assert isinstance(waits, Times) and waits.values == (20.0,)


def test_blind_reads_are_kept_apart() -> None:
    week = count(
        make_contact(),
        make_contact(visit="v-2", blind=Acuity.LOW),
        make_contact(visit="v-3", blind=Acuity.MEDIUM, level=Acuity.HIGH),
    )
    blind, pull = week.figures["blind_agreement"], week.figures["draft_pull"]
    assert isinstance(blind, Share) and (blind.rate.right, blind.rate.n) == (1, 2)
    assert isinstance(pull, Parts)
    assert {group: (rate.right, rate.n) for group, rate in pull.rates.items()} == {"seen": (1, 1), "blind": (1, 2)}


def test_worth_reading_are_those_who_disagree_and_in_a_gap_those_who_were_raised() -> None:
    week = count(make_contact(), make_contact(visit="v-2", level=Acuity.HIGH, edited=True))
    agreement, gap = week.figures["level_agreement"], week.figures["sex_gap"]
    assert isinstance(agreement, Parts) and agreement.cases == {"medium": ("v-2",)}
    assert isinstance(gap, Parts) and gap.cases == {"female": ("v-2",)}
    assert (gap.rates["female"].right, gap.rates["female"].n) == (1, 2)


def test_outcomes_wait_for_their_72_hours_and_for_somebody_who_looked() -> None:
    worse = Later(kind="admission", at=NOON + datetime.timedelta(days=1), level=Acuity.EMERGENCY)
    contacts = (make_contact(later=worse, followed=True), make_contact(visit="v-2", followed=True))
    unknown = make_contact(visit="v-3")
    for days, told, expected in ((14, contacts, (1, 2)), (2, contacts, (0, 0)), (14, (unknown,), (0, 0))):
        found = count(*told, unknown, days=days).figures["found_later"]
        assert isinstance(found, Share) and (found.rate.right, found.rate.n) == expected


def test_a_shredded_visit_counts_where_it_can() -> None:
    gone = make_contact(visit="v-2", age_band="unknown", sex="unknown", area="unknown", words=0, vitals=0)
    week = count(make_contact(), gone)
    assert week.contacts == 2
    for name, n in (("complaint_mix", 1), ("age_mix", 1), ("length_mix", 1), ("language_mix", 2)):
        figure = week.figures[name]
        assert isinstance(figure, Mix) and figure.n == n, name
    fed, sex = week.figures["with_vitals"], week.figures["sex_gap"]
    assert isinstance(fed, Share) and fed.rate.n == 1
    assert isinstance(sex, Parts) and set(sex.rates) == {"female"}


def test_waiting_is_over_when_a_nurse_opens_the_visit_not_when_they_sign() -> None:
    def signed(opened_after: float) -> Contact:
        at = NOON + datetime.timedelta(seconds=opened_after + 500)
        emergency = {"shown": Acuity.EMERGENCY, "level": Acuity.EMERGENCY}
        return make_contact(urgent=NOON, signed=at, seconds=500.0, **emergency)

    for after, late in ((119.0, 0), (121.0, 1)):
        found = count(signed(after)).figures["emergencies_waiting"]
        assert isinstance(found, Share) and (found.rate.right, found.rate.n) == (late, 1)


def test_weeks_together_are_the_sum_of_their_counts() -> None:
    weeks = base_weeks()[:3]
    for name in NAMES:
        figures = [week.figures[name] for week in weeks]
        both = pool(figures)
        if isinstance(both, Share):
            assert both.rate.n == sum(f.rate.n for f in figures if isinstance(f, Share))
            assert len(both.cases) == both.rate.right
        elif isinstance(both, Mix):
            assert both.n == sum(f.n for f in figures if isinstance(f, Mix))
        elif isinstance(both, Times):
            assert len(both.values) == sum(len(f.values) for f in figures if isinstance(f, Times))


def test_a_week_begins_on_monday() -> None:
    assert monday(NOON) == FIRST == monday(FIRST)


def test_a_wrong_table_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "signals.yaml").write_text("signals: [{name: x, mood: good}]")
    with pytest.raises(RecipeError, match=r"signals\.yaml: signals\.0"):
        load_signals(tmp_path / "signals.yaml")
    with pytest.raises(RecipeError, match="known: overrides"):
        find_signal("nothing")
