"""A patient's way on a phone without JavaScript: begun, answered, alarmed, left, gone on, sent, asked again."""

import html
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.intake.languages import say
from prescreen.service.house import House
from prescreen.store.holding import ask_patient, claim
from prescreen.store.patients import read_link
from prescreen.store.people import AuditLine
from prescreen.store.queue import read_queue
from prescreen.store.tables import Visit
from prescreen.store.visits import read_case
from service.front import hidden, make_house, make_phone
from store.desk import NURSE

LEVELS = re.compile(r"\b(?:emergency|high|medium|low) (?:priority|acuity|level)|triage|differential|diagnos", re.I)

COMPLAINT = "My throat has been sore since Monday"


def begin(phone: TestClient, language: str = "en") -> str:
    """Consent given and a name; returns the code to go on later."""
    page = phone.get(f"/p/welcome/{language}").text
    form = {"csrf": hidden(page, "csrf"), "language": language, "agree": "yes"}
    told = phone.post("/p/begin", data=form).text
    code = re.search(r'class="code" dir="ltr">([^<]+)<', told)
    assert code
    named = {"given": "Ines", "family": "Marlow", "day": "3", "month": "4", "year": "1981"}
    phone.post("/p/name", data={**named, "csrf": hidden(phone.get("/p/name").text, "csrf")})
    return code[1]


def send(phone: TestClient, page: str, **values: object) -> str:
    form = {name: hidden(page, name) for name in ("csrf", "mark", "step")}
    return phone.post("/p/answer", data={**form, **values}).text


def answer_on(phone: TestClient, page: str, complaint: str = COMPLAINT) -> str:
    """The next page after a plain answer to this one."""
    step = re.findall(r'name="step" value="([^"]*)"', page)[-1]
    known: dict[str, dict[str, object]] = {
        "about": {"who": "self", "age": "45", "age_unit": "years", "sex": "female"},
        "pregnant": {"pregnant": "no"},
        "complaint": {"complaint": complaint},
        "screen": {"signs": "none"},
        "area": {"area": "other"},
        "onset": {"start": "days", "course": "same", "pain": "3"},
        "history": {"medications": "ramipril", "allergies_none": "none"},
        "measures": {"temperature": "37.9", "temperature_unit": "°C"},
        "review": {"confirm": "yes"},
    }
    csrf, mark = hidden(page, "csrf"), hidden(page, "mark")
    form = {"csrf": csrf, "mark": mark, "step": step, **known.get(step, {"sign": "no"})}
    answer = phone.post("/p/answer", data=form)
    assert answer.status_code == 200, f"{step}: {answer.status_code}"
    return answer.text


def go_to(phone: TestClient, step: str, language: str = "en", complaint: str = COMPLAINT) -> str:
    """Begin, and answer until this question is asked."""
    begin(phone, language)
    page = phone.get("/p/step").text
    while hidden(page, "step") != step:
        page = answer_on(phone, page, complaint)
    return page


def answer_all(phone: TestClient, complaint: str = COMPLAINT) -> str:
    page = phone.get("/p/step").text
    for _ in range(14):
        if 'name="step"' not in page:
            return page
        page = answer_on(phone, page, complaint)
    raise AssertionError("more pages than promised")


def only_visit(house: House) -> Visit:
    with house.store.look(NURSE) as act:
        return act.session.scalars(select(Visit)).one()


@pytest.mark.parametrize("language", ["en", "es", "ar", "de"])
def test_a_patient_gets_through_in_every_language(house: House, phone: TestClient, language: str) -> None:
    begin(phone, language)
    first = phone.get("/p/step").text
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in first
    page = answer_all(phone)
    assert say(language, "done.title") in html.unescape(page)
    visit = only_visit(house)
    assert visit.state == "waiting" and visit.language == language
    with house.store.look(NURSE) as act:
        case, link = read_case(act, visit), read_link(act, visit)
        assert read_queue(act, ["clinic"])[0].id == visit.id
    assert case.complaint == "My throat has been sore since Monday"
    assert case.age_years == 45 and case.medications == ("ramipril",) and case.allergies == ()
    assert case.vitals.temperature == 37.9 and case.conditions is None
    assert (link.given, link.family, str(link.birth_date)) == ("Ines", "Marlow", "1981-04-03")


def test_no_page_shows_a_level_or_a_diagnosis(house: House, phone: TestClient) -> None:
    begin(phone)
    page = phone.get("/p/step").text
    for _ in range(14):
        assert not LEVELS.search(re.sub(r"<[^>]+>", " ", page))
        if 'name="step"' not in page:
            break
        page = answer_on(phone, page, "crushing chest pain going into my left arm and I am sweating")


def test_a_red_flag_is_in_the_queue_at_once_and_on_the_page(house: House, phone: TestClient) -> None:
    page = go_to(phone, "complaint")
    page = answer_on(phone, page, "crushing chest pain going into my left arm and I am sweating")
    assert 'class="urgent"' in page and 'href="tel:112"' in page
    visit = only_visit(house)
    assert (visit.state, visit.level) == ("intake", Acuity.EMERGENCY.rank) and visit.urgent is not None
    with house.store.look(NURSE) as act:
        assert [line.id for line in read_queue(act, ["clinic"])] == [visit.id]
    answer_all(phone, "it was nothing, I feel fine")
    assert only_visit(house).level == Acuity.EMERGENCY.rank


def test_go_on_later_with_the_code_on_another_phone(house: House, phone: TestClient) -> None:
    code = begin(phone)
    page = answer_on(phone, phone.get("/p/step").text)
    title = re.search(r"<h1>(.*?)</h1>", page)
    assert title
    phone.post("/p/leave", data={"csrf": hidden(page, "csrf")})
    assert title[1] not in phone.get("/p/step").text
    with make_phone(house) as other:
        door = other.get("/p/resume").text
        told = other.post("/p/resume", data={"csrf": hidden(door, "csrf"), "code": code.lower()}).text
        assert title[1] in told


