"""The doors: guesses in a crowd, names that are told by text or time, codes twice, ways out, hosts, headers."""

import datetime
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import func, select

from attacks.citadel import PASSWORD, Citadel, hidden
from prescreen.service.door.identity import safe_next
from prescreen.store import sign_in as door
from prescreen.store.accounts import reset_user, set_totp
from prescreen.store.base import Who
from prescreen.store.people import Attempt, AuditLine, Pass, Session, User
from prescreen.store.sessions import STAFF

TEST = Who("test", "service")
GUESSES = 1_000
OUTSIDE = (
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "http:evil.example", "javascript:alert(1)", "data:text/html,x", "/\t/evil.example", "/\n/evil.example",
    "\t//evil.example", " //evil.example", "//[", "https://[", "/%0d%0aset-cookie:a=b", "/\r\nset-cookie: a=b",
    "evil.example", "@evil.example", "https:/evil.example", "//evil.example@testserver", "/x?y=//evil.example",
    "／／evil.example", "/\u202e//evil", "//\u0000evil.example", ".evil.example", "%2f%2fevil.example",
)  # fmt: skip


@pytest.fixture
def citadel(tmp_path: Path) -> Iterator[Citadel]:
    citadel = Citadel(tmp_path)
    yield citadel
    citadel.close()


def test_a_thousand_guesses_at_once_are_a_handful(citadel: Citadel) -> None:
    def guess(number: int) -> bool:
        told = door.Try("nurse", f"guess number {number}", address=f"10.1.{number // 250}.{number % 250}")
        return door.sign_in(citadel.store, told, STAFF).wait == datetime.timedelta()

    with ThreadPoolExecutor(16) as pool:
        looked_at = sum(pool.map(guess, range(GUESSES)))
    assert looked_at <= 5
    right = door.Try("nurse", PASSWORD, address="10.9.9.9")
    assert door.sign_in(citadel.store, right, STAFF).begun is None  # even the right one waits its turn
    citadel.clock.pass_by(minutes=16)
    assert door.sign_in(citadel.store, right, STAFF).begun is not None


@pytest.mark.slow
def test_one_address_with_a_thousand_logins_is_slowed_down_too(citadel: Citadel) -> None:
    def guess(number: int) -> bool:
        told = door.Try(f"person{number}", "winter2026winter", address="10.1.1.1")
        return door.sign_in(citadel.store, told, STAFF).wait == datetime.timedelta()

    with ThreadPoolExecutor(4) as pool:
        looked_at = sum(pool.map(guess, range(GUESSES)))
    assert looked_at <= 20
    with citadel.store.look(TEST) as act:
        assert act.session.scalar(select(func.count()).select_from(Attempt)) <= 25  # the table cannot be filled


@pytest.mark.slow
def test_an_own_account_resets_nobody_elses_count(citadel: Citadel) -> None:
    """Signing in rightly in between gives no further guesses at the door or at another login."""
    looked_at = 0
    for number in range(60):
        told = door.Try("nurse", f"guess number {number}", address="10.1.1.1")
        looked_at += door.sign_in(citadel.store, told, STAFF).wait == datetime.timedelta()
        door.sign_in(citadel.store, door.Try("leaver", PASSWORD, address="10.1.1.1"), STAFF)
    assert looked_at <= 5


def test_the_answer_tells_no_name(citadel: Citadel) -> None:
    """Unknown, wrong, disabled, first password not used, other case: one text, one status, the same headers."""
    with citadel.store.act(TEST) as act:
        act.session.get_one(User, citadel.ids["leaver"]).disabled = True
    told = set()
    for login, password in (
        ("nobody", "wrong"), ("nurse", "wrong"), ("leaver", PASSWORD), ("leaver", "wrong"), ("novice", "wrong"),
        ("", ""), ("x" * 5_000, "y" * 5_000), ("nurse\0", PASSWORD), ("nurse' OR '1'='1", "x"), ("*)(uid=*", "x"),
        ("nurse\u200b", PASSWORD), ("ｎurse", PASSWORD),
    ):  # fmt: skip
        browser = citadel.browser()
        answer = citadel.door(browser, login, password)
        page = answer.text.replace(hidden(answer.text, "csrf"), "")
        told.add((answer.status_code, page, tuple(sorted(name for name in answer.headers))))
        citadel.clock.pass_by(minutes=20)
    assert len(told) == 1


