"""A whole visit in a real browser at the real service: patient, nurse, record, auditor; and every page looked at.

Nothing is signed in or set up behind the pages' backs but the demonstration's people and their passwords.
"""

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator

import pytest

from prescreen.ehr.codes import identifier, identifier_query, parse_id
from prescreen.intake.languages import say
from prescreen.store.base import Who
from prescreen.store.tables import Review
from service.driving import (
    COMPLAINTS,
    answer_until,
    begin,
    fill,
    open_browser,
    open_page,
    plain_answers,
    press,
    send,
    sign_in,
    step_of,
)
from service.live_clinic import TOKEN, Clinic, run_clinic

BROWSER = shutil.which("chromium") or ""
PHONE, DESK, TABLET = (390, 844), (1280, 800), (820, 1180)
UNDO_S = 3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="chromium is not installed: nothing was looked at"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with open_browser(BROWSER) as running:
        yield running


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Iterator[Clinic]:
    with run_clinic(tmp_path_factory.mktemp("clinic"), undo_s=UNDO_S) as running:
        yield running


def ask_record(clinic: Clinic, path: str) -> dict:
    """What the record answers to a program with its token."""
    request = urllib.request.Request(f"{clinic.url}/fhir/{path}", headers={"authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def find_document(clinic: Clinic, visit: str) -> dict:
    """The report of a visit's one signature, asked for by its identifier until the undo window is over."""
    with clinic.house.store.look(Who("test", "service")) as act:
        signature = act.session.query(Review).filter_by(visit_id=visit).one().id
    asked = f"Composition?{identifier_query(identifier(str(parse_id(signature))))}"
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        found = ask_record(clinic, asked)
        if found["total"]:
            assert found["total"] == 1
            told: dict = found["entry"][0]["resource"]
            return told
        time.sleep(0.5)
    raise AssertionError("the signed report did not arrive in the record")


def walk_intake(page, clinic: Clinic, language: str, name: tuple[str, str]) -> None:
    """Language, consent, code, name, every page, a read-back with one change, sent."""
    code = begin(page, clinic, language, name)
    assert len(code) == 11 and code[5] == "-"
    assert page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
    titles = []
    answered = answer_until(page, plain_answers(language), "review", lambda step: titles.append(page.title()))
    assert {"about", "complaint", "screen", "onset", "history", "measures"} <= set(answered)
    assert len(set(titles)) == len(titles), "two pages have the same title"
    change = say(language, "button.change_what", question=say(language, "onset.title"))
    press(page, page.get_by_role("button", name=change, exact=True))
    assert step_of(page) == "onset"
    fill(page, {"pain": "6"})
    send(page)
    answer_until(page, plain_answers(language), "review")
    row = page.locator(".rows > div").filter(has_text=say(language, "onset.title"))
    assert "6" in row.locator("dd").first.inner_text()
    assert COMPLAINTS[language] in page.locator(".rows").inner_text()
    fill(page, {"confirm": "yes"})
    send(page)
    assert page.locator("h1").inner_text() == say(language, "done.title")


def review_and_sign(page, clinic: Clinic, family: str) -> str:
    """The nurse's part by the sign-in page, one edit and the keys; the visit's id."""
    sign_in(page, clinic, "nurse")
    line = page.locator(".line").filter(has_text=family)
    for _ in range(20):  # the draft comes while the nurse looks at the list
        if line.count() and "no draft yet" not in line.inner_text():
            break
        time.sleep(0.5)
        page.reload()
    press(page, line.locator("button"))
    page.wait_for_url("**/visits/*")
    visit = page.url.rsplit("/", 1)[1].partition("?")[0]
    assert "Drafted by software (scripted" in page.locator(".draft .label").inner_text()
    page.wait_for_load_state()
    page.keyboard.press("e")
    page.keyboard.press("Control+A")
    page.keyboard.type("Sore throat since Monday, drinks, no danger sign.")
    page.locator("h1").click()
    page.keyboard.press("a")
    assert page.evaluate("document.activeElement.id") == "do"
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue")
    assert "It leaves for the record at" in page.locator(".undo").inner_text()
    return visit


def check_log(page, clinic: Clinic, visit: str) -> None:
    """The auditor finds every act of the visit, and no word of the patient."""
    sign_in(page, clinic, "auditor")
    page.goto(f"{clinic.url}/audit/visits/{visit}")
    rows = page.locator("tbody tr").all_inner_texts()
    acts = {row.split("\t")[4].strip() for row in rows}
    wanted = {"visit.open", "visit.tell", "visit.finish", "visit.draft", "visit.claim", "visit.sign", "record.sent"}
    assert wanted <= acts, sorted(acts)
    assert not any(words in page.locator("main").inner_text() for words in COMPLAINTS.values())


WALKS = [
    ("en", PHONE, DESK, False),
    ("es", PHONE, TABLET, False),
    ("ar", PHONE, DESK, False),
    ("en", DESK, TABLET, False),
    ("es", DESK, DESK, False),
    ("ar", DESK, TABLET, False),
    ("de", PHONE, DESK, False),
    ("en", PHONE, TABLET, True),
]


@pytest.mark.parametrize(("language", "size", "staff", "script"), WALKS)
def test_a_visit_from_the_phone_to_the_record(browser, clinic: Clinic, language, size, staff, script) -> None:
    family = f"Marlow{language}{size[0]}{'js' if script else ''}"
    phone = open_page(browser, *size, java_script_enabled=script, locale=language)
    walk_intake(phone, clinic, language, ("Ines", family))
    desk = open_page(browser, *staff)
    before = ask_record(clinic, "Composition?_count=0")["total"]
    visit = review_and_sign(desk, clinic, family)
    assert ask_record(clinic, "Composition?_count=0")["total"] == before, "something left within the undo window"
    told = find_document(clinic, visit)
    assert told["status"] == "final" and told["attester"][0]["mode"] in ("professional", "legal")
    assert told["attester"][0]["party"]["display"] == "Nora Quist, RN"
    patient = ask_record(clinic, told["subject"]["reference"])
    assert patient["name"][0]["family"] == family and patient["birthDate"] == "1981-04-03"
    assert "Sore throat since Monday, drinks" in json.dumps(told)
    desk.reload()
    assert not desk.locator(".undo").count() and not desk.get_by_text(family).count()
    log = open_page(browser, *staff)
    check_log(log, clinic, visit)
    for page in (phone, desk, log):
        assert page.faults == []
        page.context.close()
