"""Every page of the service by the rules of WCAG 2.2 and by hand: keyboard, narrow, large letters, targets, errors.

Three people walk the pages; each stop is looked at in light and dark, on a phone and a desktop.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prescreen.intake.languages import say
from prescreen.service.showcase import show_patients
from prescreen.store.base import Who
from prescreen.store.sessions import PATIENT
from prescreen.store.tables import Visit
from service.driving import (
    answer_until,
    begin,
    fill,
    find_faults,
    open_browser,
    open_page,
    plain_answers,
    press,
    send,
    sign_in,
    step_of,
)
from service.live_clinic import Clinic, run_clinic

BROWSER = shutil.which("chromium") or ""
SIZES = {"phone": (390, 844), "desk": (1280, 800)}
SCHEMES = ("light", "dark")
LOOKED: list[str] = []
CHEST = {"complaint": "I have crushing chest pain going into my left arm and I am sweating"}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not BROWSER, reason="chromium is not installed: nothing was looked at"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
VIEWS = [(size, scheme) for size in SIZES for scheme in SCHEMES]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser(BROWSER) as running:
        yield running
    print(f"\n{len(LOOKED)} looks by axe at {len({name.split('/')[0] for name in LOOKED})} pages")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Iterator[Clinic]:
    with run_clinic(tmp_path_factory.mktemp("clinic"), undo_s=600) as running:
        show_patients(running.house, PATIENT)
        yield running


class Looker:
    """Looks at a page whenever it is told to, and keeps what it found."""

    def __init__(self, page: Any, view: str) -> None:
        self.page, self.view, self.faults = page, view, list[str]()

    def __call__(self, name: str) -> None:
        self.faults += [f"{name}: {fault}" for fault in find_faults(self.page)]
        if not self.page.title().strip():
            self.faults.append(f"{name}: no title")
        LOOKED.append(f"{name}/{self.view}")
        if folder := os.environ.get("PRESCREEN_SHOTS"):
            self.page.screenshot(path=str(Path(folder) / f"{name}-{self.view}.png"), full_page=True)

    def at(self, url: str, name: str) -> None:
        self.page.goto(url)
        self(name)


@pytest.fixture
def look(browser, request) -> Iterator[Callable[..., None]]:
    size, scheme = request.param
    page = open_page(browser, *SIZES[size], color_scheme=scheme)
    yield Looker(page, f"{size}-{scheme}")
    page.context.close()


def walk_patient(look: Looker, clinic: Clinic, language: str) -> None:
    """Every page a patient may see, errors included."""
    page, url = look.page, clinic.url
    look.at(f"{url}/", f"{language} start")
    look.at(f"{url}/p/welcome/{language}", f"{language} consent")
    press(page, page.get_by_role("button", name=say(language, "button.start"), exact=True))
    look(f"{language} consent with error")
    look.at(f"{url}/p/resume", f"{language} resume")
    look.at(f"{url}/p/resume?problem=1", f"{language} resume with error")
    begin(page, clinic, language, ("Ines", f"Axe{language}"))
    send(page)
    look(f"{language} about with error")
    answer_until(page, plain_answers(language), "review", lambda step: look(f"{language} {step}"))
    look(f"{language} read-back")
    send(page)
    look(f"{language} read-back with error")
    press(page, page.get_by_role("button", name=say(language, "button.opt_out"), exact=True))
    look(f"{language} opt-out")
    page.goto(f"{url}/p/step")
    fill(page, {"confirm": "yes"})
    send(page)
    look(f"{language} waiting")


@pytest.mark.parametrize("look", VIEWS, indirect=True, ids=["-".join(view) for view in VIEWS])
def test_every_page_of_a_patient(look, clinic: Clinic) -> None:
    walk_patient(look, clinic, "en")
    page = look.page
    page.goto(f"{clinic.url}/p/welcome/en")
    page.locator("#agree").check()
    press(page, page.get_by_role("button", name="Start", exact=True))
    look("en code")
    press(page, page.get_by_role("link", name="Next"))
    look("en name")
    page.locator("#day").fill("45")
    press(page, page.get_by_role("button", name="Next"))
    assert page.locator("#day").input_value() == "45", "what was typed is still there"
    look("en name with error")
    page.goto(f"{clinic.url}/p/step")
    answer_until(page, plain_answers(complaint=CHEST), "screen")
    assert page.locator(".urgent a[href='tel:112']").is_visible()
    look("en urgent")
    send(page)
    look("en urgent with error")
    for path, name in (
        ("/p/nowhere", "404"),
        ("/p/welcome/xx", "404 of a language"),
        ("/?why=left", "start, left"),
    ):
        look.at(clinic.url + path, f"en {name}")
    assert not look.faults, "\n".join(look.faults)


@pytest.mark.parametrize("language", ["es", "ar", "de"])
@pytest.mark.parametrize("look", [("phone", "light"), ("desk", "dark")], indirect=True, ids=["phone", "desk"])
def test_a_patients_pages_in_other_languages(look, clinic: Clinic, language: str) -> None:
    walk_patient(look, clinic, language)
    assert not look.faults, "\n".join(look.faults)


def claim(page: Any, clinic: Clinic, name: str) -> str:
    """Open a visit of the queue by its name and hold it; its address."""
    page.goto(f"{clinic.url}/queue")
    press(page, page.locator("a.name", has_text=name).first)
    for words in ("Start the review", "Take it over", "Correct it"):
        button = page.get_by_role("button", name=words, exact=True)
        if button.count():
            press(page, button)
            break
    page.wait_for_load_state()
    return str(page.url).partition("?")[0]


def send_twice(page: Any) -> None:
    """A form that shows who one is goes out once: a second press would carry the token the answer replaces."""
    sent: list[Any] = []
    page.route("**/account/password", lambda route: sent.append(route))  # no answer yet
    page.get_by_label("Your password").fill("what it was before")
    page.get_by_label("New password", exact=True).fill("four words in a row")
    page.get_by_label("New password again").fill("four words in a row")
    button = page.get_by_role("button", name="Keep the new password")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    for _ in range(2):
        page.mouse.click(box["x"] + 9, box["y"] + 9)
        page.wait_for_timeout(300)
    assert len(sent) == 1
    sent[0].abort()
    page.unroute("**/account/password")


@pytest.mark.parametrize("look", VIEWS, indirect=True, ids=["-".join(view) for view in VIEWS])
def test_every_page_of_the_staff(look, clinic: Clinic) -> None:
    page, url = look.page, clinic.url
    look.at(f"{url}/sign-in", "sign-in")
    page.locator("#login").fill("nobody")
    page.locator("#password").fill("wrong")
    press(page, page.get_by_role("button", name="Sign in"))
    look("sign-in refused")
    sign_in(page, clinic, "nurse")
    look("queue")
    look.at(f"{url}/queue?whose=mine", "queue, mine")
    look.at(f"{url}/handover", "hand-over")
    page.goto(f"{url}/queue")
    press(page, page.locator("a.name").first)
    look("visit, read only")
    at = claim(page, clinic, "Vance")
    look("visit, red flags")
    for summary in page.locator("details > summary").all():
        summary.click()
    look("visit, all opened")
    press(page, page.get_by_role("button", name="Show changes"))
    look("visit, changes")
    look.at(f"{at}/print", "print, a draft")
    claim(page, clinic, "Salas")
    look("visit, in Spanish")
    claim(page, clinic, "Haddad")
    look("visit, in Arabic")
    at = claim(page, clinic, "Pike")
    page.locator("input[value=high]").check(force=True)
    press(page, page.get_by_role("button", name="Sign", exact=True))
    look("visit, refused for a reason")
    page.locator("input[value=medium]").check(force=True)
    page.locator("#reason").select_option(index=1)
    press(page, page.get_by_role("button", name="Sign", exact=True))
    page.wait_for_url("**/queue")
    look("queue with undo")
    look.at(at, "visit, signed")
    look.at(f"{at}/print", "print, signed")
    page.goto(at)
    press(page, page.get_by_role("button", name="Undo"))
    page.wait_for_load_state()
    look("visit, taken back")
    look.at(f"{url}/glass/{at.rsplit('/', 1)[1]}", "glass")
    page.get_by_label("Why you must see it now").fill("far too late " * 2)
    look.at(f"{url}/account", "account")
    send_twice(page)
    look.at(f"{url}/visits/{'0' * 32}", "404")
    look.at(f"{url}/admin/people", "403")
    page.goto(f"{url}/queue")
    page.get_by_text("Invite a patient").click()
    look("queue, inviting")
    press(page, page.get_by_role("button", name="Make the invitation"))
    look("invitation")
    press(page, page.get_by_role("button", name="Sign out").first)
    look("signed out")
    sign_in(page, clinic, "admin")
    for path in ("people", "record", "system"):
        look.at(f"{url}/admin/{path}", f"admin {path}")
    page.goto(f"{url}/admin/people")
    page.get_by_role("button", name="Add", exact=True).scroll_into_view_if_needed()
    page.locator("#login").fill("nurse")
    page.locator("#name").fill("Somebody Else")
    press(page, page.get_by_role("button", name="Add", exact=True))
    look("admin people refused")
    page.locator("#login").fill(f"relief-{look.view}")
    page.locator("#name").fill("Somebody Else")
    press(page, page.get_by_role("button", name="Add", exact=True))
    look("admin people, added")
    press(page, page.get_by_role("button", name=f"New password for relief-{look.view}", exact=True))
    look("admin people, a new password")
    press(page, page.get_by_role("button", name="Sign out").first)
    sign_in(page, clinic, "auditor")
    for path, name in (("audit", "log"), ("audit/glass", "broken glass"), ("audit?action=visit", "log, filtered")):
        look.at(f"{url}/{path}", name)
    page.goto(f"{url}/audit?action=visit")
    press(page, page.locator("tbody a").first)
    look("log of a visit")
    press(page, page.get_by_role("button", name="Sign out").first)
    sign_in(page, clinic, "physician")
    look.at(f"{url}/model", "the drafting model")
    look.at(f"{url}/sheet/changes", "accepted changes")
    page.locator("#signal").select_option(index=1)
    page.locator("#why").fill("The flu season has begun.")
    press(page, page.get_by_role("button", name="Accept, in my name"))
    page.wait_for_load_state()
    look("accepted changes, one")
    assert not look.faults, "\n".join(look.faults)


STATES = [
    ({"by_rules": True}, "Drafted by rules only", "visit, rules only"),
    ({"blind_share": 1.0}, "decided before its draft is seen", "visit, blind"),
]


@pytest.mark.parametrize(("options", "words", "name"), STATES, ids=["rules", "blind"])
def test_a_visit_in_its_other_states(browser, tmp_path: Path, options, words: str, name: str) -> None:
    faults = []
    with run_clinic(tmp_path, **options) as clinic:
        for size, scheme in VIEWS:
            person = open_page(browser, *SIZES[size], java_script_enabled=False)
            begin(person, clinic, "en", ("Ada", f"State{size}{scheme}"))
            answer_until(person, plain_answers())
            page = open_page(browser, *SIZES[size], color_scheme=scheme)
            look = Looker(page, f"{size}-{scheme}")
            sign_in(page, clinic, "nurse")
            page.locator(".line").filter(has_text=f"State{size}{scheme}").wait_for()
            page.wait_for_timeout(1500)
            claim(page, clinic, f"State{size}{scheme}")
            assert page.get_by_text(words).count(), page.locator("main").inner_text()
            look(name)
            faults += look.faults
            page.context.close()
            person.context.close()
    assert not faults, "\n".join(faults)


def test_a_question_of_the_nurse_and_a_page_that_is_too_old(browser, clinic: Clinic) -> None:
    """The asked patient's page with and without an error; 409 for the nurse whose colleague took the visit over."""
    for size, scheme in VIEWS:
        person = open_page(browser, *SIZES[size], color_scheme=scheme)
        begin(person, clinic, "en", ("Ada", f"Asked{size}{scheme}"))
        answer_until(person, plain_answers())
        nurse, other = (open_page(browser, *SIZES[size], color_scheme=scheme) for _ in range(2))
        sign_in(nurse, clinic, "nurse")
        nurse.wait_for_timeout(1500)
        claim(nurse, clinic, f"Asked{size}{scheme}")
        sign_in(other, clinic, "nurse2")
        claim(other, clinic, f"Asked{size}{scheme}")
        other.get_by_text("Ask the patient").click()
        other.locator("#question").fill("Can you swallow water?")
        press(other, other.get_by_role("button", name="Send to the patient"))
        press(nurse, nurse.get_by_role("button", name="Show changes"))
        looks = [Looker(page, f"{size}-{scheme}") for page in (person, nurse, other)]
        looks[1]("visit, too old")
        assert nurse.locator(".alarm").count()
        looks[2]("visit, asked")
        looks[0].at(f"{clinic.url}/p/wait", "en asked")
        press(person, person.get_by_role("button", name="Send to the nurse"))
        looks[0]("en asked with error")
        assert [look.faults for look in looks] == [[], [], []]
        for page in (person, nurse, other):
            page.context.close()


