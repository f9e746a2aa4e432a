"""Around every request: hosts, sizes, headers, faults that tell nothing."""

import logging
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter, Form

from prescreen.errors import ConflictError, GuardError, RecipeError
from prescreen.service.settings import read_settings
from service.front import make_client, make_house, make_settings


@pytest.fixture
def client(tmp_path: Path):
    odd = APIRouter()

    @odd.get("/fault")
    def fault() -> None:
        raise GuardError("Maria Lopez has a rash")

    @odd.get("/conflict")
    def conflict() -> None:
        raise ConflictError("look again")

    @odd.post("/number")
    def number(value: Annotated[int, Form()]) -> None:
        return None

    house = make_house(tmp_path)
    table = dict.fromkeys(("live", "ready", "static", "fault", "conflict", "number"), frozenset({"anyone"}))
    with make_client(house, odd, table=table) as client:
        yield client
    house.store.close()


def test_every_answer_carries_the_headers(client) -> None:
    for path in ("/live", "/nowhere", "/fault", "/static/app.css"):
        headers = client.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["strict-transport-security"]
    assert client.get("/ready").headers["cache-control"] == "no-store"
    assert "immutable" in client.get("/static/app.css").headers["cache-control"]


def test_another_host_is_refused(client) -> None:
    assert client.get("/static/app.css", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/static/app.css", headers={"host": "testserver:443"}).status_code == 200


def test_a_probe_may_ask_by_any_address(client) -> None:
    """A container's health check asks 127.0.0.1 and a cluster the pod's own address: neither is the site's name."""
    for path in ("/live", "/ready"):
        assert client.get(path, headers={"host": "10.1.2.3:8080"}).status_code == 200
    assert client.get("/live/", headers={"host": "10.1.2.3:8080"}).status_code == 421


def test_too_long_a_body_is_refused_however_it_is_announced(client) -> None:
    long = b"x" * 300_000
    assert client.post("/number", content=long).status_code == 413

    def pieces():
        for _ in range(30):
            yield b"x" * 10_000

    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/number", content=pieces(), headers=form).status_code == 413
    assert client.post("/number", content=b"", headers={"content-length": "-1"}).status_code == 413


def test_a_fault_tells_neither_person_nor_log_what_it_was_about(client, caplog) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = client.get("/fault", headers={"accept": "text/html"})
    assert answer.status_code == 500 and "nothing was lost" in answer.text
    assert "Lopez" not in answer.text + caplog.text
    assert "GuardError" in caplog.text


def test_conflicts_and_strange_values_are_sentences(client) -> None:
    assert client.get("/conflict").status_code == 409
    token = _form_token(client)
    answer = client.post("/number", data={"value": "<script>alert(1)</script>"}, headers={"x-csrf-token": token})
    assert answer.status_code == 422 and "alert" not in answer.text


def _form_token(client) -> str:
    nonce = "n" * 43
    client.cookies.set("__Host-form", nonce)
    return client.app.state.house.store.keys.look("form", nonce).hex()


def test_plain_http_is_for_the_demo_on_this_machine_only(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("clinic: {name: Harbour, emergency_number: '112'}\nweb: {base_url: 'http://clinic.example'}\n")
    with pytest.raises(RecipeError, match="https"):
        read_settings(tmp_path)
    path.write_text("clinic: {name: Harbour, emergency_number: '112'}\ndemo: true\nwbe: {}\n")
    with pytest.raises(RecipeError, match="wbe: unknown key"):
        read_settings(tmp_path)
    assert make_settings(demo=True).demo


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ("emergency_number: '112/999'", "emergency_number"),  # every patient's first page would fail
        ("emergency_number: '112', time_zone: Europe/Berln", "time_zone"),  # every nurse's queue would fail
        ("emergency_number: '112', time_zone: ../etc/passwd", "time_zone"),
    ],
)
def test_a_setting_that_would_fail_at_a_page_is_refused_at_the_start(tmp_path: Path, told: str, key: str) -> None:
    (tmp_path / "serve.yaml").write_text(f"clinic: {{name: Harbour, {told}}}\nweb: {{base_url: 'https://a.b'}}\n")
    with pytest.raises(RecipeError, match=key):
        read_settings(tmp_path)
