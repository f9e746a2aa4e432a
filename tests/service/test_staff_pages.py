"""The pages of admin and auditor, and the broken glass: what they do, and that no chart shows through."""

import re
from pathlib import Path

import pytest
from sqlalchemy import select

from prescreen.service.door import glass_pages
from prescreen.service.nurse.review_pages import review_pages
from prescreen.service.office import admin_pages, audit_pages
from prescreen.service.office.admin_pages import tell_counts
from prescreen.service.watch.labels import ACTS, FAULTS
from prescreen.store.accounts import find_user
from prescreen.store.base import Who
from prescreen.store.glass import find_unseen
from prescreen.store.outbox import mark_failed, take_parcel
from prescreen.store.people import AuditLine
from prescreen.store.tables import Outgoing
from prescreen.store.visits import lock_visit
from service.front import add_staff, make_client, make_house, sign_in
from store.desk import NURSE, PATIENT, SERVICE, StoppedClock, make_drafted
from store.test_visits import sign_it

ADMIN, AUDITOR = Who("admin-1", "admin"), Who("auditor-1", "auditor")


@pytest.fixture
def house(tmp_path: Path):
    house = make_house(tmp_path)
    add_staff(house, ADMIN, AUDITOR)
    yield house
    house.store.close()


@pytest.fixture
def client(house):
    pages = (admin_pages, audit_pages, glass_pages)
    with make_client(house, *(page.make_router() for page in pages), review_pages) as client:
        yield client


def test_an_admin_adds_a_person_whose_password_is_shown_once(client, house) -> None:
    csrf = sign_in(client, house, ADMIN)
    form = {"csrf": csrf, "login": "tess", "name": "Tess <b>Doe</b>", "role": "nurse", "teams": "clinic"}
    page = client.post("/admin/people/add", data=form).text
    assert re.search(r'<code class="code">[a-z0-9-]{19}</code>', page)
    assert "Tess &lt;b&gt;Doe" in page
    assert 'class="code"' not in client.get("/admin/people").text
    with house.store.look(SERVICE) as act:
        user = find_user(act, "tess")
        assert user is not None and user.role == "nurse" and user.must_change
    assert client.post("/admin/people/add", data=form).status_code == 422
    client.post("/admin/people/change", data={"csrf": csrf, "user": user.id, "what": "disable"})
    with house.store.look(SERVICE) as act:
        told = find_user(act, "tess")
        assert told is not None and told.disabled
    own = client.post("/admin/people/change", data={"csrf": csrf, "user": ADMIN.id, "what": "disable"})
    assert own.status_code == 422


def test_what_was_given_up_is_seen_and_sent_again(client, house) -> None:
    sign_it(house.store)
    clock = house.store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(minutes=1)
    with house.store.act(SERVICE) as act:
        parcel = take_parcel(act, "w")
        assert parcel is not None
        mark_failed(act, parcel, "the record refuses it (status 400)", lasting=True)
    csrf = sign_in(client, house, ADMIN)
    page = client.get("/admin/record").text
    assert "given up" in page and "status 400" in page and "Bell" not in page
    row = re.search(r'name="row" value="(\w+)"', page)
    assert row
    client.post("/admin/record/again", data={"csrf": csrf, "row": row[1]})
    with house.store.look(SERVICE) as act:
        assert act.session.scalars(select(Outgoing)).one().state == "waiting"
    assert "the red-flag rules alone" in client.get("/admin/system").text


def test_what_a_model_was_asked_is_told_in_words() -> None:
    """Every count the guard can make has words of its own; what never happened is not listed."""
    counts = dict.fromkeys(
        [*ACTS, *(f"{lane}_{fault}" for lane in ("ask", "draft") for fault in FAULTS.values())], 1
    )
    told = tell_counts(counts)
    assert len(told) == len(counts) and not any("_" in said for said in told)
    assert tell_counts({"ask_off": 3, "drafts": 2}) == {"Drafts asked for": 2, "No question, no model serves": 3}


def test_the_auditor_reads_the_log_of_one_visit_and_opens_no_chart(client, house) -> None:
    visit, _ = make_drafted(house.store)
    sign_in(client, house, AUDITOR)
    page = client.get("/audit").text
    assert "visit.finish" in page and "sore throat" not in page and "Bell" not in page
    assert "visit.open" not in client.get("/audit?action=visit.finish").text.split("<tbody>")[1]
    assert client.get(f"/audit/visits/{visit.id}").text.count("<tr>") >= 4
    assert client.get(f"/visits/{visit.id}").status_code == 403
    with house.store.look(SERVICE) as act:
        told = select(AuditLine).where(AuditLine.action == "audit.read")
        assert len(list(act.session.scalars(told))) == 3


def test_who_tries_too_often_at_the_glass_is_told_to_wait(client, house) -> None:
    visit, _ = make_drafted(house.store)
    csrf = sign_in(client, house, NURSE)
    house.store.clock.pass_by(minutes=10)
    form = {"csrf": csrf, "reason": "Patient collapsed in the hall", "password": "a guess", "code": "1"}
    pages = [client.post(f"/glass/{visit.id}", data=form).text for _ in range(7)]
    assert "Password or code is not right" in pages[0] and "Too many tries" not in pages[0]
    assert "Too many tries. Wait 1 s" in pages[-1] and "not right" not in pages[-1]


def test_a_visit_that_is_closed_to_a_nurse_shows_the_way_there_is_in_an_emergency(client, house) -> None:
    visit, _ = make_drafted(house.store)
    with house.store.act(PATIENT) as act:
        lock_visit(act, visit.id).team = "elsewhere"
    sign_in(client, house, NURSE)
    closed = client.get(f"/visits/{visit.id}").text
    assert f'href="/glass/{visit.id}"' in closed
    assert client.get(f"/visits/{'0' * 32}").text == closed.replace(visit.id, "0" * 32), "as if it were not there"
    assert "/glass/" not in client.get("/nowhere").text
    sign_in(client, house, AUDITOR)
    assert "/glass/" not in client.get(f"/audit/visits/{'0' * 32}").text
    assert "is for others" in client.get(f"/visits/{visit.id}").text


def test_glass_is_broken_with_a_reason_and_looked_at(client, house) -> None:
    visit, _ = make_drafted(house.store)
    with house.store.act(PATIENT) as act:
        lock_visit(act, visit.id).team = "elsewhere"
    csrf = sign_in(client, house, NURSE)
    assert client.get(f"/visits/{visit.id}").status_code == 404
    short = client.post(f"/glass/{visit.id}", data={"csrf": csrf, "reason": "need it"})
    assert short.status_code == 422 and client.get(f"/visits/{visit.id}").status_code == 404
    client.post(f"/glass/{visit.id}", data={"csrf": csrf, "reason": "Patient collapsed in the hall"})
    opened = client.get(f"/visits/{visit.id}")
    assert opened.status_code == 200 and "breaking the glass" in opened.text
    csrf = sign_in(client, house, AUDITOR)
    page = client.get("/audit/glass").text
    assert "Patient collapsed in the hall" in page
    grant = re.search(r'name="grant" value="(\w+)"', page)
    assert grant
    client.post("/audit/glass", data={"csrf": csrf, "grant": grant[1], "verdict": "fits"})
    with house.store.look(SERVICE) as act:
        assert find_unseen(act) == (0, None)
    clock = house.store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(minutes=31)
    sign_in(client, house, NURSE)
    assert client.get(f"/visits/{visit.id}").status_code == 404