def test_guessing_codes_is_slowed_down(house: House, phone: TestClient) -> None:
    code = begin(phone)
    with make_phone(house) as other:
        token = hidden(other.get("/p/resume").text, "csrf")
        for _ in range(12):
            assert "does not work" in other.post("/p/resume", data={"csrf": token, "code": "22222-22222"}).text
        assert "does not work" in other.post("/p/resume", data={"csrf": token, "code": code}).text


def test_a_double_tap_answers_once(house: House, phone: TestClient) -> None:
    begin(phone)
    page = phone.get("/p/step").text
    form = {name: hidden(page, name) for name in ("csrf", "mark", "step")}
    about = {**form, "who": "self", "age": "45", "age_unit": "years", "sex": "male"}
    first, second = (phone.post("/p/answer", data=about).text for _ in range(2))
    assert hidden(first, "mark") == hidden(second, "mark")
    with house.store.look(NURSE) as act:
        told = select(AuditLine).where(AuditLine.action == "visit.tell")
        assert len(list(act.session.scalars(told))) == 1


def test_what_is_not_understood_is_said_beside_the_field(phone: TestClient) -> None:
    begin(phone)
    page = phone.get("/p/step").text
    form = {name: hidden(page, name) for name in ("csrf", "mark", "step")}
    answer = phone.post("/p/answer", data={**form, "who": "self", "age": "900", "age_unit": "years"})
    assert answer.status_code == 422
    assert 'id="age-wrong"' in answer.text and 'value="900"' in answer.text


def test_words_that_are_markup_stay_words(phone: TestClient, house: House) -> None:
    begin(phone)
    evil = '"><script>alert(1)</script> it hurts'
    page = phone.get("/p/step").text
    for _ in range(14):
        assert "<script>alert" not in page
        if 'name="step"' not in page:
            break
        page = answer_on(phone, page, evil)
    with house.store.look(NURSE) as act:
        assert "<script>" in read_case(act, only_visit(house)).complaint


def test_to_a_person_instead(house: House, phone: TestClient) -> None:
    begin(phone)
    page = phone.get("/p/step").text
    form = {"csrf": hidden(page, "csrf"), "mark": hidden(page, "mark")}
    sure = phone.post("/p/out", data=form).text
    done = phone.post("/p/out", data={**form, "mark": hidden(sure, "mark"), "sure": "yes"}).text
    assert say("en", "done.opted_out_title") in done
    visit = only_visit(house)
    assert visit.state == "waiting" and visit.level == Acuity.HIGH.rank


def test_the_nurse_asks_and_the_patient_answers(house: House, phone: TestClient) -> None:
    begin(phone)
    answer_all(phone)
    visit = only_visit(house)
    with house.store.act(NURSE) as act:
        ask_patient(act, visit.id, claim(act, visit.id).version, "Can you swallow water?")
    assert phone.get("/p/news").json() == {"asked": True}
    page = phone.get("/p/wait").text
    assert "Can you swallow water?" in page
    told = {"csrf": hidden(page, "csrf"), "asked": hidden(page, "asked"), "answer": "No, and I cannot breathe well"}
    phone.post("/p/reply", data=told)
    visit = only_visit(house)
    assert visit.state == "waiting" and visit.level is not None and visit.level >= Acuity.HIGH.rank
    assert phone.get("/p/news").json() == {"asked": False}


def test_an_answer_belongs_to_the_question_it_was_given_to(house: House, phone: TestClient) -> None:
    begin(phone, "de")
    answer_all(phone)
    visit = only_visit(house)
    pages = []
    for question in ("Bluten Sie?", "Können Sie Wasser schlucken?"):
        with house.store.act(NURSE) as act:
            ask_patient(act, visit.id, claim(act, visit.id).version, question)
        pages.append(phone.get("/p/wait").text)

    def reply(page: str):
        return phone.post(
            "/p/reply", data={name: hidden(page, name) for name in ("csrf", "asked")} | {"answer": "Nein"}
        )

    late = reply(pages[0])
    assert late.status_code == 409 and "Können Sie Wasser schlucken?" in late.text
    assert say("de", "error.stale") in late.text and "Nein</textarea>" in late.text, "nothing typed is lost"
    assert reply(pages[1]).status_code == 200
    again = reply(pages[1])
    assert again.status_code == 409 and say("de", "error.stale") in again.text, "in the patient's language"
    with house.store.look(NURSE) as act:
        told = [turn.text for turn in read_case(act, act.session.get_one(Visit, visit.id)).turns]
    assert told[-2:] == ["Können Sie Wasser schlucken?", "Nein"] and "Bluten Sie?" not in told


def test_consent_is_needed_and_closed_doors_stay_closed(tmp_path: Path, phone: TestClient) -> None:
    page = phone.get("/p/welcome/en").text
    told = phone.post("/p/begin", data={"csrf": hidden(page, "csrf"), "language": "en"})
    assert told.status_code == 422 and say("en", "consent.must_agree") in told.text
    assert phone.post("/p/begin", data={"language": "en", "agree": "yes"}).status_code == 403
    assert phone.get("/p/welcome/xx").status_code == 404
    web = {"hosts": ["testserver"], "base_url": "https://testserver", "walk_in": False}
    closed = make_house(tmp_path / "closed", web=web)
    with make_phone(closed) as other:
        token = hidden(other.get("/p/welcome/en").text, "csrf")
        form = {"csrf": token, "language": "en", "agree": "yes"}
        assert "invitation" in other.post("/p/begin", data=form).text
    closed.store.close()
