"""Who one is, shown once more before a grave act: at broken glass, at the model's page, at one's own account."""

import datetime
import html
import re
import uuid
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from prescreen.service.door import account_pages, glass_pages, sign_in
from prescreen.service.door.oidc import Pending
from prescreen.service.office import model_page
from prescreen.store.base import Who
from prescreen.store.glass import find_unseen
from prescreen.store.people import AuditLine, User
from prescreen.store.visits import lock_visit
from service.front import hidden, make_client
from service.front import sign_in as come_in
from service.released import ADMIN, AUDITOR, PASSWORD, make_released, propose
from service.test_identity_oidc import Liar
from store.desk import NURSE, PATIENT, PHYSICIAN, SERVICE, make_drafted

PLACE = {"domain": "testserver.local", "path": "/"}
WHY = "Patient collapsed in the hall"
ASKS = re.compile(r'<input [^>]*name="(password|code)"')


@pytest.fixture
def house(tmp_path: Path):
    """A visit of another team, and a candidate that waits for signatures."""
    house = make_released(tmp_path, NURSE, PHYSICIAN)
    propose(house, tmp_path)
    yield house
    house.store.close()


@pytest.fixture
def glass(house) -> str:
    visit, _ = make_drafted(house.store)
    with house.store.act(PATIENT) as act:
        lock_visit(act, visit.id).team = "elsewhere"
    return f"/glass/{visit.id}"


@pytest.fixture
def client(house):
    pages = (account_pages, glass_pages, model_page, sign_in)
    with make_client(house, *(page.make_router() for page in pages)) as client:
        yield client


def test_each_form_asks_by_the_same_fields_and_only_who_showed_it_long_ago(client, house, glass) -> None:
    with house.store.act(SERVICE) as act:
        act.session.get_one(User, PHYSICIAN.id).totp = b"a secret of another test"
    come_in(client, house, PHYSICIAN)
    assert [ASKS.findall(client.get(path).text) for path in (glass, "/model")] == [[], []]
    house.store.clock.pass_by(minutes=6)
    pages = [client.get(path).text for path in (glass, "/model", "/account")]
    fields = [re.findall(r'<label for="\w+-(?:password|code)">.*', page) for page in pages]
    told = [[re.sub(r'"\w+-(password|code)"', r'"\1"', field) for field in one[:2]] for one in fields]
    assert told[0] == told[1] == told[2] and ASKS.findall("".join(told[0])) == ["password", "code"]


def make_browser(client: TestClient) -> TestClient:
    """Another browser at the same service."""
    return TestClient(client.app, base_url="https://testserver", headers={"accept": "text/html"})


def count_deeds(house) -> int:
    """Glasses broken, and lines of the ledger of releases."""
    with house.store.look(SERVICE) as act:
        return find_unseen(act)[0] + len(house.shelf.ledger.read())


def join_organisation(house) -> None:
    with house.store.act(SERVICE) as act:
        user = act.session.get_one(User, PHYSICIAN.id)
        user.issuer, user.subject = "https://id.example", uuid.uuid4().hex  # an old password counts no more


@pytest.mark.parametrize("page_of", [str, "/model".format], ids=["glass", "model"])
def test_people_of_an_organisation_show_it_there_and_then_do_it(client, house, glass, page_of) -> None:
    join_organisation(house)
    page = page_of(glass)
    post = "/model/end" if page == "/model" else page
    form = {"csrf": come_in(client, house, PHYSICIAN), "reason": WHY, "why": WHY, "password": PASSWORD}
    assert "sign in there again" not in client.get(page).text
    house.store.clock.pass_by(minutes=6)
    before, deeds = client.get(page), count_deeds(house)
    late = client.post(post, data=form)
    for told in (before, late):
        assert f'href="/oidc/start?step=1&amp;next={page}"' in told.text and not ASKS.findall(told.text)
    assert late.status_code == 422 and "more than five minutes ago" in late.text and count_deeds(house) == deeds
    form["csrf"] = come_in(client, house, PHYSICIAN)
    client.post(post, data=form)
    assert count_deeds(house) == deeds + 1


