"""The door and the account page: what a person types, sees and is refused."""

import re
from base64 import b64decode
from pathlib import Path
from urllib.parse import unquote

import pyotp
import pytest
from fastapi.testclient import TestClient

from prescreen.service.door.identity_settings import IdentitySettings
from prescreen.store.accounts import add_user, reset_user
from prescreen.store.people import User
from service.small_house import (
    CONSOLE,
    PASSWORD,
    Desk,
    add_person,
    make_app,
    post_door,
    session_token,
    sign_in_as,
    staff_browser,
    token_of,
)

OWN = "seven herons by the lake"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_app(tmp_path)


@pytest.fixture
def strict(tmp_path: Path) -> Desk:
    """Everybody needs a second factor."""
    return make_app(tmp_path, IdentitySettings())


def field(page: str, name: str) -> str:
    return page.split(f'name="{name}" value="')[1].split('"')[0]


def key_of(page: str) -> str:
    return page.split("<code>")[1].split("</code>")[0].replace(" ", "")


def user_of(desk: Desk, user_id: str) -> User:
    with desk.store.look(CONSOLE) as look:
        return look.session.get_one(User, user_id)


def set_up_app(desk: Desk, browser: TestClient, **more: str) -> tuple[str, int]:
    """Set up an authenticator through the page; returns its key and the answer's status."""
    page = browser.get("/account").text
    key = key_of(page)
    told = {"csrf": token_of(page), "pending": field(page, "pending"), "code": pyotp.TOTP(key).at(desk.now), **more}
    return key, browser.post("/account/totp", data=told).status_code