@pytest.mark.long
def test_the_time_tells_no_name(citadel: Citadel) -> None:
    """Medians of interleaved tries; a login that is not looked up in the same way would be 20 times as quick."""
    times: dict[str, list[float]] = {"nobody": [], "nurse": [], "leaver": []}
    with citadel.store.act(TEST) as act:
        act.session.get_one(User, citadel.ids["leaver"]).disabled = True
    for _ in range(9):
        for login, taken in times.items():
            citadel.clock.pass_by(minutes=20)
            begun = time.perf_counter()
            door.sign_in(citadel.store, door.Try(login, "wrong", address="10.1.1.1"), STAFF)
            taken.append(time.perf_counter() - begun)
    medians = {login: statistics.median(taken) for login, taken in times.items()}
    assert max(medians.values()) < 2.5 * min(medians.values()), medians


def test_a_code_of_the_app_works_once_and_cannot_be_guessed(citadel: Citadel) -> None:
    secret = pyotp.random_base32()
    with citadel.store.act(TEST) as act:
        set_totp(act, citadel.ids["nurse"], secret, 0, keep_session="")

    def come(code: str, address: str = "10.1.1.1") -> door.Answer:
        return door.sign_in(citadel.store, door.Try("nurse", PASSWORD, code, address), STAFF)

    now = citadel.clock().timestamp()
    early, code = pyotp.TOTP(secret).at(now - 30), pyotp.TOTP(secret).at(now)
    assert come("").begun is None
    assert come(code).begun is not None
    for again in (code, early, f" {code}", code + " "):
        assert come(again).begun is None, again
        citadel.clock.pass_by(seconds=2)
    citadel.clock.pass_by(minutes=16)
    looked_at = sum(come(f"{guess:06}", f"10.1.2.{guess}").wait == datetime.timedelta() for guess in range(200))
    assert looked_at <= 5
    for strange in ("١٢٣٤٥٦", "1e5", "12345", "1234567", "-12345", "０００００0"):
        citadel.clock.pass_by(minutes=90)
        assert come(strange).begun is None


def code_of(citadel: Citadel) -> str:
    browser = citadel.browser()
    told = browser.post("/p/begin", csrf=browser.public(), language="en", agree="yes").text
    return told.split('class="code" dir="ltr">')[1].split("<")[0]


def test_codes_cannot_be_guessed_even_by_who_has_one(citadel: Citadel) -> None:
    """A code of one's own in between must not buy new guesses."""
    own = code_of(citadel)
    browser = citadel.browser()
    token = browser.public()
    waits = 0
    for number in range(40):
        answer = browser.post("/p/resume", csrf=token, code=f"2222{number:02}-22222")
        assert answer.headers["location"] == "/p/resume?problem=1"
        browser.post("/p/resume", csrf=token, code=own)
    with citadel.store.look(TEST) as act:
        row = act.session.scalars(select(Attempt)).first()
        waits = row.count if row is not None else 0
    assert waits >= 10  # from here on each guess waits


def test_many_patients_of_one_address_may_go_on(citadel: Citadel) -> None:
    """A clinic's own network has one address: right codes do not count."""
    codes = [code_of(citadel) for _ in range(15)]
    for code in codes:
        browser = citadel.browser()
        assert browser.post("/p/resume", csrf=browser.public(), code=code).headers["location"] == "/p/step"


def test_invitations_cannot_be_guessed(citadel: Citadel) -> None:
    nurse = citadel.staff("nurse")
    page = nurse.post("/invitations", team="clinic", language="en", family="Bell").text
    code = page.split("/i/")[1].split("<")[0]
    browser = citadel.browser()
    token = browser.public()
    for number in range(12):
        told = browser.post("/p/begin", csrf=token, language="en", agree="yes", invite=f"2222{number:02}2222")
        assert told.status_code == 422
    told = browser.post("/p/begin", csrf=token, language="en", agree="yes", invite=code)
    assert told.status_code == 422  # the right one waits its turn as well
    citadel.clock.pass_by(hours=3)
    assert browser.post("/p/begin", csrf=token, language="en", agree="yes", invite=code).status_code == 200
    assert browser.post("/p/begin", csrf=token, language="en", agree="yes", invite=code).status_code == 422