NARROW = "document.documentElement.scrollWidth <= window.innerWidth + 1"
LARGE = "document.documentElement.style.fontSize = '200%'"
CUT = """() => [...document.querySelectorAll('button, a, label, h1, h2, .level')]
    .filter(node => node.offsetWidth && node.scrollWidth > node.clientWidth + 2
            && getComputedStyle(node).overflow === 'hidden' && !node.matches('.visually-hidden, .hidden'))
    .map(node => node.textContent.trim())"""
SMALL = """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea')]
    .filter(node => !node.matches('.skip'))
    .map(node => [node.closest('label') || node, node])
    .map(([box, node]) => [box.getBoundingClientRect(), node.outerHTML.slice(0, 90)])
    .filter(([box]) => box.width && (box.height < 44 || box.width < 44)).map(([, html]) => html)"""


@pytest.mark.parametrize("language", ["en", "ar"])
def test_narrow_large_and_easy_to_hit_for_patients(browser, clinic: Clinic, language: str) -> None:
    page = open_page(browser, 320, 640)
    faults: list[str] = []

    def check(name: str) -> None:
        if not page.evaluate(NARROW):
            faults.append(f"{name}: wider than 320 px")
        faults.extend(f"{name}: too small to hit: {html}" for html in page.evaluate(SMALL))
        page.set_viewport_size({"width": 390, "height": 844})
        page.evaluate(LARGE)
        if not page.evaluate(NARROW):
            faults.append(f"{name}: wider than the screen with letters of 200 %")
        faults.extend(f"{name}: cut off: {text}" for text in page.evaluate(CUT))
        page.evaluate("document.documentElement.style.fontSize = ''")
        page.set_viewport_size({"width": 320, "height": 640})

    for path in ("/", f"/p/welcome/{language}", "/p/resume", "/p/resume?problem=1"):
        page.goto(clinic.url + path)
        check(path)
    begin(page, clinic, language, ("Ines", f"Narrow{language}"))
    send(page)
    check("about with error")
    answer_until(page, plain_answers(language), look=check)
    check("waiting")
    page.context.close()
    assert not faults, "\n".join(faults)


