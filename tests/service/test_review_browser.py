"""The nurse's pages in a real browser on three sizes: accessible, whole, quick by keys, honest when cut off."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Turn, Vitals
from prescreen.clinic.report import Finding
from prescreen.clinic.signed import PatientLink
from prescreen.ehr.channel import History
from prescreen.service.app import make_app
from prescreen.service.door.identity import Doors
from prescreen.service.door.identity_settings import IdentitySettings
from prescreen.service.nurse.care_pages import care_pages
from prescreen.service.nurse.queue_pages import queue_pages
from prescreen.service.nurse.review_pages import review_pages
from prescreen.store.holding import claim
from prescreen.store.people import User
from prescreen.store.sessions import STAFF, begin
from prescreen.store.tables import Review, Visit
from prescreen.store.visits import alert, lock_visit
from service.front import make_house
from service.ward import STORY, TURNS, make_case, make_draft, make_reviewable
from store.desk import OTHER, SERVICE

BROWSER = shutil.which("chromium") or ""
SIZES = {"desktop": (1280, 800), "tablet": (820, 1180), "phone": (390, 844)}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = (queue_pages, review_pages, care_pages)
DOORS = Doors(IdentitySettings(totp_for=(), plain_http=True))
BIDI = "\u202eevil \u2067text\u2069 שלום <b>not bold</b> " + "averyveryverylongwordwithoutanyspace" * 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="chromium is not installed: nothing was looked at"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Room:
    """A live server and what waits in it."""

    def __init__(self, url: str, house, visits: dict[str, str], server) -> None:
        self.url, self.house, self.visits, self.server = url, house, visits, server


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Iterator[Room]:
    import uvicorn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    web = {"hosts": ["127.0.0.1"], "base_url": url}
    house = make_house(tmp_path_factory.mktemp("browser"), web=web, demo=True)
    house.why = ""
    house.channels["record"] = None  # type: ignore[assignment]  # nothing is sent in these tests
    visits = fill(house)
    server = uvicorn.Server(
        uvicorn.Config(make_app(house, DOORS, PAGES, works=False), port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield Room(url, house, visits, server)
    server.should_exit = True
    thread.join(10)
    house.store.close()


def fill(house) -> dict[str, str]:
    """A morning's queue: an emergency, held, blind, unclear, foreign and hostile visits."""
    store, clock, visits = house.store, house.store.clock, {}
    visits["plain"] = make_reviewable(store, record=RECORD).id
    clock.pass_by(minutes=20)
    visits["held"] = make_reviewable(store, link=PatientLink(family="Okafor", given="Ben")).id
    visits["blind"] = make_reviewable(store, blind=True, link=PatientLink(family="Ito", given="Mai")).id
    visits["rules"] = make_reviewable(store, label=None, link=PatientLink(family="Novak", given="Eva")).id
    clock.pass_by(minutes=3)
    sick = make_case(
        complaint="I have crushing chest pain since breakfast and I am sweating a lot.",
        turns=TURNS[2:],
        vitals=Vitals(heart_rate=118, respiratory_rate=24, systolic=92, diastolic=60, temperature=36.4, spo2=91),
        age_years=67,
        sex="male",
        conditions=("diabetes",),
        medications=("metformin", "aspirin"),
    )
    draft = make_draft(
        acuity=Acuity.HIGH,
        summary="Crushing chest pain since breakfast with sweating; fast heart, low oxygen.",
        findings=[Finding(name="chest pain", status="present", evidence="crushing chest pain since breakfast")],
        uncertainty="low",
    )
    emergency = make_reviewable(store, sick, draft, link=PatientLink(family="Marsh", given="Tom"), record=RECORD)
    with store.act(SERVICE) as act:
        alert(act, lock_visit(act, emergency.id), ["chest-pain-crushing"], Acuity.EMERGENCY)
    visits["emergency"] = emergency.id
    arabic = make_case(complaint="عندي ألم في أسفل الظهر منذ يوم الاثنين.", turns=(), language="ar")
    visits["arabic"] = make_reviewable(
        store, arabic, make_draft(findings=[]), language="ar", link=PatientLink(family="حداد", given="ليلى")
    ).id
    turns = tuple(Turn(speaker="patient", text=(f"{BIDI} {STORY} " * 12)[:2000]) for number in range(12))
    visits["hostile"] = make_reviewable(
        store,
        make_case(complaint=(BIDI * 6)[:2000], turns=turns, medications=(BIDI[:200],)),
        make_draft(
            summary=BIDI[:300],
            findings=[Finding(name=BIDI[:200], status="present", evidence="dull ache in my lower back")],
            next_steps=[BIDI[:200]],
        ),
        link=PatientLink(family=BIDI[:120], given="<script>"),
    ).id
    with store.act(OTHER) as act:
        claim(act, visits["held"])
    return visits