def test_looking_at_an_invitation_tells_nothing(citadel: Citadel) -> None:
    nurse = citadel.staff("nurse")
    page = nurse.post("/invitations", team="clinic", language="en", family="Canarybell").text
    code = page.split("/i/")[1].split("<")[0]
    browser = citadel.browser()
    right, wrong = browser.get(f"/i/{code}").text, browser.get("/i/2222222222").text
    assert right.replace(code, "") == wrong.replace("2222222222", "") and "Canarybell" not in right


def test_a_password_from_the_admin_opens_only_the_account_page(citadel: Citadel) -> None:
    with citadel.store.act(Who(citadel.ids["admin"], "admin")) as act:
        made = reset_user(act, citadel.ids["nurse"])
    browser = citadel.browser()
    assert citadel.door(browser, "nurse").status_code == 401
    assert citadel.door(browser, "nurse", made.password).status_code == 303
    for path in ("/queue", "/handover", "/queue/rows", "/admin/people"):
        assert browser.get(path).headers.get("location") == "/account" or browser.get(path).status_code == 403
    citadel.clock.pass_by(hours=73)
    assert citadel.door(citadel.browser(), "nurse", made.password).status_code == 401


def test_no_way_leads_out_after_the_door(citadel: Citadel) -> None:
    for number, where in enumerate(OUTSIDE):
        told = safe_next(where)
        assert told == "" or (told.startswith("/") and told[1:2] not in ("/", "\\") and told.isprintable()), where
        if number % 5 == 0 or "[" in where:
            with citadel.store.act(TEST) as act:
                act.session.query(Attempt).delete()
            browser = citadel.browser()
            assert browser.get("/sign-in", params={"next": where}).status_code == 200, where
            answer = citadel.door(browser, "nurse", next=where)
            assert answer.status_code == 303, where
            assert answer.headers["location"] in ("/queue", safe_next(where))
    for strange in ("http://[", "//[", "https://evil.example/queue", "http://testserver:99999999/queue", "\\\\x"):
        htmx = {"hx-request": "true", "hx-current-url": strange}
        answer = citadel.browser().get("/queue", headers=htmx)
        assert answer.status_code == 401, strange
        assert answer.headers["hx-redirect"].startswith("/sign-in"), strange


def test_another_host_gets_nothing(citadel: Citadel) -> None:
    hosts = (
        "evil.example", "testserver.evil.example", "evil.example:testserver", "testserver@evil.example", "", " ",
        "testserver:80@evil.example", "testserver:[", "testserver:443:443", "testserver:abc", "[testserver", "[::1",
        "testserver#", "testserver/x", "testserver\\x", "localhost.", "127.0.0.1.evil.example", "2130706433",
    )  # fmt: skip
    for host in hosts:
        for path in ("/sign-in", "/queue", "/"):
            answer = citadel.browser().get(path, headers={"host": host})
            assert answer.status_code == 421, (host, path)
    for header in (
        "x-forwarded-host",
        "x-host",
        "forwarded",
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-proto",
    ):
        answer = citadel.browser().get("/queue", headers={header: "evil.example"})
        assert answer.headers["location"].startswith("/sign-in?next=%2Fqueue")
        assert "evil" not in answer.text + str(answer.headers)
    spoofed = citadel.browser(**{"x-forwarded-for": "10.0.0.1", "x-real-ip": "10.0.0.1"})
    assert spoofed.get("/sign-in").status_code == 200
    invited = citadel.staff("nurse").client.post(
        "/invitations",
        data={"team": "clinic", "language": "en"},
        headers={"x-forwarded-host": "evil.example", "x-csrf-token": "x"},
    )
    assert invited.status_code == 403


def test_nothing_of_a_guess_is_kept(citadel: Citadel) -> None:
    citadel.door(citadel.browser(), "Secretlogin", "Secretpassword", code="123456")
    with citadel.store.look(TEST) as act:
        lines = [line.detail + line.thing + line.actor for line in act.session.scalars(select(AuditLine))]
        rows = [row.look for row in act.session.scalars(select(Attempt))]
        kept = [row.id + row.csrf for row in act.session.scalars(select(Session))]
        codes = [row.look for row in act.session.scalars(select(Pass))]
    assert "secret" not in "".join([*lines, *rows, *kept, *codes]).lower()