def test_narrow_and_large_for_the_staff(browser, clinic: Clinic) -> None:
    page = open_page(browser, 320, 640)
    faults = []
    for login, paths in (
        ("nurse", ("queue", "handover", "account", "VISIT", "VISIT/print")),
        ("admin", ("admin/people", "admin/record", "admin/system")),
        ("physician", ("sheet/changes", "model")),
        ("auditor", ("audit", "audit/glass")),
    ):
        page.context.clear_cookies()
        sign_in(page, clinic, login)
        visit = claim(page, clinic, "Marsh, Tilda").removeprefix(clinic.url + "/") if login == "nurse" else ""
        for path in paths:
            page.goto(f"{clinic.url}/{path.replace('VISIT', visit)}")
            for size, large in ((320, False), (820, True), (1280, True)):
                page.set_viewport_size({"width": size, "height": 800})
                page.evaluate(LARGE if large else "document.documentElement.style.fontSize = ''")
                if not page.evaluate(NARROW):
                    faults.append(f"{path}: wider than {size} px{' with large letters' if large else ''}")
    page.context.close()
    assert not faults, "\n".join(faults)


FOCUSABLE = """() => [...document.querySelectorAll(
        'a[href], button, input:not([type=hidden]), select, textarea, summary')]
    .filter(node => node.checkVisibility({visibilityProperty: true}) && !node.disabled)
    .filter(node => node.type !== 'radio' || node.checked || (![...document.getElementsByName(node.name)]
        .some(other => other.checked) && document.getElementsByName(node.name)[0] === node)).length"""
