"""Signing in at an identity provider: a real one (oidc-provider), and tokens that lie in one thing each."""

import base64
import hmac
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from sqlalchemy import select

from prescreen.errors import GuardError, RefusedError
from prescreen.service.door.id_token import _half
from prescreen.service.door.identity_settings import IdentitySettings, OidcSettings
from prescreen.service.door.oidc import OidcClient, Pending
from prescreen.store.glass import is_fresh
from prescreen.store.people import AuditLine, Session, User
from service.real_provider import run_provider, walk_through
from service.small_house import CONSOLE, Desk, add_person, make_app, session_token, staff_browser

BASE = "https://testserver"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
ROLES = {"triage-nurse": "nurse", "log-reader": "auditor"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_provider(f"{BASE}/oidc/back", f"{BASE}/sign-in") as told:
        yield told


def provider_settings(issuer: str, folder: Path, **more: Any) -> OidcSettings:
    secret = folder / "client-secret"
    secret.write_text("a secret of the test\n")
    secret.chmod(0o600)
    values = {
        "issuer": issuer, "client_id": "prescreen", "client_secret_file": secret, "base_url": BASE, "roles": ROLES,
        "team_claim": "groups", "teams": {"walk-in": "clinic"}, "default_teams": (),
    }  # fmt: skip
    return OidcSettings.model_validate({**values, **more})


def make_desk(issuer: str, folder: Path, **more: Any) -> Desk:
    settings = IdentitySettings(oidc=provider_settings(issuer, folder, **more))
    assert settings.oidc is not None
    desk = make_app(folder, settings, oidc=OidcClient(settings.oidc))
    desk.pass_by(seconds=time.time() - desk.now.timestamp())
    return desk


def go(desk: Desk, browser: TestClient, login: str, path: str = "/oidc/start") -> str:
    """Through the provider; returns the address it sends the browser back to."""
    started = browser.get(path)
    assert started.status_code == 303, started.text
    return walk_through(started.headers["location"], login).removeprefix(BASE)


def people(desk: Desk) -> dict[str, User]:
    with desk.store.look(CONSOLE) as look:
        return {user.subject: user for user in look.session.scalars(select(User)) if user.subject}


def reasons(desk: Desk) -> list[str]:
    with desk.store.look(CONSOLE) as look:
        refused = select(AuditLine).where(AuditLine.outcome == "refused")
        return [line.detail.split('"why":"')[1].split('"')[0] for line in look.session.scalars(refused)]


def test_a_nurse_and_an_auditor_sign_in_with_their_roles(issuer: str, tmp_path: Path) -> None:
    desk = make_desk(issuer, tmp_path)
    for login, role, home, closed in (
        ("nina", "nurse", "/queue", "/audit"),
        ("uma", "auditor", "/audit", "/queue"),
    ):
        browser = desk.browser()
        back = browser.get(go(desk, browser, login))
        assert (back.status_code, back.headers["location"]) == (303, home)
        assert browser.get(home).status_code == 200
        assert browser.get(closed).status_code == 403
        user = people(desk)[login]
        assert (user.role, user.issuer, user.disabled, user.password) == (role, issuer, False, None)
    nina = people(desk)["nina"]
    assert (nina.name, nina.teams, nina.reference) == ("Nina Falk", ["clinic"], "Practitioner/7")
    again = desk.browser()
    again.get(go(desk, again, "nina", "/oidc/start?next=/queue?team=1"))
    assert people(desk)["nina"].id == nina.id


def test_a_person_without_a_role_of_ours_stays_outside(issuer: str, tmp_path: Path) -> None:
    desk = make_desk(issuer, tmp_path)
    browser = desk.browser()
    back = browser.get(go(desk, browser, "olli"))
    assert back.headers["location"] == "/sign-in?why=account"
    assert people(desk)["olli"].disabled and browser.get("/queue").status_code == 303


def test_an_answer_comes_once_to_the_browser_that_asked(issuer: str, tmp_path: Path) -> None:
    desk = make_desk(issuer, tmp_path)
    browser, thief = desk.browser(), desk.browser()
    kept = browser.get("/oidc/start")
    address = walk_through(kept.headers["location"], "nina").removeprefix(BASE)
    sealed = dict(browser.cookies)
    assert thief.get(address).headers["location"] == "/sign-in?why=provider"
    assert browser.get(address.replace("state=", "state=x")).headers["location"] == "/sign-in?why=provider"
    browser.cookies.update(sealed)
    assert browser.get(address).headers["location"] == "/sign-in?why=provider", (
        "its one use was spent on a wrong state"
    )
    fresh = desk.browser()
    address = go(desk, fresh, "nina")
    sealed = dict(fresh.cookies)
    assert fresh.get(address).headers["location"] == "/queue"
    replay = desk.browser()
    replay.cookies.update(sealed)
    assert replay.get(address).headers["location"] == "/sign-in?why=provider"
    assert reasons(desk) == ["no-pending", "state", "used", "used"]


def test_a_code_is_redeemed_once_and_by_its_verifier_only(issuer: str, tmp_path: Path) -> None:
    client = OidcClient(provider_settings(issuer, tmp_path))

    def come_back() -> tuple[Pending, dict[str, str]]:
        pending = Pending(began=time.time())
        return pending, dict(httpx2.URL(walk_through(client.start(pending), "nina")).params)

    pending, told = come_back()
    assert client.finish(pending, told, time.time()).subject == "nina"
    with pytest.raises(RefusedError, match="provider"):
        client.finish(pending, told, time.time())
    pending, told = come_back()
    with pytest.raises(RefusedError, match="provider"):
        client.finish(pending.model_copy(update={"verifier": "x" * 64}), told, time.time())
    pending, told = come_back()
    for change, mend in (
        ({"state": "other"}, "state"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"code": ""}, "provider"),
        ({"error": "access_denied"}, "provider"),
    ):
        with pytest.raises(RefusedError, match=mend):
            client.finish(pending, {**told, **change}, time.time())
    with pytest.raises(RefusedError, match="issuer"):
        client.finish(pending, {name: value for name, value in told.items() if name != "iss"}, time.time())
    with pytest.raises(RefusedError, match="late"):
        client.finish(pending, told, time.time() + 601)
    pending, told = come_back()
    with pytest.raises(RefusedError, match="nonce"):
        client.finish(pending.model_copy(update={"nonce": "other"}), told, time.time())
    pending, told = come_back()
    with pytest.raises(RefusedError, match="claims"):
        client.finish(pending.model_copy(update={"began": time.time() + 1000}), told, time.time() + 1001)


