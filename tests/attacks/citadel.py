"""The whole service to be attacked: every router, two teams, people who signed in by the door, patients, programs.

Knows which fields each form has and what fills each path; a route or a field that is not told here fails a test.
"""

import hashlib
import html
import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from joserfc import jwk, jwt
from sqlalchemy import delete, select

from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.embedded import EmbeddedChannel
from prescreen.ehr.shelf import Found, ShelfConflict, Stored
from prescreen.service.house import House
from prescreen.service.opening import open_app
from prescreen.service.worker import Worker
from prescreen.store.base import Who
from prescreen.store.passwords import hash_password
from prescreen.store.people import Attempt, User
from prescreen.store.shelf import SqlShelf
from prescreen.store.tables import Base
from service.front import make_settings
from store.desk import StoppedClock, make_store

PASSWORD: Final = "rain over the harbour"
TOKEN: Final = "t" * 40
ISSUER, RECORD = "https://record.example", "https://record.example/fhir"
HASH: list[str] = []
PEOPLE: Final = (
    ("nurse", "nurse", "clinic"),
    ("stranger", "nurse", "harbour"),
    ("physician", "physician", "clinic harbour"),
    ("far-physician", "physician", "harbour"),
    ("admin", "admin", ""),
    ("second-admin", "admin", ""),
    ("auditor", "auditor", ""),
    ("leaver", "nurse", "clinic"),
    ("novice", "nurse", "clinic"),
    ("teamless", "nurse", ""),
)
FORMS: Final[Mapping[str, str]] = {
    "sign-in-post": "login password code next",
    "sign-out": "",
    "patient-begin": "language agree training invite channel",
    "patient-resume-post": "code",
    "patient-name-post": "given family day month year",
    "patient-answer": "mark step complaint words more conditions medications allergies age heart_rate"
    " respiratory_rate"
    " systolic diastolic temperature spo2 glucose pain who age_unit sex pregnant signs area start course sign"
    " confirm conditions_none medications_none allergies_none temperature_unit glucose_unit",
    "patient-back": "mark",
    "patient-change": "mark step",
    "patient-opt-out": "mark sure",
    "patient-reply": "asked answer",
    "patient-leave": "",
    "handover-post": "team body",
    "visit-claim": "end_intake take_over",
    "visit-release": "",
    "visit-level": "level",
    "visit-blind": "version level",
    "visit-sign": "version seen step level reason note summary rationale finding-new condition-new next_steps"
    " open_questions conditions medications allergies finding-N condition-N supports-N against-N",
    "visit-undo": "",
    "visit-ask": "version question suggested",
    "visit-assign": "to note escalate",
    "visit-facts": "words consciousness heart_rate respiratory_rate systolic diastolic temperature spo2 pain",
    "visit-reopen": "",
    "visit-invite": "family given birth_date reference language team",
    "visit-incident": "kind severity what",
    "glass-post": "reason password code",
    "user-add": "login name role teams reference",
    "user-change": "user what teams",
    "outbox-again": "row",
    "grant-look": "grant verdict",
    "change-accept": "signal week why",
    "model-sign": "key password code",
    "model-end": "why password code",
    "model-back": "why password code",
    "account-password": "username password code new again",
    "account-totp": "pending password old_code code",
    "fhir-write": "",
    "fhir-transaction": "",
    "hooks-call": "",
}


class Route(NamedTuple):
    """A route of the running application."""

    name: str
    method: str
    path: str


class Browser:
    """One browser: follows no redirect, keeps its cookies, sends the token it was given."""

    def __init__(self, app: FastAPI, **headers: str) -> None:
        self.client = TestClient(
            app,
            base_url="https://testserver",
            follow_redirects=False,
            raise_server_exceptions=False,
            headers={"accept": "text/html", **headers},
        )
        self.csrf = ""

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, **more)

    def post(self, path: str, csrf: str | None = None, method: str = "POST", **fields: Any) -> Any:
        headers = {"x-csrf-token": self.csrf if csrf is None else csrf}
        return self.client.request(method, path, data=fields, headers=headers)

    def public(self) -> str:
        """The token of a public form of this browser."""
        return hidden(self.get("/p/welcome/en").text, "csrf")


