"""The weekly sheet: what it says of a quiet, a changed and a young clinic; whom it lets speak; that it prints."""

import datetime
import re
import shutil
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.invented import FIRST, MODELS, Clinic, draw_contacts
from prescreen.cli import app
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact, Later
from prescreen.clinic.incident import Incident
from prescreen.errors import InputError
from prescreen.monitor.chart import Chart, Point
from prescreen.monitor.drawing import draw, find_interval, tell_figure
from prescreen.monitor.limits import judge
from prescreen.monitor.nesting import nest
from prescreen.monitor.reading import choose
from prescreen.monitor.sheet import Read, make_sheet, name_iso, parse_week, read_weeks
from prescreen.monitor.signals import load_signals
from prescreen.store.migrate import open_store
from prescreen.store.people import AuditLine
from store.desk import SERVICE
from store.test_visits import sign_it

DAY = datetime.timedelta(days=1)
LINKS = "https://clinic.example"


def draw_up(weeks: int, contacts: int = 60, **moved: Any) -> tuple[Read, datetime.datetime]:
    """An invented clinic read up to its last week; `moved` holds in the last two."""
    rng, usual, told = np.random.default_rng(3), Clinic(contacts=contacts), []
    for number in range(weeks):
        clinic = usual.but(**moved) if number >= weeks - 2 else usual
        found = draw_contacts(clinic, FIRST + number * 7 * DAY, rng)
        told += sorted(found, key=lambda contact: contact.finished)
    start = FIRST + (weeks - 1) * 7 * DAY
    now = datetime.datetime.combine(start + 8 * DAY, datetime.time(7), datetime.UTC)
    return read_weeks(told, start, now), now


@cache
def changed() -> tuple[Read, datetime.datetime]:
    return draw_up(16, raised=0.4, seconds=11.0)


def contact(visit: str = "a" * 32, **more: Any) -> Contact:
    begun = datetime.datetime.combine(FIRST, datetime.time(9), datetime.UTC)
    told: dict[str, Any] = {
        "visit": visit, "team": "clinic", "language": "en", "channel": "web", "age_band": "16-39", "sex": "female",
        "area": "skin", "words": 20, "vitals": 3, "opened": begun, "finished": begun, "drafted": begun,
        "model": MODELS["1"], "level_model": Acuity.LOW, "shown": Acuity.LOW, "signed": begun + DAY,
        "signer": "nurse-1", "level": Acuity.LOW, "seconds": 60.0,
    }  # fmt: skip
    return Contact.model_validate(told | more)


