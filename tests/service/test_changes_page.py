"""Accepting a change in the service: a physician's decision, with a reason, that the sheet and the log tell."""

import datetime
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from prescreen.monitor.accepted import latest, read_accepted
from prescreen.service.office import changes_page, sheet_page
from prescreen.store.base import Who
from prescreen.store.people import AuditLine
from service.front import add_staff, make_client, make_house, sign_in
from store.desk import NURSE, PHYSICIAN, SERVICE

ADMIN = Who("admin-1", "admin")
FORM = {"signal": "complaint_mix", "week": "2026-W47", "why": "Flu season <b>has begun</b>; it stays until spring."}


@pytest.fixture
def house(tmp_path: Path):
    house = make_house(tmp_path)
    add_staff(house, ADMIN)
    yield house
    house.store.close()


@pytest.fixture
def client(house):
    with make_client(house, sheet_page.make_router(), changes_page.make_router()) as client:
        yield client


def read_rows(house):
    with house.store.look(SERVICE) as act:
        return read_accepted(act)


def test_a_physician_accepts_a_change_in_her_name(client, house) -> None:
    csrf = sign_in(client, house, PHYSICIAN)
    page = client.post("/sheet/changes", data={**FORM, "csrf": csrf})
    assert page.status_code == 200 and page.url.path == "/sheet/changes"
    assert "has begun&lt;/b&gt;" in page.text and "<b>has begun" not in page.text
    assert re.search(r'<th scope="row">[^<]+</th><td>2026-W47</td>', page.text)
    [one] = read_rows(house)
    assert (one.signal, one.by) == (FORM["signal"], PHYSICIAN.id)
    assert latest([one]) == {"complaint_mix": datetime.date(2026, 11, 16)}
    assert "Accepted by the clinic, with a new reference" in client.get("/sheet?week=2026-W48").text
    with house.store.look(SERVICE) as act:
        lines = act.session.scalars(select(AuditLine).where(AuditLine.action == "signal.accept")).all()
    assert [line.actor for line in lines] == [PHYSICIAN.id]


WRONG = [
    {"signal": "no_such"},
    {"signal": ""},
    {"why": "meant"},
    {"why": "meant to \0 stay"},
    {"why": "x" * 501},
    {"week": "2031-W01"},
    {"week": "soon"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_and_what_was_typed_stays(client, house, wrong: dict[str, str]) -> None:
    csrf = sign_in(client, house, PHYSICIAN)
    form = {**FORM, **wrong}
    page = client.post("/sheet/changes", data={**form, "csrf": csrf})
    assert page.status_code == 422 and 'role="alert"' in page.text
    assert f'value="{form["week"]}"' in page.text and ("has begun" in page.text or "why" in wrong)
    assert not read_rows(house)


def test_an_admin_reads_what_was_accepted_and_accepts_nothing(client, house) -> None:
    csrf = sign_in(client, house, ADMIN)
    page = client.get("/sheet/changes")
    assert page.status_code == 200 and "None so far" in page.text and 'name="why"' not in page.text
    assert client.post("/sheet/changes", data={**FORM, "csrf": csrf}).status_code == 403
    assert not read_rows(house)


def test_a_nurse_does_not_see_it(client, house) -> None:
    sign_in(client, house, NURSE)
    assert client.get("/sheet/changes").status_code == 403