FOCUSED = """() => { const node = document.activeElement;
    if (!node || node === document.body) return null;
    node.dataset.number ??= String(window.numbered = (window.numbered || 0) + 1);
    const shown = node.matches('.chip input') ? node.nextElementSibling : node, style = getComputedStyle(shown);
    const box = shown.getBoundingClientRect();
    return {number: node.dataset.number, html: node.outerHTML.slice(0, 90),
            control: node.matches('a[href], button, input, select, textarea, summary'),
            outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
            seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight}; }"""


def tab_through(page: Any) -> list[str]:
    """Every control is reached by Tab, shows its focus and stands on the screen then."""
    wanted, reached, faults = page.evaluate(FOCUSABLE), set(), []
    for _ in range(wanted + 30):
        page.keyboard.press("Tab")
        held = page.evaluate(FOCUSED)
        if held is None or held["number"] in reached:
            if held is not None:
                break
            continue
        reached.add(held["number"] if held["control"] else "")
        if not (held["outlined"] and held["seen"]):
            faults.append(f"focus is not seen: {held['html']}")
    if len(reached - {""}) < wanted:
        faults.append(f"{len(reached - {''})} of {wanted} controls reached")
    return faults


def test_by_keyboard_alone(browser, clinic: Clinic) -> None:
    page = open_page(browser, *SIZES["desk"])
    faults = []

    def check(name: str) -> None:
        faults.extend(f"{name}: {fault}" for fault in tab_through(page))

    page.goto(clinic.url)
    check("start")
    begin(page, clinic, "en", ("Ines", "Keyboard"))
    answer_until(page, plain_answers(), look=check)
    check("waiting")
    sign_in(page, clinic, "nurse")
    check("queue")
    claim(page, clinic, "Marsh, Tilda")
    check("visit")
    for path in ("handover", "account"):
        page.goto(f"{clinic.url}/{path}")
        check(path)
    page.context.close()
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("script", [False, True])
def test_an_error_leads_to_its_field_and_every_language_is_named(browser, clinic: Clinic, script: bool) -> None:
    page = open_page(browser, *SIZES["phone"], java_script_enabled=script)
    page.goto(clinic.url)
    assert page.locator("a[hreflang=ar]").get_attribute("lang") == "ar"
    begin(page, clinic, "es", ("Inés", f"Focus{script}"))
    send(page)
    assert page.title().startswith(say("es", "page.error_prefix"))
    page.locator(".summary a").first.click()
    assert page.locator("#who:focus").count() == 1, "the link moves the focus to the field"
    assert step_of(page) == "about" and page.locator("html").get_attribute("lang") == "es"
    page.context.close()


def test_a_foreign_patients_words_are_named_by_their_language(browser, clinic: Clinic) -> None:
    page = open_page(browser, *SIZES["desk"])
    sign_in(page, clinic, "nurse")
    claim(page, clinic, "Haddad")
    own = page.locator(".said.theirs p", has_text="أعاني")
    assert own.get_attribute("lang") == "ar" and page.locator("html").get_attribute("lang") == "en"
    with clinic.house.store.look(Who("test", "service")) as act:
        assert act.session.query(Visit).filter_by(language="ar").count()
    page.context.close()
