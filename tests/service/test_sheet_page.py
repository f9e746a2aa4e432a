"""The weekly sheet in the service: for admin and physician, under a policy that allows its style and no more."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from prescreen.clinic.acuity import Acuity
from prescreen.service.office import sheet_page
from prescreen.store.base import Who
from prescreen.store.people import AuditLine
from service.front import add_staff, make_client, make_house, sign_in
from store.desk import NURSE, PHYSICIAN, SERVICE
from store.test_visits import sign_it

ADMIN = Who("admin-1", "admin")


@pytest.fixture
def house(tmp_path: Path):
    house = make_house(tmp_path)
    add_staff(house, ADMIN)
    yield house
    house.store.close()


@pytest.mark.parametrize("who", [ADMIN, PHYSICIAN])
def test_who_leads_reads_the_sheet_and_it_is_noted(house, who: Who) -> None:
    review = sign_it(house.store, "seen in person", Acuity.EMERGENCY)
    with make_client(house, sheet_page.make_router()) as client:
        sign_in(client, house, who)
        answer = client.get("/sheet?week=2026-W48")
        assert answer.status_code == 200
        assert f"https://testserver/visits/{review.visit_id}" in answer.text and "Bell" not in answer.text
        policy = answer.headers["content-security-policy"]
        style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
        assert style is not None
        mark = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{mark}'") and "unsafe" not in policy
        assert client.get("/sheet?week=2031-W01").status_code == 422
        assert client.get("/sheet?week=%3Cb%3Ex").status_code == 422
    with house.store.look(SERVICE) as act:
        noted = act.session.scalars(select(AuditLine).where(AuditLine.action == "sheet.read")).all()
    assert [(line.actor, line.detail) for line in noted] == [(who.id, '{"week":"2026-W48"}')]


def test_a_nurse_does_not(house) -> None:
    with make_client(house, sheet_page.make_router()) as client:
        sign_in(client, house, NURSE)
        assert client.get("/sheet").status_code == 403