@pytest.mark.parametrize(("ago", "opens"), [(5, True), (900, False)])
def test_the_way_to_the_organisation_and_back_opens_the_glass(house, glass, ago: int, opens: bool) -> None:
    """Unless the provider sends somebody back who showed nothing anew."""
    liar = Liar()
    house.store.clock.now = datetime.datetime.now(datetime.UTC)
    with house.store.act(SERVICE) as act:
        user = act.session.get_one(User, NURSE.id)
        user.issuer, user.subject, user.teams = liar.issuer, "7", []
    with make_client(house, glass_pages.make_router(), sign_in.make_router(), oidc=liar.client()) as client:
        come_in(client, house, NURSE)
        house.store.clock.pass_by(minutes=6)
        way = re.search(r'href="(/oidc/start[^"]*)"', client.get(glass).text)
        assert way
        asked = client.get(html.unescape(way[1]), follow_redirects=False)
        sent = httpx2.URL(asked.headers["location"]).params
        assert (sent["prompt"], sent["max_age"]) == ("login", "0")
        now = int(house.store.clock.now.timestamp())
        claims = {**liar.claims(Pending(nonce=sent["nonce"], began=now)), "iat": now, "exp": now + 300}
        liar.say({**claims, "auth_time": now - ago})
        page = client.get("/oidc/back", params={"code": "c", "state": sent["state"]})
        assert (page.url.path, "sign in there again" in page.text) == (glass if opens else "/sign-in", False)
        page = client.get(glass)
        client.post(glass, data={"csrf": hidden(page.text, "csrf"), "reason": WHY})
    with house.store.look(SERVICE) as act:
        assert find_unseen(act)[0] == int(opens)


def test_an_account_of_an_organisation_takes_no_password(client, house) -> None:
    join_organisation(house)
    form = {"csrf": come_in(client, house, PHYSICIAN), "password": PASSWORD, "new": "x" * 20, "again": "x" * 20}
    assert not ASKS.findall(client.get("/account").text)
    for path in ("/account/password", "/account/totp"):
        page = client.post(path, data=form)
        assert page.status_code == 422 and "at your organisation" in page.text


@pytest.mark.parametrize("page_of", [str, "/model".format], ids=["glass", "model"])
def test_who_showed_it_is_not_asked_again_when_the_reason_is_refused(client, house, glass, page_of) -> None:
    page = page_of(glass)
    post = "/model/end" if page == "/model" else page
    csrf = come_in(client, house, PHYSICIAN)
    house.store.clock.pass_by(minutes=6)
    deeds = count_deeds(house)
    told = client.post(post, data={"csrf": csrf, "reason": "bad", "why": "bad", "password": PASSWORD})
    assert told.status_code == 422 and "<title>Error: " in told.text and not ASKS.findall(told.text)
    assert "Write why in" in told.text and "\nbad</textarea>" in told.text
    assert not ASKS.findall(client.get(page).text), "the browser has the session that goes on"
    assert count_deeds(house) == deeds
    client.post(post, data={"csrf": hidden(told.text, "csrf"), "reason": WHY, "why": WHY})
    assert count_deeds(house) == deeds + 1


@pytest.mark.parametrize("page_of", [str, "/model/end".format], ids=["glass", "model"])
def test_a_proof_counts_in_its_own_session_and_not_after_it(client, house, glass, page_of) -> None:
    post, form = page_of(glass), {"reason": WHY, "why": WHY}
    other = make_browser(client)
    csrf, csrf_of_other = come_in(client, house, PHYSICIAN), come_in(other, house, PHYSICIAN)
    before = client.cookies["__Host-staff"]
    house.store.clock.pass_by(minutes=6)
    deeds = count_deeds(house)
    shown = client.post(post, data={"csrf": csrf, "reason": "bad", "why": "bad", "password": PASSWORD})
    fresh = hidden(shown.text, "csrf")

    elsewhere = other.post(post, data={**form, "csrf": csrf_of_other})
    assert elsewhere.status_code == 422 and "not right" in elsewhere.text, "the same person's other browser"
    for stale in (csrf, csrf_of_other, "", fresh[:-1]):
        assert client.post(post, data={**form, "csrf": stale}).status_code == 403
    assert client.get(post, params={**form, "csrf": fresh}).status_code in (200, 405), "a link does nothing"
    thief = make_browser(client)
    thief.cookies.set("__Host-staff", before, **PLACE)
    for token in (csrf, fresh):
        assert thief.post(post, data={**form, "csrf": token}).url.path == "/sign-in", "the token before the proof"
    kept = client.cookies["__Host-staff"]
    client.post("/sign-out", data={"csrf": fresh})
    thief.cookies.set("__Host-staff", kept, **PLACE)
    assert thief.post(post, data={**form, "csrf": fresh}).url.path == "/sign-in", "signed out"
    assert count_deeds(house) == deeds


@pytest.mark.parametrize("who", [AUDITOR, ADMIN], ids=["auditor", "admin"])
def test_who_may_not_do_it_is_not_even_asked_who_they_are(client, house, glass, who: Who) -> None:
    form = {"csrf": come_in(client, house, who), "reason": WHY, "why": WHY, "password": "a guess"}
    before, deeds = client.cookies["__Host-staff"], count_deeds(house)
    house.store.clock.pass_by(minutes=6)
    posts = [glass] if who is ADMIN else [glass, "/model/sign", "/model/end", "/model/back"]
    assert {client.post(post, data=form).status_code for post in posts} == {403}
    assert count_deeds(house) == deeds and client.cookies["__Host-staff"] == before
    with house.store.look(SERVICE) as act:
        assert not act.session.query(AuditLine).filter_by(action="session.prove").count()