class Looked(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_a_change_stands_in_the_headline_with_what_to_do() -> None:
    read, now = changed()
    charts = judge(read.weeks)
    page = make_sheet(read, now, clinic="Harbour Clinic", base_url=LINKS, charts=charts)
    alarms = [chart for chart in charts if chart.state == "alarm"]
    assert {"overrides", "overrides_up", "time_to_sign"} <= {chart.signal.name for chart in alarms}
    whole = len(nest(charts))
    assert f"{whole} changes beyond chance in {len(charts)} signals: level changed by the nurse (with " in page
    assert alarms[0].signal.action in page and "Weekly sheet 2026-W17</strong>, Harbour Clinic" in page
    assert page.index("What to do") < page.index("Charts") < page.index("Cases worth reading")
    assert page.count('<span class="state-alarm">■') == min(12, len(alarms)), "alarms are drawn first"
    assert page.count('<svg class="chart"') == 12
    visit = max(read.last, key=lambda each: (each.level is Acuity.EMERGENCY, each.shown is Acuity.HIGH)).visit
    assert f'<a href="{LINKS}/account">Back to the service</a>' in page
    assert f'href="{LINKS}/visits/{visit}"' in page and "raised to emergency, shown" in page
    assert "contacts</dt><dd>60</dd>" in page and "nurse-1" in page and "invented 1" in page


def test_a_quiet_week_says_so_and_a_young_clinic_gets_no_all_clear() -> None:
    read, now = draw_up(14)
    page = make_sheet(read, now)
    assert "Nothing changed beyond chance" in page and "mark alarm" not in page and "Alarm." not in page
    assert "href=" not in page, "without an address visits are numbers"
    young, now = draw_up(2, contacts=9)
    page = make_sheet(young, now)
    assert "Too few contacts to judge yet" in page and "that is no all-clear" in page
    assert 'class="limit"' not in page and 'class="band"' not in page, "limits nothing is judged by are not drawn"


def test_nobody_came_and_the_week_is_not_over() -> None:
    start = FIRST + 70 * DAY
    now = datetime.datetime.combine(start + 2 * DAY, datetime.time(7), datetime.UTC)
    read = read_weeks([contact()], start, now)
    assert [week.start for week in read.weeks] == [FIRST + 7 * n * DAY for n in range(11)]
    assert (len(read.last), len(read.before)) == (0, 0)
    page = make_sheet(read, now)
    assert "the week is not over" in page and "contacts</dt><dd>0</dd>" in page
    assert "none drafted" in page and "nobody yet" in page and "None this week" in page
    assert "contacts</dt><dd>0</dd>" in make_sheet(read_weeks([], start, now), now)


def test_a_late_outcome_of_the_week_before_is_worth_reading() -> None:
    start = FIRST + 7 * DAY
    now = datetime.datetime.combine(start + 8 * DAY, datetime.time(7), datetime.UTC)
    late = Later(kind="admission", at=datetime.datetime.combine(start + DAY, datetime.time(), datetime.UTC),
                 level=Acuity.HIGH)  # fmt: skip
    old = late.model_copy(update={"at": late.at - 3 * DAY})
    told = [contact("b" * 32, later=late), contact("c" * 32, later=old)]
    page = make_sheet(read_weeks(told, start, now), now)
    assert "b" * 32 in page and "admission within 72 h, signed low" in page
    assert "c" * 32 not in page, "that stood on the sheet before"


REASONS: list[tuple[dict[str, Any], str]] = [
    ({"level": Acuity.EMERGENCY, "shown": Acuity.MEDIUM}, "raised to emergency, shown medium"),
    ({"level": Acuity.LOW, "level_rules": Acuity.HIGH}, "signed low, rules said high"),
    ({"level_rules": Acuity.EMERGENCY}, "rule above model: emergency over low"),
    ({"blind": Acuity.HIGH}, "blind read differs: nurse high, draft low"),
    ({"suspicious": True}, "text that gives orders to the software"),
]


@pytest.mark.parametrize(("changes", "reason"), REASONS)
def test_each_reason_is_found_and_an_ordinary_visit_has_none(changes: dict[str, Any], reason: str) -> None:
    (only,), more = choose([contact(**changes), contact("b" * 32)], [])
    assert only.visit == "a" * 32 and reason in only.reasons and more == 0


LEVELS = st.sampled_from(list(Acuity))
CONTACTS = st.lists(
    st.builds(
        lambda number, level, shown, rules, blind, odd: contact(
            f"{number:032x}", level=level, shown=shown, level_rules=rules, blind=blind, suspicious=odd
        ),
        st.integers(0, 2**64), LEVELS, LEVELS, st.none() | LEVELS, st.none() | LEVELS, st.booleans(),
    ),
    max_size=40, unique_by=lambda each: each.visit,
)  # fmt: skip


@given(CONTACTS)
def test_the_most_telling_come_first_and_none_is_lost(contacts: list[Contact]) -> None:
    chosen, more = choose(contacts, [])
    everything, none = choose(contacts, [], most=1000)
    assert len(chosen) <= 10 and none == 0 and len(chosen) + more == len(everything)
    assert chosen == everything[: len(chosen)]
    by_id = {each.visit: each for each in contacts}
    raised = [c.visit for c in contacts if c.level is Acuity.EMERGENCY and c.shown < c.level]  # type: ignore[operator]
    assert len({case.visit for case in chosen} & set(raised)) == min(10, len(raised)), "emergencies before all else"
    assert all(case.visit in by_id and case.reasons for case in everything)


HOSTILE = st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</svg><iframe>", "javascript:alert(1)",
     "a' onload='x", "../../admin", "{{7*7}}", "&lt;b&gt;", "\x00", "ألم", "%2e%2e/x", "--><style>"]
) | st.text(max_size=30)  # fmt: skip


@settings(max_examples=40)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_whatever_stands_in_ids_and_reasons_stays_text(visit: str, signer: str, model: str, title: str) -> None:
    signal = load_signals()[0].model_copy(update={"title": title, "action": title})
    chart = Chart(signal, "share", (Point(FIRST, 0.5, 10, "alarm"),), 0.2, 0.1, 0.3, "alarm", title, cases=(visit,))
    label = MODELS["1"].model_copy(update={"name": model, "version": ""})
    told = contact(visit, signer=signer, model=label, level=Acuity.EMERGENCY, shown=Acuity.LOW)
    now = datetime.datetime.combine(FIRST + 8 * DAY, datetime.time(), datetime.UTC)
    page = make_sheet(
        read_weeks([told], FIRST, now), now, clinic=title, base_url=LINKS, charts=[chart] * len(load_signals())
    )
    seen = Looked(page)
    assert not seen.tags & {"script", "img", "iframe", "link", "object", "form", "base"}
    assert [name for name, _ in seen.attributes if name.startswith("on") or name in ("style", "src")] == []
    hrefs = [value for name, value in seen.attributes if name == "href"]
    ours = r"https://clinic\.example/(visits/[A-Za-z0-9._~%-]*|sheet/changes|account)"
    assert hrefs and all(re.fullmatch(ours, href) for href in hrefs)
    assert page.count("<style>") == 1 and "{{" not in page.replace("{{7*7}}", "")


def test_an_address_that_is_none_makes_no_link() -> None:
    read, now = changed()
    assert "href=" not in make_sheet(read, now, base_url="javascript:alert(1)//")


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    read, now = changed()
    page = make_sheet(read, now)
    assert "http" not in page and "<script" not in page and "url(" not in page and "@import" not in page