CUT = "Failed to load resource: net::ERR_FAILED"  # what the browser writes of a request that was cut off

RECORD = History(
    patient=PatientLink(),
    conditions=("diabetes",),
    medications=("metformin", "ramipril"),
    allergies=("penicillin",),
)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield running
        running.close()


def open_page(browser, room: Room, size: str, user: str = "nurse-1", **options):
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    with room.house.store.act(SERVICE) as act:
        begun = begin(act, STAFF, user=act.session.get_one(User, user))
    context.add_cookies([{"name": "staff", "value": begun.token, "url": room.url, "httpOnly": True}])
    page = context.new_page()
    page.faults = []
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("dialog", lambda dialog: page.faults.append("a dialog opened"))
    return page


def check_page(page, name: str, expected: str = "") -> None:
    """No violation of the rules, nothing wider than the screen, nothing complained about but what is expected."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), f"{name}: too wide"
    assert [fault for fault in page.faults if fault != expected] == [], name
    if folder := os.environ.get("PRESCREEN_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
        page.screenshot(path=str(Path(folder) / f"{name}-full.png"), full_page=True)


@pytest.mark.parametrize("size", SIZES)
def test_pages_hold_on_every_screen(browser, room: Room, size: str) -> None:
    page = open_page(browser, room, size)
    page.goto(f"{room.url}/queue")
    check_page(page, f"queue-{size}")
    page.goto(f"{room.url}/handover")
    check_page(page, f"handover-{size}")
    for name in ("emergency", "plain", "blind", "rules", "arabic", "hostile", "held"):
        page.goto(f"{room.url}/visits/{room.visits[name]}")
        if name != "held":
            start = page.get_by_role("button", name="Start the review")
            if start.count():
                start.click()
        check_page(page, f"visit-{name}-{size}")
    for summary in page.locator("details > summary").all():
        summary.click()
    check_page(page, f"visit-open-{size}")
    page.goto(f"{room.url}/visits/{room.visits['plain']}/print")
    check_page(page, f"print-{size}")
    page.context.close()


def test_dark_screens_too(browser, room: Room) -> None:
    page = open_page(browser, room, "desktop", color_scheme="dark")
    for name, path in (("queue", "/queue"), ("visit", f"/visits/{room.visits['emergency']}")):
        page.goto(room.url + path)
        check_page(page, f"{name}-dark")
    page.context.close()


def test_keys_choose_accept_edit_and_go_on(browser, room: Room) -> None:
    page = open_page(browser, room, "desktop")
    visit = make_reviewable(room.house.store, link=PatientLink(family="Keys")).id
    page.goto(f"{room.url}/visits/{visit}")
    page.get_by_role("button", name="Start the review").click()
    page.get_by_role("button", name="Sign", exact=True).wait_for()
    page.wait_for_load_state()
    page.keyboard.press("1")
    assert page.locator("input[value=emergency]").is_checked()
    page.keyboard.press("e")
    page.keyboard.type("4")
    assert page.locator("#f-summary").input_value().count("4") == 1
    assert page.locator("input[value=emergency]").is_checked(), "no key acts while somebody types"
    page.locator("h1").click()
    page.keyboard.press("3")
    page.keyboard.press("a")
    assert page.evaluate("document.activeElement.id") == "do"
    assert "/visits/" in page.url
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue")
    assert "in " in page.locator(".undo .left").inner_text()
    with room.house.store.look(SERVICE) as act:
        assert act.session.query(Review).filter_by(visit_id=visit).one().level == Acuity.MEDIUM.rank
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**/visits/{visit}")
    page.wait_for_load_state()
    page.get_by_label("Single keys are on").evaluate("node => { node.checked = false; }")
    page.keyboard.press("2")
    assert not page.locator("input[value=high]").is_checked(), "keys can be switched off"
    page.get_by_label("Single keys are on").evaluate("node => { node.checked = true; }")
    page.keyboard.press("n")
    page.wait_for_url(lambda url: "/visits/" in url and visit not in url)
    page.context.close()


def test_a_queue_that_is_cut_off_says_so_and_new_emergencies_are_told(browser, room: Room) -> None:
    page = open_page(browser, room, "desktop")
    page.clock.install()
    page.goto(f"{room.url}/queue")
    made = make_reviewable(room.house.store, link=PatientLink(family="Newcomer"))
    with room.house.store.act(SERVICE) as act:
        alert(act, lock_visit(act, made.id), ["chest-pain-crushing"], Acuity.EMERGENCY)
    page.locator(f"#act-{room.visits['emergency']}").focus()
    page.clock.run_for(11_000)
    page.get_by_text("Newcomer").wait_for()
    assert page.locator("#news").inner_text() == "A new emergency is on the list."
    assert page.evaluate("document.activeElement.id") == f"act-{room.visits['emergency']}"
    assert page.locator("#stale").is_hidden()
    page.route("**/queue/rows*", lambda route: route.abort())
    page.clock.run_for(40_000)
    page.locator("#stale").wait_for(state="visible")
    assert "Connection lost" in page.locator("#stale").inner_text()
    check_page(page, "queue-stale", expected=CUT)
    page.unroute("**/queue/rows*")
    page.clock.run_for(11_000)
    page.locator("#stale").wait_for(state="hidden")
    page.context.close()


def test_a_nurse_who_reads_is_told_what_comes_in(browser, room: Room) -> None:
    page = open_page(browser, room, "desktop")
    visit = make_reviewable(room.house.store, link=PatientLink(family="Reader")).id
    page.clock.install()
    with page.expect_response("**/queue/rows"):
        page.goto(f"{room.url}/visits/{visit}")
    page.clock.run_for(16_000)
    assert page.locator("#fresh").is_hidden()
    made = make_reviewable(room.house.store)
    with room.house.store.act(SERVICE) as act:
        alert(act, lock_visit(act, made.id), ["chest-pain-crushing"], Acuity.EMERGENCY)
        lock_visit(act, visit).version += 1
    page.clock.run_for(16_000)
    page.locator("#fresh").wait_for(state="visible")
    said = page.locator("#fresh").inner_text()
    assert "Something new came in" in said and "A new emergency" in said
    check_page(page, "visit-told")
    page.context.close()


def test_all_of_it_without_javascript(browser, room: Room) -> None:
    page = open_page(browser, room, "tablet", java_script_enabled=False)
    visit = make_reviewable(room.house.store, link=PatientLink(family="Plainform"), blind=True).id
    page.goto(f"{room.url}/queue")
    page.get_by_role("button", name="Review Plainform").click()
    page.locator("input[value=low]").check()
    page.get_by_role("button", name="Keep it and show the draft").click()
    page.locator("#f-summary").fill("Seen; walks well.")
    page.locator("input[value=medium]").check()
    page.get_by_role("button", name="Show changes").click()
    assert page.locator("ins").count()
    assert page.locator("input[value=medium]").is_checked()
    page.get_by_role("button", name="Sign", exact=True).click()
    assert page.url.endswith("/queue")
    with room.house.store.look(SERVICE) as act:
        kept = act.session.query(Review).filter_by(visit_id=visit).one()
        assert (kept.blind_level, kept.edited) == (Acuity.LOW.rank, True)
        assert act.session.get_one(Visit, visit).state == "signed"
    page.context.close()


def test_the_report_prints_on_one_page(browser, room: Room, tmp_path: Path) -> None:
    for paper in ("A4", "Letter"):
        page = open_page(browser, room, "desktop")
        page.goto(f"{room.url}/visits/{room.visits['emergency']}/print")
        path = Path(os.environ.get("PRESCREEN_SHOTS", tmp_path)) / f"report-{paper}.pdf"
        if folder := os.environ.get("PRESCREEN_SHOTS"):
            page.emulate_media(media="print")
            page.set_viewport_size({"width": 690, "height": 1020})
            page.screenshot(path=str(Path(folder) / f"paper-{paper}.png"))
        page.pdf(path=str(path), format=paper, prefer_css_page_size=False)
        assert path.read_bytes().count(b"/Type /Page\n") == 1 or path.read_bytes().count(b"/Type /Page ") == 1
        page.context.close()
