"""The drafting model's page: its evidence is shown, and two people's signatures there let a candidate draft."""

import datetime
from pathlib import Path

import pytest

from monitor.shelves import make_gate
from prescreen.clinic.signed import ModelLabel
from prescreen.monitor import life
from prescreen.monitor.shelf import read_state
from prescreen.release import CURRENT, key_of, read_release
from prescreen.run import MANIFEST
from prescreen.service.office import model_page
from prescreen.store.audit import verify
from prescreen.store.base import Who
from prescreen.store.people import Attempt
from service.front import hidden, make_client, sign_in
from service.released import ADMIN, AUDITOR, PASSWORD, make_released, propose
from store.desk import NURSE, PHYSICIAN, SERVICE


@pytest.fixture
def house(tmp_path: Path):
    house = make_released(tmp_path, ADMIN, PHYSICIAN)
    yield house
    house.store.close()


@pytest.fixture
def client(house):
    with make_client(house, model_page.make_router()) as client:
        yield client


def state_of(house):
    return read_state(house.shelf.ledger.read())


def put(client, house, who: Who, **more: str):
    """Open the page as this person and sign what it shows."""
    csrf = sign_in(client, house, who)
    page = client.get("/model")
    key = hidden(page.text, "key") if 'name="key"' in page.text else ""
    return client.post("/model/sign", data={"csrf": csrf, "key": key, "password": PASSWORD, **more})


def test_two_signatures_let_a_candidate_draft(client, house, tmp_path) -> None:
    key = propose(house, tmp_path)
    page = put(client, house, PHYSICIAN)
    assert page.status_code == 200 and page.url.path == "/model"
    assert state_of(house).approvals == {"physician": PHYSICIAN.id} and not (house.shelf.folder / CURRENT).exists()
    assert 'action="/model/sign"' not in page.text, "a role signs once"
    page = put(client, house, ADMIN)
    assert key_of(read_release(house.shelf.folder / CURRENT)) == key == state_of(house).current
    assert "promoted" in page.text and not state_of(house).candidate
    assert verify(house.store).whole and house.shelf.ledger.verify().whole


def test_nobody_signs_by_a_session_alone(client, house, tmp_path) -> None:
    propose(house, tmp_path)
    csrf = sign_in(client, house, PHYSICIAN)
    house.store.clock.now += datetime.timedelta(minutes=6)
    key = hidden(client.get("/model").text, "key")
    for password in ("", "wrong wrong wrong"):
        page = client.post("/model/sign", data={"csrf": csrf, "key": key, "password": password})
        assert page.status_code == 422 and "not right" in page.text
        with house.store.act(SERVICE) as act:
            act.session.query(Attempt).delete()
    assert not state_of(house).approvals
    page = client.post("/model/sign", data={"csrf": csrf, "key": key, "password": PASSWORD})
    assert page.status_code == 200 and state_of(house).approvals == {"physician": PHYSICIAN.id}


def test_what_was_not_shown_is_not_signed(client, house, tmp_path) -> None:
    old = propose(house, tmp_path)
    life.withdraw(house.shelf, SERVICE, "another one is better")
    new = propose(house, tmp_path, "b")
    page = put(client, house, PHYSICIAN, key=old)
    assert old != new and page.status_code == 422 and "not the candidate" in page.text
    assert not state_of(house).approvals


def test_changed_weights_are_not_signed(client, house, tmp_path) -> None:
    propose(house, tmp_path)
    (tmp_path / "a" / "03-dpo" / "weights.safetensors").write_text("other")
    page = put(client, house, PHYSICIAN)
    assert page.status_code == 422 and "may not serve" in page.text and not state_of(house).approvals


def test_a_candidate_on_trial_is_shown_and_not_signed(client, house, tmp_path) -> None:
    key = propose(house, tmp_path, ready=False)
    page = put(client, house, PHYSICIAN, key=key)
    assert page.status_code == 422 and "signed after its trial" in page.text and not state_of(house).approvals
    assert "put forward" in page.text and 'action="/model/sign"' not in page.text


def test_a_ledger_that_was_edited_is_told_and_nothing_is_signed(client, house, tmp_path) -> None:
    key = propose(house, tmp_path)
    path = house.shelf.ledger.path
    path.write_text(path.read_text().replace('"go"', '"no"', 1))
    page = put(client, house, PHYSICIAN, key=key)
    assert page.status_code == 422 and "Nothing is signed while this is so" in page.text
    assert 'action="/model/sign"' not in page.text


@pytest.mark.parametrize("name", [MANIFEST, "gate.json"])
def test_a_gate_that_is_another_one_by_now_is_told(client, house, tmp_path, name: str) -> None:
    propose(house, tmp_path)
    path = tmp_path / "a" / "05-gate" / name
    path.write_text(path.read_text() + "\n")
    sign_in(client, house, ADMIN)
    page = client.get("/model").text
    assert "is gone, edited, or another one" in page and 'action="/model/sign"' not in page


