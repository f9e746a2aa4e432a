"""SMART: assertions, tokens and launches, against a stub here and oidc-provider itself (slow, needs npm)."""

import datetime
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.launch import LaunchSettings, Pending, begin_launch, challenge, complete_launch
from prescreen.ehr.smart import ASSERTION, BackendAuth, ServiceKey, ask_token, discover, write_assertion
from prescreen.ehr.wire import open_client
from prescreen.errors import InputError
from small_peers import run_peer
from small_web import Asked, Said, serve_web

NOW = datetime.datetime(2026, 3, 2, 9, 30, tzinfo=datetime.UTC)
SCOPES = ("system/Patient.rs", "system/Task.cruds")


def make_key(algorithm: str) -> tuple[ServiceKey, dict[str, Any]]:
    """A private key of ours and its public half."""
    made = RSAKey.generate_key(2048) if algorithm == "RS384" else ECKey.generate_key("P-384")
    pem = made.as_pem(private=True).decode()
    public = made.as_dict(private=False) | {"kid": f"k-{algorithm}", "use": "sig", "alg": algorithm}
    named: Any = algorithm
    key = ServiceKey(client_id=f"service-{algorithm}", kid=f"k-{algorithm}", pem=pem, algorithm=named)
    return key, public


KEYS = {algorithm: make_key(algorithm) for algorithm in ("RS384", "ES384")}


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_an_assertion_lives_five_minutes_at_most(algorithm: str) -> None:
    key, public = KEYS[algorithm]
    token = jwt.decode(
        write_assertion(key, "https://r.example/token", NOW, "j1"),
        KeySet.import_key_set({"keys": [public]}),
        algorithms=[algorithm],
    )
    claims = token.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (
        key.client_id,
        key.client_id,
        "https://r.example/token",
    )
    assert (claims["jti"], token.header["kid"], token.header["typ"]) == ("j1", key.kid, "JWT")
    assert 0 < claims["exp"] - int(NOW.timestamp()) <= 300


def test_a_key_is_not_told() -> None:
    key = KEYS["RS384"][0]
    assert "PRIVATE" not in repr(key)
    for broken in (key.model_copy(update={"pem": "x"}), key.model_copy(update={"algorithm": "ES384"})):
        with pytest.raises(InputError, match="cannot sign"):
            write_assertion(broken, "https://r.example/token", NOW, "j")