def test_an_algorithm_that_is_not_ours_is_refused(issuer: str, tmp_path: Path) -> None:
    client = OidcClient(provider_settings(issuer, tmp_path, algorithms=("RS256",)))
    pending = Pending(began=time.time())
    told = dict(httpx2.URL(walk_through(client.start(pending), "nina")).params)
    with pytest.raises(RefusedError, match="signature"):
        client.finish(pending, told, time.time())


def test_the_second_factor_at_the_provider(issuer: str, tmp_path: Path) -> None:
    for more, mend in (
        ({"require_acr": ("gold",)}, None),
        ({"require_amr": ("mfa", "otp")}, None),
        ({"require_acr": ("platinum",)}, "acr"),
        ({"require_amr": ("hwk",)}, "amr"),
    ):
        client = OidcClient(provider_settings(issuer, tmp_path, **more))
        pending = Pending(began=time.time())
        told = dict(httpx2.URL(walk_through(client.start(pending), "nina")).params)
        if mend is None:
            assert client.finish(pending, told, time.time()).role == "nurse"
        else:
            with pytest.raises(RefusedError, match=mend):
                client.finish(pending, told, time.time())


def test_a_step_up_shows_the_same_person_anew(issuer: str, tmp_path: Path) -> None:
    desk = make_desk(issuer, tmp_path)
    browser = desk.browser()
    browser.get(go(desk, browser, "nina"))
    before = browser.cookies["__Host-staff"]
    back = browser.get(go(desk, browser, "nina", "/oidc/start?step=1&next=/glass"))
    assert back.headers["location"] == "/glass"
    assert browser.cookies["__Host-staff"] != before and browser.get("/queue").status_code == 200
    other = browser.get(go(desk, browser, "uma", "/oidc/start?step=1&next=/glass"))
    assert other.headers["location"] == "/sign-in?why=account"
    assert browser.get("/queue").status_code == 200, "the session is as it was, and proves nothing new"
    assert reasons(desk)[-1] == "other-person"


def test_signing_out_leads_to_the_provider(issuer: str, tmp_path: Path) -> None:
    desk = make_desk(issuer, tmp_path)
    browser = desk.browser()
    browser.get(go(desk, browser, "nina"))
    out = browser.post("/sign-out", data={"csrf": session_token(desk, browser)})
    where = out.headers["location"]
    assert where.startswith(f"{issuer}/session/end?client_id=prescreen&post_logout_redirect_uri=https%3A%2F%2F")
    assert httpx2.get(where, trust_env=False).status_code == 200
    assert browser.get("/queue").status_code == 303