def test_the_gates_checks_are_told_with_their_cases(client, house, tmp_path) -> None:
    row = {
        "check": {"say": "Few <emergencies> are missed.", "suite": "bank", "view": "all"}, "outcome": "pass",
        "sentence": "1/300 missed, at most 1.6 %", "failures": ["case-7"],
    }  # fmt: skip
    folder = make_gate(tmp_path, "a", label="plumbing", checks=[row])
    life.propose(house.shelf, folder, SERVICE)
    sign_in(client, house, PHYSICIAN)
    page = client.get("/model").text
    assert "Few &lt;emergencies&gt; are missed." in page and "1/300 missed" in page and "case-7" in page
    assert "They say nothing about patients" in page


@pytest.mark.parametrize(("who", "sees"), [(NURSE, 403), (AUDITOR, 200)])
def test_who_does_not_sign(client, house, tmp_path, who: Who, sees: int) -> None:
    key = propose(house, tmp_path)
    csrf = sign_in(client, house, who)
    page = client.get("/model")
    assert page.status_code == sees and 'action="/model/sign"' not in page.text
    for path in ("/model/sign", "/model/end", "/model/back"):
        form = {"csrf": csrf, "key": key, "password": PASSWORD, "why": "it does harm"}
        assert client.post(path, data=form).status_code == 403
    assert not state_of(house).approvals


def test_one_person_takes_a_release_back(client, house, tmp_path) -> None:
    propose(house, tmp_path)
    put(client, house, PHYSICIAN), put(client, house, ADMIN)
    csrf = sign_in(client, house, PHYSICIAN)
    assert 'action="/model/back"' in client.get("/model").text
    for why in ("bad", "x" * 201, "odd \0 words"):
        page = client.post("/model/back", data={"csrf": csrf, "why": why})
        assert page.status_code == 422 and "Write why" in page.text
    house.store.clock.now += datetime.timedelta(minutes=6)
    form = {"csrf": csrf, "why": "it calls <colds> emergencies", "password": "wrong wrong wrong"}
    assert client.post("/model/back", data=form).status_code == 422 and (house.shelf.folder / CURRENT).exists()
    page = client.post("/model/back", data={**form, "password": PASSWORD})
    assert page.status_code == 200 and "rolled back: it calls &lt;colds&gt; emergencies" in page.text
    assert not (house.shelf.folder / CURRENT).exists() and not state_of(house).current
    [last] = house.shelf.ledger.read()[-1:]
    assert (last.who, last.deed) == (PHYSICIAN.id, "rolled back") and verify(house.store).whole
    client.cookies.clear()
    csrf = sign_in(client, house, ADMIN)
    again = client.post("/model/back", data={"csrf": csrf, "why": "once more, to be sure"})
    assert again.status_code == 422 and "nothing to take back" in again.text


def test_one_person_ends_a_candidate_and_what_drafts_goes_on(client, house, tmp_path) -> None:
    served = propose(house, tmp_path)
    put(client, house, PHYSICIAN), put(client, house, ADMIN)
    propose(house, tmp_path, "b", ready=False)
    csrf = sign_in(client, house, PHYSICIAN)
    bad = client.post("/model/end", data={"csrf": csrf, "why": "bad"})
    assert bad.status_code == 422 and "Write why" in bad.text and state_of(house).candidate
    assert bad.text.count("\nbad</textarea>") == 1 and 'action="/model/back"' in bad.text, "in its own form alone"
    page = client.post("/model/end", data={"csrf": csrf, "why": "it says too little of vital signs"})
    assert page.status_code == 200 and "retired: it says too little of vital signs" in page.text
    assert state_of(house) == read_state([])._replace(served=(served,)) and (house.shelf.folder / CURRENT).exists()
    again = client.post("/model/end", data={"csrf": csrf, "why": "once more, to be sure"})
    assert again.status_code == 422 and "no candidate to retire" in again.text


def test_without_a_release_the_page_says_so(client, house) -> None:
    house.shelf, house.label = None, ModelLabel(name="twin", version="demo", engine="demo")
    csrf = sign_in(client, house, ADMIN)
    assert "nothing to sign" in client.get("/model").text
    assert client.post("/model/sign", data={"csrf": csrf, "key": "x"}).status_code == 422


def test_a_folder_that_cannot_be_written_is_told(client, house, tmp_path, monkeypatch) -> None:
    propose(house, tmp_path)

    def fail(*_args: object, **_more: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr("prescreen.monitor.ledger.Ledger.append", fail)
    page = put(client, house, PHYSICIAN)
    assert page.status_code == 422 and "cannot be written from here" in page.text and "proved" not in page.text
