"""The optional MLflow registry: told by REST, never waited for. A real server with PRESCREEN_MLFLOW."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.shelves import ADMIN, DOCTOR, make_gate, make_shelf
from prescreen.monitor import life
from prescreen.monitor.advance import advance
from prescreen.monitor.changes import Limits, Registry
from prescreen.monitor.registry import announce, tell
from prescreen.monitor.shelf import Shelf
from prescreen.release import key_of, read_candidate
from store.desk import SERVICE

REAL = os.environ.get("PRESCREEN_MLFLOW", "")


class Recorded:
    """What a server of MLflow 3.17 answered to these calls, recorded from the real one (see the last test)."""

    def __init__(self) -> None:
        self.models: set[str] = set()
        self.versions: list[dict[str, Any]] = []
        self.aliases: dict[str, str] = {}
        self.calls: list[str] = []

    def answer(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = path.removeprefix("/api/2.0/mlflow/")
        self.calls.append(name)
        if name == "registered-models/create":
            if body["name"] in self.models:
                return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "there already"}
            self.models.add(body["name"])
            return 200, {"registered_model": {"name": body["name"]}}
        if name == "model-versions/search":
            return 200, {"model_versions": self.versions} if self.versions else {}
        if name == "model-versions/create":
            if body["name"] not in self.models:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}
            if not urlsplit(body["source"]).path.startswith("/"):
                return 400, {"error_code": "INVALID_PARAMETER_VALUE"}
            self.versions.append({**body, "version": str(len(self.versions) + 1)})
            return 200, {"model_version": self.versions[-1]}
        if name == "model-versions/set-tag":
            tags = self.versions[int(body["version"]) - 1]["tags"]
            tags[:] = [tag for tag in tags if tag["key"] != body["key"]]
            tags.append({"key": body["key"], "value": body["value"]})
            return 200, {}
        if name == "registered-models/alias":
            self.aliases[body["alias"]] = body["version"]
            return 200, {}
        return 404, {"error_code": "ENDPOINT_NOT_FOUND"}


@contextmanager
def serve(recorded: Recorded) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            told = self.rfile.read(int(self.headers.get("content-length", 0)))
            url = urlsplit(self.path)
            status, body = recorded.answer(url.path, parse_qs(url.query), json.loads(told) if told else {})
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def serve_one(shelf: Shelf, gate: Path, url: str) -> str:
    """A release whose limits name the registry; its key."""
    release = life.propose(shelf, gate, ADMIN, Limits(registry=Registry(mlflow=url)))
    advance(shelf, [], SERVICE)
    assert tell(shelf) is bool(url)
    for who in (DOCTOR, ADMIN):
        life.approve(shelf, who, key_of(release))
    life.promote(shelf, ADMIN)
    assert tell(shelf) is bool(url)
    return key_of(release)


def test_each_release_is_one_version_and_the_alias_moves_back_with_a_rollback(tmp_path: Path) -> None:
    recorded = Recorded()
    with serve(recorded) as url:
        shelf = make_shelf(tmp_path)
        first = serve_one(shelf, make_gate(tmp_path, "a"), url)
        assert recorded.aliases == {"candidate": "1", "champion": "1"}
        shelf.clock.pass_by(days=1)  # type: ignore[attr-defined]
        life.propose(shelf, make_gate(tmp_path, "b"), ADMIN, Limits(registry=Registry(mlflow=url)))
        for _ in range(2):
            life.skip_trial(shelf, SERVICE, "this test")
        assert tell(shelf) and recorded.aliases == {"candidate": "2", "champion": "1"}
        tags = {tag["key"]: tag["value"] for tag in recorded.versions[0]["tags"]}
        assert tags["key"] == first and tags["stage"] == "serves" and len(recorded.versions) == 2
        told = json.dumps(recorded.versions)
        assert str(tmp_path) not in told and ADMIN.id not in told, "no path and no person leaves"


def test_nothing_is_asked_unless_a_server_is_named(tmp_path: Path) -> None:
    serve_one(make_shelf(tmp_path), make_gate(tmp_path, "a"), "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:9/way", "no address"])
def test_a_registry_that_is_away_blocks_nothing(tmp_path: Path, url: str) -> None:
    shelf = make_shelf(tmp_path)
    release = read_candidate(make_gate(tmp_path, "a"), shelf.stages, shelf.clock())
    assert announce(Registry(mlflow=url), release, "champion") is False


@pytest.mark.skipif(not REAL, reason="NOT TESTED: PRESCREEN_MLFLOW names no server")
def test_a_real_server_takes_it(tmp_path: Path) -> None:
    import httpx2

    shelf = make_shelf(tmp_path)
    release = read_candidate(make_gate(tmp_path, "a"), shelf.stages, shelf.clock())
    registry = Registry(mlflow=REAL, model=f"prescreen-{os.getpid()}")
    assert announce(registry, release, "candidate", stage="shadow")
    assert announce(registry, release, "champion", stage="serves"), "the same release is no second version"
    with httpx2.Client(base_url=REAL, trust_env=False) as client:
        found = client.get(
            "/api/2.0/mlflow/registered-models/alias", params={"name": registry.model, "alias": "champion"}
        ).json()["model_version"]
    assert found["version"] == "1"
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    assert tags["key"] == key_of(release) and tags["weights"] == release.weights and tags["stage"] == "serves"