# --- tokens that lie in one thing


class Liar:
    """A provider in this process whose token is as a test makes it."""

    issuer = "https://idp.example"

    def __init__(self) -> None:
        self.key = KEY
        self.told: dict[str, Any] = {}
        self.asked: list[str] = []
        self.about: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if request.url.path.endswith("openid-configuration"):
            return httpx2.Response(200, json=self.about)
        if request.url.path == "/keys":
            return httpx2.Response(200, json=KeySet([self.key]).as_dict())
        return httpx2.Response(200, json=self.told)

    def client(self) -> OidcClient:
        settings = OidcSettings(issuer=self.issuer, client_id="prescreen", base_url=BASE, roles={"n": "nurse"})
        return OidcClient(settings, httpx2.MockTransport(self))

    def claims(self, pending: Pending) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer, "sub": "7", "aud": "prescreen", "exp": now + 300, "iat": now,
            "nonce": pending.nonce, "roles": ["n"],
        }  # fmt: skip

    def say(self, claims: dict[str, Any], key: Any = None, alg: str = "RS256", **token: Any) -> None:
        text = jwt.encode({"alg": alg, "kid": "one"}, claims, key or self.key, algorithms=[alg])
        self.told = {"access_token": "at", "token_type": "Bearer", "id_token": text, **token}


def finish(liar: Liar, pending: Pending) -> str:
    told = {"code": "c", "state": pending.state}
    return str(liar.client().finish(pending, told, time.time()).role)


def test_an_honest_token_is_believed() -> None:
    liar, pending = Liar(), Pending(began=time.time())
    liar.say({**liar.claims(pending), "at_hash": _half("at", "RS256"), "azp": "prescreen"})
    assert finish(liar, pending) == "nurse"


@pytest.mark.parametrize(("ago", "fresh"), [(None, True), (10, True), (-30, True), (900, False)])
def test_who_showed_it_there_long_ago_has_not_shown_it_now(tmp_path: Path, ago: int | None, fresh: bool) -> None:
    """A provider may let somebody in who is signed in there since this morning; some do not say so."""
    liar = Liar()
    desk = make_app(tmp_path, IdentitySettings(oidc=liar.client().settings), oidc=liar.client())
    desk.pass_by(seconds=time.time() - desk.now.timestamp())
    browser = desk.browser()
    asked = httpx2.URL(browser.get("/oidc/start").headers["location"]).params
    told = {} if ago is None else {"auth_time": int(time.time()) - ago}
    liar.say({**liar.claims(Pending(nonce=asked["nonce"], began=time.time())), **told})
    assert browser.get(f"/oidc/back?code=c&state={asked['state']}").headers["location"] == "/queue"
    with desk.store.look(CONSOLE) as look:
        assert is_fresh(look.session.scalars(select(Session)).one().proved, desk.now) is fresh


CHANGES: list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = [
    ("claims", lambda claims: {**claims, "iss": "https://evil.example"}),
    ("claims", lambda claims: {**claims, "aud": "another"}),
    ("claims", lambda claims: {**claims, "aud": []}),
    ("azp", lambda claims: {**claims, "aud": ["prescreen", "another"]}),
    ("azp", lambda claims: {**claims, "azp": "another"}),
    ("claims", lambda claims: {**claims, "exp": int(time.time()) - 61}),
    ("claims", lambda claims: {**claims, "exp": "tomorrow"}),
    ("claims", lambda claims: {**claims, "iat": int(time.time()) + 3600}),
    ("nonce", lambda claims: {**claims, "nonce": "another"}),
    ("nonce", lambda claims: {**claims, "nonce": None}),
    ("nonce", lambda claims: {name: value for name, value in claims.items() if name != "nonce"}),
    ("at_hash", lambda claims: {**claims, "at_hash": _half("another", "RS256")}),
    ("claims", lambda claims: {**claims, "sub": ""}),
    ("sub", lambda claims: {**claims, "sub": "x" * 256}),
    ("claims", lambda claims: {**claims, "sub": 7}),
    *(
        ("claims", lambda claims, gone=gone: {name: value for name, value in claims.items() if name != gone})
        for gone in ("iss", "aud", "exp", "iat", "sub")
    ),
]


