"""Reporting an incident from the visit's page: who may, what is kept, what the page then shows."""

from pathlib import Path

import pytest

from prescreen.store.incidents import list_incidents, read
from prescreen.store.visits import lock_visit
from service.ward import Desk, make_reviewable, make_room
from store.desk import NURSE, SERVICE


@pytest.fixture
def room(tmp_path: Path):
    house, client = make_room(tmp_path)
    with client:
        yield house, client
    house.store.close()


FORM = {"kind": "wrong fact in a draft", "severity": "minor", "what": "She never said <b>fever</b>."}


def test_a_nurse_reports_and_the_visit_stays_as_it_is(room) -> None:
    house, client = room
    visit = make_reviewable(house.store)
    nurse = Desk(client)
    with house.store.look(SERVICE) as act:
        before = lock_visit(act, visit.id).version
    done = nurse.post(f"/visits/{visit.id}/incident", **FORM)
    assert (done.status_code, done.headers["location"]) == (303, f"/visits/{visit.id}")
    page = nurse.get(f"/visits/{visit.id}").text
    assert "An incident was reported on this visit: wrong fact in a draft (open)." in page
    assert "never said" not in page, "what was written is for who looks into it"
    with house.store.act(NURSE) as act:
        (only,) = list_incidents(act, visit_id=visit.id)
        assert read(act, only.id)[1:3] == ("nurse-1", FORM["what"])
        after = lock_visit(act, visit.id)
        assert (after.version, after.state) == (before, "waiting")


@pytest.mark.parametrize("wrong", [{"kind": ""}, {"severity": "x"}, {"what": "short"}])
def test_half_a_report_is_refused_and_nothing_typed_is_lost(room, wrong: dict[str, str]) -> None:
    house, client = room
    visit = make_reviewable(house.store)
    nurse = Desk(client)
    answer = nurse.post(f"/visits/{visit.id}/incident", **(FORM | wrong))
    assert answer.status_code == 422
    typed = (FORM | wrong)["what"].replace("<", "&lt;").replace(">", "&gt;")
    assert typed in answer.text
    with house.store.look(SERVICE) as act:
        assert list_incidents(act) == []


def test_another_teams_visit_is_not_there(room) -> None:
    house, client = room
    visit = make_reviewable(house.store, team="north")
    assert Desk(client).post(f"/visits/{visit.id}/incident", **FORM).status_code == 404
    with house.store.look(SERVICE) as act:
        assert list_incidents(act) == []
