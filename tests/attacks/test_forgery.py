"""Requests somebody else made a browser send, and sessions that are planted, kept, swapped or outlived."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from attacks.citadel import PASSWORD, Browser, Citadel, Route, fill, hidden, unsafe
from attacks.interview import walk
from prescreen.service.door.roles import roles_of
from prescreen.store.accounts import change_user, disable_user, reset_user
from prescreen.store.base import Who
from prescreen.store.tables import Visit

TEST = Who("test", "service")
NEW = "three quiet boats at dawn"


@pytest.fixture(scope="module")
def citadel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Citadel]:
    citadel = Citadel(tmp_path_factory.mktemp("forgery"))
    yield citadel
    citadel.close()


@pytest.fixture(scope="module")
def visit(citadel: Citadel) -> str:
    walk(citadel.patient())
    with citadel.store.look(TEST) as act:
        return act.session.scalars(select(Visit.id).where(Visit.state == "waiting")).one()


def forge(browser: Browser, route: Route, path: str, own: str, others: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Every way of sending the form without being its page; what each was answered with."""

    def send(
        kind: str = "application/x-www-form-urlencoded", body: str = "", query: str = "", **headers: str
    ) -> int:
        told = {"content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
        answer = browser.client.request(route.method, path + query, content=body, headers=told)
        return int(answer.status_code)

    yield "no token", send()
    yield "empty token", send(body="csrf=")
    yield "token in the address", send(query=f"?csrf={own}")
    yield "token in a cookie", send(cookie=f"csrf={own}; {browser.client.headers.get('cookie', '')}")
    for name, token in others.items():
        yield name, send(body=f"csrf={token}")
        yield name + " in the header", send(x_csrf_token=token)
    for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded-not", "", "text/html"):
        yield f"as {kind or 'nothing'}", send(kind, body=f"csrf={own}")
    yield "as JSON", send("application/json", body=f'{{"csrf": "{own}"}}')
    boundary = f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{others["another session"]}\r\n--x--\r\n'
    yield "as multipart", send("multipart/form-data; boundary=x", body=boundary)
    file = f'--x\r\nContent-Disposition: form-data; name="csrf"; filename="a"\r\n\r\n{own}\r\n--x--\r\n'
    yield "as a file", send("multipart/form-data; boundary=x", body=file)
    for site in ("cross-site", "same-site"):
        yield f"fetched {site}", send(body=f"csrf={own}", sec_fetch_site=site)
    yield "cut short", send(body=f"csrf={own[:-1]}")
    yield "with more", send(body=f"csrf={own}0")
    yield "first wrong, then right", send(body=f"csrf=0&csrf={'0'}")


def test_no_form_can_be_sent_by_another_page(citadel: Citadel, visit: str) -> None:
    """Programs with a token of their own send no cookie, so nobody can make a browser speak for them."""
    browsers = {role: citadel.staff(role) for role in ("nurse", "physician", "admin", "auditor")}
    browsers["patient"] = citadel.patient()
    other = citadel.staff("stranger")
    passed, count = [], 0
    for route in unsafe(citadel.app):
        allowed = roles_of(route.name)
        if allowed == {"hooks"}:
            continue
        role = next((role for role in browsers if role in allowed), "anyone")
        browser = browsers.get(role) or citadel.browser()
        public = role == "anyone"
        own = browser.public() if public else browser.csrf
        others = {"another session": other.csrf, "another public form": citadel.browser().public()}
        if not public:
            others["this browser's public form"] = browser.public()
        before = citadel.digest()
        for how, status in forge(browser, route, fill(route, visit), own, others):
            count += 1
            if status not in (403, 415) and not (how == "token in a cookie" and status == 303):
                passed.append((route.name, how, status))
        assert citadel.digest() == before, route
    assert passed == []
    assert count > 600


def test_a_token_of_another_browsers_public_form_is_no_login(citadel: Citadel) -> None:
    attacker, victim = citadel.browser(), citadel.browser()
    victim.public()
    told = victim.post("/sign-in", csrf=attacker.public(), login="nurse", password=PASSWORD)
    assert told.status_code == 403 and "__Host-staff" not in victim.client.cookies


def test_cookies_are_ours_alone(citadel: Citadel) -> None:
    staff = citadel.door(citadel.browser(), "nurse").headers.get_list("set-cookie")
    browser = citadel.browser()
    patient = browser.post("/p/begin", csrf=browser.public(), language="en", agree="yes").headers.get_list(
        "set-cookie"
    )
    public = citadel.browser().get("/sign-in").headers.get_list("set-cookie")
    told = [*staff, *patient, *public]
    assert len(told) >= 4
    for cookie in told:
        parts = [part.strip().lower() for part in cookie.split(";")]
        assert parts[0].startswith("__host-"), cookie
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= set(parts), cookie
        assert not any(part.startswith("domain") for part in parts), cookie


def test_a_planted_session_is_worth_nothing(citadel: Citadel) -> None:
    browser = citadel.browser()
    for planted in ("a" * 43, "", "0", "../..", "x" * 3000):
        browser.client.cookies.set("__Host-staff", planted, domain="testserver.local", path="/")
        assert browser.get("/queue").status_code == 303
    assert citadel.door(browser, "nurse").status_code == 303
    fresh = browser.client.cookies.get("__Host-staff", domain="testserver.local")
    assert fresh not in ("a" * 43, "x" * 3000) and len(fresh) >= 43
    thief = citadel.browser()
    thief.client.cookies.set("__Host-staff", "x" * 3000, domain="testserver.local", path="/")
    assert thief.get("/queue").status_code == 303


def test_a_session_of_one_kind_is_none_of_the_other(citadel: Citadel) -> None:
    staff, patient = citadel.staff("nurse"), citadel.patient()
    for source, name, place, path in (
        (staff, "__Host-staff", "__Host-visit", "/p/step"),
        (patient, "__Host-visit", "__Host-staff", "/queue"),
        (patient, "__Host-visit", "__Host-staff", "/account"),
    ):
        thief = citadel.browser()
        token = source.client.cookies.get(name, domain="testserver.local")
        thief.client.cookies.set(place, token, domain="testserver.local", path="/")
        assert thief.get(path).status_code in (303, 403), (name, path)


def session_of(citadel: Citadel, browser: Browser) -> Browser:
    """A thief with the cookie of this moment."""
    thief = citadel.browser()
    token = browser.client.cookies.get("__Host-staff", domain="testserver.local")
    thief.client.cookies.set("__Host-staff", token, domain="testserver.local", path="/")
    return thief


def test_what_ends_a_session_ends_it_on_the_server(tmp_path: Path) -> None:
    citadel = Citadel(tmp_path)
    admin = Who(citadel.ids["admin"], "admin")

    def parallel(login: str) -> tuple[Browser, Browser]:
        return citadel.staff(login), citadel.staff(login)

    one, two = parallel("nurse")
    thief = session_of(citadel, one)
    told = one.post("/account/password", password=PASSWORD, new=NEW, again=NEW)
    assert told.status_code == 303
    assert one.get("/queue").status_code == 200
    assert two.get("/queue").status_code == 303 and thief.get("/queue").status_code == 303
    one, two = parallel("stranger")
    thief = session_of(citadel, one)
    assert one.post("/sign-out").status_code == 303
    assert thief.get("/queue").status_code == 303 and two.get("/queue").status_code == 200
    acts = {
        "leaver": lambda act, id: disable_user(act, id),
        "physician": lambda act, id: change_user(act, id, role="auditor"),
        "stranger": lambda act, id: change_user(act, id, teams=["clinic"]),
        "auditor": lambda act, id: reset_user(act, id),
    }
    for login, work in acts.items():
        held = parallel(login)
        with citadel.store.act(admin) as act:
            work(act, citadel.ids[login])
        assert [browser.get("/account").status_code for browser in held] == [303, 303], login
    patient = citadel.patient()
    token = patient.client.cookies.get("__Host-visit", domain="testserver.local")
    assert patient.post("/p/leave").status_code == 303
    thief = citadel.browser()
    thief.client.cookies.set("__Host-visit", token, domain="testserver.local", path="/")
    assert thief.get("/p/step").status_code == 303
    citadel.close()


def test_signing_in_again_ends_the_session_before(citadel: Citadel) -> None:
    browser = citadel.staff("nurse")
    thief = session_of(citadel, browser)
    assert citadel.door(browser, "admin").status_code == 303
    assert thief.get("/queue").status_code == 303
    assert browser.get("/queue").status_code == 403 and browser.get("/admin/people").status_code == 200


def test_idle_and_absolute_time_outs_hold_for_both_kinds(tmp_path: Path) -> None:
    citadel = Citadel(tmp_path)
    nurse, patient = citadel.staff("nurse"), citadel.patient()
    for _ in range(72):  # every ten minutes something is done: only age ends it
        citadel.clock.pass_by(minutes=10)
        last = nurse.get("/queue").status_code
        patient.get("/p/step")
    assert last == 303
    assert patient.get("/p/step").status_code == 200
    citadel.clock.pass_by(minutes=31)
    assert patient.get("/p/step").status_code == 303
    quiet = citadel.staff("nurse")
    citadel.clock.pass_by(minutes=14)
    assert quiet.get("/queue/rows").status_code == 200  # a page that asks by itself keeps no session alive
    citadel.clock.pass_by(minutes=2)
    assert quiet.get("/queue/rows").status_code == 303
    citadel.close()


def test_a_page_shows_only_its_own_sessions_token(citadel: Citadel) -> None:
    nurse, admin = citadel.staff("nurse"), citadel.staff("admin")
    assert nurse.csrf != admin.csrf
    assert hidden(nurse.get("/account").text, "csrf") == nurse.csrf
    for path in ("/", "/sign-in", "/p/welcome/en", "/p/resume"):
        assert nurse.csrf not in nurse.get(path).text