@pytest.mark.parametrize(("mend", "change"), CHANGES)
def test_a_token_that_lies_in_one_thing(mend: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    liar, pending = Liar(), Pending(began=time.time())
    liar.say(change(liar.claims(pending)))
    with pytest.raises(RefusedError, match=f"^{mend}$"):
        finish(liar, pending)


def test_signatures_that_are_none() -> None:
    liar, pending = Liar(), Pending(began=time.time())
    claims = liar.claims(pending)
    secret = OctKey.generate_key(256)
    for key, alg in (
        (RSAKey.generate_key(2048), "RS256"),
        (secret, "HS256"),
        (ECKey.generate_key("P-256"), "ES256"),
    ):
        liar.say(claims, key, alg)
        with pytest.raises(RefusedError, match="signature"):
            finish(liar, pending)
    liar.say(claims)
    head, body, seal = liar.told["id_token"].split(".")
    for text in (
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.",
        f"{head}.{body}.{seal[:-6]}AAAAAA",
        "x",
        "",
        "a.b.c",
    ):
        liar.told["id_token"] = text
        with pytest.raises(RefusedError):
            finish(liar, pending)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    mac = hmac.digest(liar.key.as_pem(private=False), f"{header}.{body}".encode(), "sha256")
    liar.told["id_token"] = f"{header}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(RefusedError, match="signature"):
        finish(liar, pending)
    liar.told["id_token"] = None
    with pytest.raises(RefusedError, match="id_token"):
        finish(liar, pending)


def test_a_changed_key_is_fetched_and_not_more_than_once_a_minute() -> None:
    liar, pending = Liar(), Pending(began=time.time())
    liar.say(liar.claims(pending))
    client = liar.client()
    told = {"code": "c", "state": pending.state}
    client.finish(pending, told, time.time())
    liar.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    liar.told["id_token"] = jwt.encode({"alg": "RS256", "kid": "two"}, liar.claims(pending), liar.key)
    for _ in range(5):
        with pytest.raises(RefusedError, match="signature"):
            client.finish(pending, told, time.time())
    assert liar.asked.count("/keys") == 1, "a minute has not passed"
    assert client._keys is not None
    client._keys = (client._keys[0] - 61, client._keys[1])
    assert client.finish(pending, told, time.time()).role == "nurse"
    assert liar.asked.count("/keys") == 2


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({"issuer": "https://evil.example"}, "another name"),
        ({"token_endpoint": "http://idp.example/token"}, "not https"),
        ({"authorization_endpoint": None}, "names no authorization_endpoint"),
    ],
)
def test_a_provider_that_describes_itself_wrongly(change: dict[str, Any], mend: str) -> None:
    liar, pending = Liar(), Pending(began=time.time())
    liar.say(liar.claims(pending))
    liar.about |= change
    client = liar.client()
    with pytest.raises(GuardError, match=mend):
        client.start(pending)
        client.finish(pending, {"code": "c", "state": pending.state}, time.time())


def test_a_provider_that_is_gone_leaves_the_own_door_open(tmp_path: Path) -> None:
    def gone(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("gone", request=request)

    settings = OidcSettings(issuer="https://idp.example", client_id="c", base_url=BASE, roles={})
    client = OidcClient(settings, httpx2.MockTransport(gone))
    desk = make_app(tmp_path, IdentitySettings(oidc=settings), oidc=client)
    browser = desk.browser()
    assert browser.get("/oidc/start").headers["location"] == "/sign-in?why=provider"
    assert "did not work" in browser.get("/sign-in?why=provider").text
    assert browser.get("/oidc/back?code=c&state=s").headers["location"] == "/sign-in?why=provider"
    nina, _ = staff_browser(desk, add_person(desk, "nina", "nurse"))
    assert nina.get("/account").status_code == 200


def test_without_a_provider_there_is_no_such_door(tmp_path: Path) -> None:
    desk = make_app(tmp_path)
    assert desk.browser().get("/oidc/start").status_code == 404
    assert desk.browser().get("/oidc/back").status_code == 404
    assert "organisation" not in desk.browser().get("/sign-in").text


def test_the_secret_of_the_client_is_its_owners_alone(tmp_path: Path) -> None:
    settings = provider_settings("https://idp.example", tmp_path)
    assert settings.client_secret_file is not None
    settings.client_secret_file.chmod(0o644)
    with pytest.raises(GuardError, match="chmod 600"):
        OidcClient(settings)