def test_every_wrong_answer_of_the_door_is_the_same(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    pages = set()
    for login, password in (
        ("nina", "wrong"),
        ("nobody", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("nurse-1", PASSWORD),
    ):
        answer = post_door(desk.browser(), login, password)
        assert answer.status_code == 401 and "set-cookie" in answer.headers
        pages.add(re.sub(r'value="[0-9a-f]{64}"', "", answer.text))
    assert len(pages) == 1 and "is not right" in pages.pop()


def test_the_door_slows_down_and_says_how_long(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    browser = desk.browser()
    codes = [post_door(browser, "nina", f"guess {number}").status_code for number in range(8)]
    assert codes == [401] * 5 + [429] * 3
    slow = post_door(browser, "nina", PASSWORD)
    assert (slow.status_code, slow.headers["retry-after"]) == (429, "1")
    assert "Wait 1 s" in slow.text
    desk.pass_by(seconds=1)
    assert post_door(browser, "nina", PASSWORD).status_code == 303


def test_a_known_browser_is_not_held_up_by_others(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    known = sign_in_as(desk, "nina")
    for number in range(12):
        post_door(desk.browser(), "nina", f"guess {number}")
    assert post_door(desk.browser(), "nina", PASSWORD).status_code == 429
    assert post_door(known, "nina", PASSWORD).status_code == 303


@pytest.mark.parametrize(
    "text",
    [
        "nina\r\nSet-Cookie: x=y",
        "<script>alert(1)</script>",
        "*)(uid=*",
        "'; DROP TABLE users --",
        "\x00",
        "é" * 900,
    ],
)
def test_strange_text_at_the_door_does_no_harm(desk: Desk, text: str) -> None:
    browser = desk.browser()
    answer = post_door(browser, text, text, code=text, next=text)
    assert answer.status_code == 401
    assert "<script>" not in answer.text and "x" not in browser.cookies
    shown = browser.get("/sign-in", params={"next": text, "why": text})
    assert shown.status_code == 200 and "<script>" not in shown.text


def test_a_form_of_the_wrong_kind_is_refused_and_not_a_fault(desk: Desk) -> None:
    browser = desk.browser()
    token = token_of(browser.get("/sign-in").text)
    for body in (b"\xff\xfe\x00", b"csrf=%ff&login=%00", b"a" * 100_000, b"&" * 5000):
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert browser.post("/sign-in", content=body, headers=kind).status_code in (400, 403)
    multipart = {"content-type": "multipart/form-data; boundary=x"}
    assert browser.post("/sign-in", content=b"--y", headers=multipart).status_code in (400, 403)
    assert browser.post("/sign-in", json={"csrf": token}).status_code in (403, 422)


def test_pages_fit_a_strict_content_policy_and_are_not_kept(desk: Desk) -> None:
    browser, _ = staff_browser(desk, add_person(desk, "nina", "nurse"))
    for path in ("/sign-in", "/account"):
        page = browser.get(path)
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", page.text)
        named = set(re.findall(r'<label for="([^"]+)"', page.text))
        asked = re.findall(r'<input (?![^>]*type="hidden")[^>]*id="([^"]+)"', page.text)
        assert asked and set(asked) == named and len(asked) == len(set(asked))


def test_a_drawn_password_opens_the_account_page_alone(strict: Desk) -> None:
    with strict.store.act(CONSOLE) as act:
        made = add_user(act, "nina", name="Ana Lima", role="nurse", teams=["clinic"])
    browser = sign_in_as(strict, "nina", password=made.password)
    assert browser.get("/queue").headers["location"] == "/account"
    piece = browser.get("/queue-rows", headers={"HX-Request": "true"})
    assert (piece.status_code, piece.headers["hx-redirect"]) == (401, "/account")
    csrf = session_token(strict, browser)

    def change(new: str, again: str = "", old: str = made.password) -> tuple[int, str]:
        told = {"csrf": csrf, "password": old, "new": new, "again": again or new}
        answer = browser.post("/account/password", data=told)
        return answer.status_code, answer.text

    assert change("short")[0] == 422
    assert "At least 12" in change("Password1234")[1]
    assert change(OWN, "another lake entirely")[0] == 422
    assert "not the old one" in change(made.password)[1]
    assert "not right" in change(OWN, old="wrong")[1]
    before = browser.cookies["__Host-staff"]
    assert change(OWN)[0] == 303
    assert browser.cookies["__Host-staff"] != before, "a new token after a proof"
    assert browser.get("/queue").headers["location"] == "/account", "the second factor is still missing"
    assert "Set up an authenticator app" in browser.get("/account").text
    assert set_up_app(strict, browser)[1] == 303
    assert browser.get("/queue").status_code == 200
    assert post_door(strict.browser(), "nina", made.password).status_code == 401
    assert post_door(strict.browser(), "nina", OWN).status_code == 401, "without the code"


def test_an_app_is_set_up_by_a_code_it_shows(desk: Desk) -> None:
    nina = add_person(desk, "nina", "nurse")
    browser, elsewhere = sign_in_as(desk, "nina"), sign_in_as(desk, "nina")
    assert set_up_app(desk, browser, code="000000")[1] == 422 and user_of(desk, nina).totp is None
    key, status = set_up_app(desk, browser)
    assert status == 303
    assert browser.get("/queue").status_code == 200 and elsewhere.get("/queue").status_code == 303
    assert post_door(desk.browser(), "nina", PASSWORD, code=pyotp.TOTP(key).at(desk.now)).status_code == 401, "used"
    desk.pass_by(seconds=30)
    assert post_door(desk.browser(), "nina", PASSWORD, code=pyotp.TOTP(key).at(desk.now)).status_code == 303


def test_another_app_needs_the_old_one(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    browser = sign_in_as(desk, "nina")
    key, _ = set_up_app(desk, browser)
    desk.pass_by(seconds=60)
    assert set_up_app(desk, browser)[1] == 422
    assert set_up_app(desk, browser, password=PASSWORD)[1] == 422
    code = pyotp.TOTP(key).at(desk.now)
    other, status = set_up_app(desk, browser, password=PASSWORD, old_code=code)
    assert status == 303 and other != key
    desk.pass_by(seconds=60)
    assert post_door(desk.browser(), "nina", PASSWORD, code=pyotp.TOTP(key).at(desk.now)).status_code == 401
    assert post_door(desk.browser(), "nina", PASSWORD, code=pyotp.TOTP(other).at(desk.now)).status_code == 303


def test_a_sign_in_of_long_ago_does_not_set_up_an_app(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    browser = sign_in_as(desk, "nina")
    desk.pass_by(minutes=6)
    assert set_up_app(desk, browser)[1] == 422
    assert set_up_app(desk, browser, password=PASSWORD)[1] == 303


def test_a_set_up_of_another_person_or_of_yesterday_is_no_set_up(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    otto = add_person(desk, "otto", "nurse")
    page = sign_in_as(desk, "nina").get("/account").text
    key, pending = key_of(page), field(page, "pending")
    browser = sign_in_as(desk, "otto")
    for foreign in (pending, "", "AAAA", "é", pending[:-4] + "AAAA"):
        assert set_up_app(desk, browser, pending=foreign, code=pyotp.TOTP(key).at(desk.now))[1] == 422
    mine = field(browser.get("/account").text, "pending")
    desk.pass_by(minutes=14)
    browser.get("/account")
    desk.pass_by(minutes=2)
    assert set_up_app(desk, browser, pending=mine, password=PASSWORD)[1] == 422
    assert user_of(desk, otto).totp is None


def test_the_picture_is_an_image_of_the_same_key(desk: Desk) -> None:
    add_person(desk, "nina", "nurse")
    page = sign_in_as(desk, "nina").get("/account").text
    source = page.split('<img src="')[1].split('"')[0]
    assert source.startswith("data:image/svg+xml")
    body = source.split(",", 1)[1]
    picture = b64decode(body).decode() if ";base64," in source else unquote(body.replace("&#39;", "'"))
    assert picture.lstrip().startswith(("<svg", "<?xml")) and "script" not in picture


def test_a_reset_ends_what_was_open(desk: Desk) -> None:
    nina = add_person(desk, "nina", "nurse")
    browser = sign_in_as(desk, "nina")
    with desk.store.act(CONSOLE) as act:
        made = reset_user(act, nina)
    assert browser.get("/queue").status_code == 303
    fresh = sign_in_as(desk, "nina", password=made.password)
    assert fresh.get("/queue").headers["location"] == "/account"


def test_with_the_own_door_closed_nobody_signs_in_by_password(tmp_path: Path) -> None:
    told = {"issuer": "https://idp.example", "client_id": "c", "base_url": "https://t.example", "roles": {}}
    desk = make_app(tmp_path, IdentitySettings.model_validate({"local_users": False, "oidc": told}))
    add_person(desk, "nina", "nurse")
    browser = desk.browser()
    page = browser.get("/sign-in").text
    assert "organisation" in page and 'name="password"' not in page
    token = browser.cookies["__Host-form"]
    value = desk.store.keys.look("form", token).hex()
    assert browser.post("/sign-in", data={"csrf": value, "login": "nina", "password": PASSWORD}).status_code == 404
    with pytest.raises(ValueError, match="nobody could sign in"):
        IdentitySettings(local_users=False)


def test_nothing_typed_at_the_door_is_in_the_log(desk: Desk) -> None:
    from sqlalchemy import select

    from prescreen.store.people import AuditLine

    add_person(desk, "nina", "nurse")
    for login, password in (("nina", "canary-of-a-password"), ("canary-of-a-login", "x"), ("nina", PASSWORD)):
        post_door(desk.browser(), login, password, code="314159")
    with desk.store.look(CONSOLE) as look:
        told = " ".join(
            f"{line.actor} {line.thing} {line.detail}" for line in look.session.scalars(select(AuditLine))
        )
    assert "sign-in" not in told and "by" in told
    assert not any(word in told for word in ("canary", PASSWORD, "314159", "testclient"))