class Citadel:
    """A running house with everybody in it."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.key = jwk.ECKey.generate_key("P-384", {"kid": "k1", "use": "sig"})
        keys = _secret(folder / "jwks.json", json.dumps({"keys": [self.key.as_dict(private=False)]}))
        token = _secret(folder / "token", TOKEN)
        clinic = {"name": "Harbour Clinic", "emergency_number": "112", "languages": ["en", "es", "ar", "de"]}
        settings = make_settings(
            clinic={**clinic, "teams": ["clinic", "harbour"]},
            hooks={"issuers": {ISSUER: str(keys)}, "fhir_server": RECORD},
            programs=[{"name": "reader", "token_file": str(token)}],
            identity={"totp_for": []},
            review={"blind_share": 0.0, "undo_s": 0},
            **changes,
        )
        store = make_store(folder)
        desk = FhirDesk(SqlShelf(store, Stored, Found, ShelfConflict), clock=store.clock)
        self.house = House(
            settings, store, {"record": EmbeddedChannel(desk)}, why="no model in this test", desk=desk
        )
        self.store, self.app = store, open_app(self.house, works=False)
        self.worker = Worker(self.house)
        self.ids = self._hire()

    @property
    def clock(self) -> StoppedClock:
        clock = self.store.clock
        assert isinstance(clock, StoppedClock)
        return clock

    def close(self) -> None:
        self.house.close()

    def browser(self, **headers: str) -> Browser:
        return Browser(self.app, **headers)

    def door(self, browser: Browser, login: str, password: str = PASSWORD, **more: str) -> Any:
        return browser.post("/sign-in", csrf=browser.public(), login=login, password=password, **more)

    def staff(self, login: str) -> Browser:
        """A browser that came in by the door."""
        browser = self.browser()
        with self.store.act(Who("test", "service")) as act:
            act.session.execute(delete(Attempt))  # how tries are slowed down is attacked in test_login
        assert self.door(browser, login).status_code == 303
        browser.csrf = hidden(browser.get("/account").text, "csrf")
        return browser

    def patient(self, language: str = "en") -> Browser:
        """A browser with consent given, at the first question."""
        browser = self.browser()
        token = browser.public()
        told = browser.post("/p/begin", csrf=token, language=language, agree="yes")
        assert told.status_code == 200, told.text
        browser.csrf = hidden(browser.get("/p/step").text, "csrf")
        return browser

    def hook(self, path: str) -> str:
        """A good token for one call of a hook."""
        now = int(self.clock().timestamp())
        claims = {"iss": ISSUER, "aud": f"https://testserver{path}", "iat": now, "exp": now + 60}
        claims["jti"] = str(uuid.uuid4())
        return jwt.encode({"alg": "ES384", "kid": "k1"}, claims, self.key, algorithms=["ES384"])

    def work(self) -> None:
        """Draft and send what waits."""
        while self.worker.draft_once() or self.worker.send_once():
            pass

    def _hire(self) -> dict[str, str]:
        if not HASH:
            HASH.append(hash_password(PASSWORD))
        ids = {}
        with self.store.act(Who("console", "admin")) as act:
            for login, role, team in PEOPLE:
                teams = team.split()
                user = User(id=uuid.uuid4().hex, login=login, name=f"{login} name", role=role, teams=teams)
                user.password, user.created, user.must_change = HASH[0], act.now, login == "novice"
                act.session.add(user)
                ids[login] = user.id
        return ids

    def digest(self) -> str:
        """A mark of all that the service keeps but tries, sessions and the log."""
        left = {"audit", "audit_head", "attempts", "sessions", "seen_tokens"}
        rows = []
        with self.store.look(Who("test", "service")) as act:
            for table in Base.metadata.sorted_tables:
                if table.name not in left:
                    rows.append([table.name, sorted(map(repr, act.session.execute(select(table)).all()))])
        return hashlib.sha256(repr(rows).encode()).hexdigest()


def routes(app: FastAPI) -> list[Route]:
    """Every route there is, by method."""
    return [
        Route(str(route.name), method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def unsafe(app: FastAPI) -> list[Route]:
    return [route for route in routes(app) if route.method != "GET"]


def fill(route: Route, visit: str) -> str:
    """The path of a route; a part nobody told of fails loudly."""
    known = {"visit_id": visit, "language": "en", "code": "22222-22222", "name": "app.css", "path": "Patient"}
    path = route.path.replace("{path:path}", "{path}")
    return path.format(**known, service="prescreen-patient-view")


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return html.unescape(found[1])


def _secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path