class Server:
    """A record's authorization server of a few lines."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.token: dict[str, Any] = {"access_token": "t", "token_type": "bearer", "expires_in": 300}
        self.status, self.extra, self.keys, self.address = 200, dict[str, Any](), list[dict[str, Any]](), ""

    def answer(self, asked: Asked) -> Said:
        if asked.path.endswith("smart-configuration"):
            told = {"issuer": self.address, "token_endpoint": f"{self.address}/token"} | self.extra
            return Said(body=json.dumps(told).encode())
        if asked.path == "/keys":
            return Said(body=json.dumps({"keys": self.keys}).encode())
        self.forms.append({k: v[0] for k, v in parse_qs(asked.body.decode()).items()})
        token = self.token | {"access_token": f"t{len(self.forms)}"} if self.status == 200 else self.token
        return Said(self.status, json.dumps(token).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with serve_web(made.answer) as made.address:
        yield made


def test_a_token_is_kept_until_shortly_before_its_end(server: Server) -> None:
    moments = [NOW]
    auth = BackendAuth(server.address, KEYS["RS384"][0], SCOPES, clock=lambda: moments[-1])
    assert [auth.header(), auth.header()] == ["Bearer t1"] * 2
    moments.append(NOW + datetime.timedelta(seconds=239))
    assert auth.header() == "Bearer t1"
    moments.append(NOW + datetime.timedelta(seconds=241))
    assert auth.header() == "Bearer t2"
    auth.forget()
    assert auth.header() == "Bearer t3"
    auth.close()
    public = RSAKey.import_key(KEYS["RS384"][1])
    used = [jwt.decode(f["client_assertion"], public, algorithms=["RS384"]).claims for f in server.forms]
    assert len({claims["jti"] for claims in used}) == 3
    assert {f["scope"] for f in server.forms} == {" ".join(SCOPES)}
    assert {f["client_assertion_type"] for f in server.forms} == {ASSERTION}


@pytest.mark.parametrize(
    ("status", "token", "lasting"),
    [
        (401, {"error": "invalid_client", "error_description": "Okafor"}, True),
        (503, {}, False),
        (200, {"token_type": "mac"}, True),
        (200, {"expires_in": "soon"}, True),
        (400, {"error": ["Okafor"]}, True),
    ],
)
def test_no_token_is_a_delivery_error(server: Server, status: int, token: dict[str, Any], lasting: bool) -> None:
    server.status, server.token = status, server.token | token
    auth = BackendAuth(server.address, KEYS["RS384"][0], SCOPES)
    with pytest.raises(DeliveryError) as error:
        auth.header()
    assert error.value.lasting is lasting
    assert "Okafor" not in str(error.value)
    auth.close()


@pytest.mark.parametrize("extra", [{"token_endpoint": "http://elsewhere.example/token"}, {"token_endpoint": None}])
def test_a_configuration_may_not_lead_astray(server: Server, extra: dict[str, Any]) -> None:
    server.extra = extra
    auth = BackendAuth(server.address, KEYS["RS384"][0], SCOPES)
    with pytest.raises((DeliveryError, InputError)):
        auth.header()
    auth.close()
    assert server.forms == []


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", list(KEYS))
def test_oidc_provider_gives_a_token_and_refuses_a_replay(tmp_path: Path, algorithm: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [public for _, public in KEYS.values()]}))
    key = KEYS[algorithm][0]
    with run_peer("oidc", {"PEER_KEYS": str(file)}) as address, open_client(10) as client:
        auth = BackendAuth(address, key, SCOPES)
        assert auth.header().startswith("Bearer ")
        auth.close()
        endpoint = discover(client, address).token_endpoint
        now = datetime.datetime.now(datetime.UTC)
        form = {"grant_type": "client_credentials", "scope": SCOPES[0], "client_assertion_type": ASSERTION}
        form["client_assertion"] = write_assertion(key, endpoint, now, str(uuid.uuid4()))
        assert ask_token(client, endpoint, form)["scope"] == SCOPES[0]
        with pytest.raises(DeliveryError, match=r"invalid_client, status 401"):
            ask_token(client, endpoint, form)
        stranger = make_key(algorithm)[0]
        form["client_assertion"] = write_assertion(stranger, endpoint, now, str(uuid.uuid4()))
        with pytest.raises(DeliveryError, match=r"status 401"):
            ask_token(client, endpoint, form)


def settings_of(server: Server) -> LaunchSettings:
    return LaunchSettings(
        client_id="review", redirect_uri="https://us.example/back", allowed=(server.address + "/",)
    )


@pytest.fixture
def pending(server: Server) -> Pending:
    server.extra = {
        "authorization_endpoint": f"{server.address}/authorize",
        "jwks_uri": f"{server.address}/keys",
        "code_challenge_methods_supported": ["S256"],
    }
    with open_client(10) as client:
        made, url = begin_launch(client, server.address, "L 1&x", settings_of(server))
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{server.address}/authorize?")
    assert (asked["aud"], asked["launch"], asked["state"]) == (server.address, "L 1&x", made.state)
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge(made.verifier), "S256")
    assert made.verifier not in url
    return made


def test_pkce_as_the_standard_shows_it() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def sign_identity(server: Server, pending: Pending, **changes: Any) -> str:
    key = RSAKey.generate_key(2048, {"kid": "record"})
    server.keys = [key.as_dict(private=False)]
    claims = {
        "iss": server.address, "aud": "review", "sub": "u1", "nonce": pending.nonce,
        "exp": int(NOW.timestamp()) + 300, "fhirUser": f"{server.address}/Practitioner/7",
    }  # fmt: skip
    return jwt.encode({"alg": "RS256", "kid": "record"}, claims | changes, key)


def test_a_launch_tells_who_opened_what(server: Server, pending: Pending) -> None:
    server.token |= {
        "patient": "p1",
        "encounter": "e1",
        "scope": "launch",
        "id_token": sign_identity(server, pending),
    }
    with open_client(10) as client:
        found = complete_launch(client, pending, pending.state, "code-1", settings_of(server), NOW)
    assert (found.patient, found.encounter, found.user) == ("Patient/p1", "Encounter/e1", "Practitioner/7")
    (form,) = server.forms
    assert (form["code"], form["code_verifier"], form["grant_type"]) == (
        "code-1",
        pending.verifier,
        "authorization_code",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "other"}, {"aud": "other"}, {"iss": "https://other.example"}, {"exp": 1},
        {"fhirUser": "https://x/Patient/1"}, {"fhirUser": 7},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_identity_opens_nothing(server: Server, pending: Pending, changes: dict[str, Any]) -> None:
    server.token["id_token"] = sign_identity(server, pending, **changes)
    with open_client(10) as client, pytest.raises((InputError, ValueError)):
        complete_launch(client, pending, pending.state, "code-1", settings_of(server), NOW)


def test_an_identity_of_another_key_opens_nothing(server: Server, pending: Pending) -> None:
    server.token["id_token"] = sign_identity(server, pending)
    sign_identity(server, pending)  # the record's key is another now
    with open_client(10) as client, pytest.raises(InputError, match="not valid"):
        complete_launch(client, pending, pending.state, "code-1", settings_of(server), NOW)


def test_an_answer_to_another_launch_is_refused(server: Server, pending: Pending) -> None:
    with open_client(10) as client, pytest.raises(InputError, match="another launch"):
        complete_launch(client, pending, "guess", "code-1", settings_of(server), NOW)
    assert server.forms == []


def test_a_context_is_no_way_into_an_address(server: Server, pending: Pending) -> None:
    server.token["patient"] = "../Task/1"
    with open_client(10) as client, pytest.raises(ValueError, match="must look like"):
        complete_launch(client, pending, pending.state, "code-1", settings_of(server), NOW)


def test_only_known_records_may_launch(server: Server) -> None:
    asked: list[str] = []
    with serve_web(lambda a: asked.append(a.path) or Said()) as stranger, open_client(10) as client:
        for iss in (stranger, server.address + ".example", "javascript:x", ""):
            with pytest.raises(InputError, match="may not open"):
                begin_launch(client, iss, "L1", settings_of(server))
    assert asked == []


def test_a_record_without_pkce_may_not_launch(server: Server) -> None:
    server.extra = {"authorization_endpoint": f"{server.address}/authorize"}
    with open_client(10) as client, pytest.raises(InputError, match="PKCE"):
        begin_launch(client, server.address, "L1", settings_of(server))