def test_a_state_is_a_shape_and_a_colour_and_only_shares_have_intervals() -> None:
    signal = load_signals()[0]
    points = tuple(
        Point(FIRST + 7 * n * DAY, 0.25, 20, state)
        for n, state in enumerate(("steady", "watch", "alarm", "too few"))
    )
    chart = Chart(
        signal, "share", (*points, Point(FIRST + 28 * DAY, None, 0, "too few")), 0.2, None, 0.4, "alarm", ""
    )
    drawn = draw(chart)
    shapes = re.findall(r'<(\w+) class="(mark \w+|ring)"', drawn)
    assert shapes == [
        ("circle", "mark steady"), ("polygon", "mark watch"), ("circle", "ring"), ("rect", "mark alarm"),
        ("circle", "mark few"),
    ]  # fmt: skip
    assert drawn.count('class="interval"') == 4 and "W02" in drawn and "W06" in drawn
    assert "last none of 0, alarm" in drawn
    assert draw(chart._replace(unit="seconds")).count('class="interval"') == 0
    assert find_interval(Point(FIRST, 0.123456, 10, "steady"), "share") is None, "no count of ten is this share"


@given(
    st.lists(st.none() | st.floats(-1, 1), min_size=1, max_size=40), st.sampled_from(["share", "seconds", "shift"])
)
def test_any_figures_stay_in_the_picture(figures: list[float | None], unit: Any) -> None:
    points = tuple(Point(FIRST + 7 * n * DAY, figure, 9, "steady") for n, figure in enumerate(figures))
    drawn = draw(Chart(load_signals()[0], unit, points, 0.1, 0.0, 0.2, "steady", ""))
    places = [float(value) for value in re.findall(r'\b(?:cx|cy|x1|x2|y1|y2)="([^"]+)"', drawn)]
    assert all(0 <= place <= 220 for place in places) and "nan" not in drawn
    assert tell_figure(-0.001, "share") == "0 %"


def test_weeks_are_named_as_calendars_do() -> None:
    today = datetime.date(2026, 11, 26)
    assert parse_week("", today) == datetime.date(2026, 11, 16)
    assert parse_week("2026-W48", today) == datetime.date(2026, 11, 23)
    assert name_iso(datetime.date(2020, 12, 28)) == "2020-W53"
    for wrong in ("2026-W49", "2026-W54", "W48", "2026-48", "<b>"):
        with pytest.raises(InputError, match="2026-W48"):
            parse_week(wrong, today)


def test_the_verb_writes_the_page_of_a_store_and_notes_it(tmp_path: Path) -> None:
    folder, out = tmp_path / "clinic", tmp_path / "sheet.html"
    from store.desk import make_store

    store = make_store(tmp_path)
    review = sign_it(store, "seen in person", Acuity.EMERGENCY)
    store.close()
    words = [
        "sheet",
        "--week",
        "2026-W48",
        "--out",
        str(out),
        "--data",
        str(folder),
        "--keys",
        str(tmp_path / "keys"),
    ]
    done = CliRunner().invoke(app, [*words, "--base-url", LINKS, "--by", "ines"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    page = out.read_text()
    assert f"{LINKS}/visits/{review.visit_id}" in page and "raised to emergency" in page and "nurse-1" in page
    for word in ("Bell", "throat", "Nurse 1"):
        assert word not in page
    again = open_store(f"sqlite:///{folder / 'prescreen.db'}", tmp_path / "keys", make=False)
    with again.look(SERVICE) as act:
        line = act.session.query(AuditLine).order_by(AuditLine.number.desc()).first()
        assert line is not None and (line.action, line.actor, line.detail) == (
            "sheet.make", "ines", '{"week":"2026-W48"}',
        )  # fmt: skip
    again.close()


@pytest.mark.slow
def test_it_prints_on_one_page_and_axe_finds_nothing(tmp_path: Path) -> None:
    """The fullest page there can be: every signal an alarm, ten cases with two long reasons each, many signers."""
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed: the sheet was not looked at as a picture")
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    read, now = changed()
    charts = [chart._replace(state="alarm") for chart in judge(read.weeks)]
    told = [
        contact(f"{n:032x}", signer=f"{n:032x}", level=Acuity.EMERGENCY, shown=Acuity.MEDIUM,
                level_rules=Acuity.EMERGENCY) for n in range(40)
    ]  # fmt: skip
    incidents = [
        Incident(
            id=str(n), visit=f"{n:032x}", at=now, kind="wrong fact in a draft", severity="minor", state="assessed"
        )
        for n in range(12)
    ]
    full = make_sheet(
        read._replace(last=tuple(told)), now, clinic="Harbour Clinic", base_url=LINKS, charts=charts,
        incidents=incidents,
    )  # fmt: skip
    pages = {"full": full, "usual": make_sheet(read, now, base_url=LINKS)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, text in pages.items():
            (tmp_path / f"{name}.html").write_text(text)
            for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light")):
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
                page.goto((tmp_path / f"{name}.html").as_uri())
                assert [each["id"] for each in Axe().run(page).response["violations"]] == []
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                printed = page.pdf(prefer_css_page_size=True)
                assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1, f"{name} needs more than a page"
                page.close()
        browser.close()
