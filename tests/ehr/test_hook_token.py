"""The caller's token: which are taken, and the ways of forging one."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jws, jwt

from prescreen.ehr.hook_token import SeenTokens, verify_hook_token
from prescreen.ehr.hooks import HookError

NOW = 1_780_000_000
ISSUER, OTHER = "https://ehr.example", "https://other.example"
HERE = "https://triage.clinic.example/cds-services/prescreen-patient-view"
RSA = jwk.RSAKey.generate_key(2048, {"kid": "r1"})
EC = jwk.ECKey.generate_key("P-384", {"kid": "e1"})
OTHERS = jwk.ECKey.generate_key("P-384", {"kid": "o1"})
JWKS: dict[str, Any] = {
    ISSUER: {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]},
    OTHER: {"keys": [OTHERS.as_dict(private=False)]},
}


def make_claims(**changes: Any) -> dict[str, Any]:
    """Whole claims; a value of ... leaves one out."""
    claims = {"iss": ISSUER, "aud": HERE, "iat": NOW - 5, "exp": NOW + 200, "jti": "one", **changes}
    return {key: value for key, value in claims.items() if value is not ...}


def make_token(key: Any = EC, alg: str = "ES384", header: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, make_claims(**changes), key, algorithms=[alg])


def make_raw(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def verify(token: str, seen: Any = None, **named: Any) -> Any:
    given = {"jwks": JWKS, "audience": HERE, "issuers": [ISSUER, OTHER], "now": NOW, **named}
    return verify_hook_token(token, seen_jti=seen or SeenTokens(lambda: NOW), **given)


def refused(token: str, **named: Any) -> str:
    """The reason of a refusal, before which no id was noted."""
    noted: list[str] = []

    def seen(issuer: str, jti: str, until: int) -> bool:
        noted.append(jti)
        return False

    with pytest.raises(HookError) as caught:
        verify(token, seen, **named)
    assert caught.value.status == 401
    assert noted == []
    return str(caught.value)


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES384"), (RSA, "RS384"), (RSA, "RS256"), (RSA, "PS384")])
def test_taken(key: Any, alg: str) -> None:
    assert verify(make_token(key, alg)) == (ISSUER, "one", None)
    assert verify(make_token(key, alg, tenant="north")).tenant == "north"
    assert verify(make_token(key, alg, aud=[HERE, "https://elsewhere.example"])).issuer == ISSUER


def test_a_replay_is_refused() -> None:
    seen = SeenTokens(lambda: NOW)
    token = make_token()
    verify(token, seen)
    with pytest.raises(HookError, match="used before") as caught:
        verify(token, seen)
    assert caught.value.status == 401
    verify(make_token(jti="two"), seen)
    verify(make_token(OTHERS, iss=OTHER), seen)


def test_a_replay_is_refused_as_long_as_the_token_would_be_taken() -> None:
    clock = [float(NOW)]
    seen = SeenTokens(lambda: clock[0])
    token = make_token()
    verify(token, seen)
    for later in range(0, 400, 5):
        clock[0] = NOW + later
        with pytest.raises(HookError):
            verify(token, seen, now=clock[0])
    verify(make_token(jti="new", iat=NOW + 395, exp=NOW + 500), seen, now=clock[0])
    assert list(seen._until) == [(ISSUER, "new")]


def test_one_of_many_callers_at_once_wins() -> None:
    seen, token, taken = SeenTokens(lambda: NOW), make_token(), []

    def call() -> None:
        with contextlib.suppress(HookError):
            taken.append(verify(token, seen))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS256", "HS384", None, 5, ["ES384"]])
def test_algorithms_without_a_public_key_are_refused(alg: object) -> None:
    token = make_raw({"alg": alg, "kid": "r1", "typ": "JWT"}, make_claims())
    assert "algorithm" in refused(token)
    assert refused(token.rstrip(".") + "." + "AAAA")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["pem", "der", "json", "n"])
def test_a_public_key_is_no_shared_secret(form: str) -> None:
    """HS256 keyed with the public key's own bytes, under the public key's kid."""
    public = {
        "pem": RSA.as_pem(private=False),
        "der": RSA.as_der(private=False),
        "json": json.dumps(RSA.as_dict(private=False)).encode(),
        "n": str(RSA.as_dict(private=False)["n"]).encode(),
    }[form]
    unsigned = make_raw({"alg": "HS256", "kid": "r1", "typ": "JWT"}, make_claims()).rpartition(".")[0]
    signature = hmac.new(public, unsigned.encode(), hashlib.sha256).digest()
    token = f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert "algorithm" in refused(token)


def test_a_shared_secret_in_the_key_set_is_no_key() -> None:
    secret = jwk.OctKey.import_key(b"0123456789abcdef0123456789abcdef", {"kid": "s1"})
    keys = {ISSUER: {"keys": [secret.as_dict(private=True)]}}
    token = jwt.encode({"alg": "HS256", "kid": "s1"}, make_claims(), secret)
    assert "algorithm" in refused(token, jwks=keys)
    assert "key" in refused(make_token(header={"kid": "s1"}), jwks=keys)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 61},
        {"exp": ...},
        {"exp": "tomorrow"},
        {"exp": NOW + 296},
        {"exp": NOW + 10_000},
        {"exp": NOW - 10, "iat": NOW - 5},
        {"iat": ...},
        {"iat": NOW + 61, "exp": NOW + 200},
        {"iat": NOW - 361, "exp": NOW - 61},
        {"iat": True},
        {"aud": ...},
        {"aud": "https://triage.clinic.example/cds-services/prescreen-encounter-start"},
        {"aud": []},
        {"aud": {"x": HERE}},
        {"iss": ...},
        {"iss": "https://evil.example"},
        {"iss": [ISSUER]},
        {"iss": OTHER},
        {"jti": ...},
        {"jti": ""},
        {"jti": 7},
        {"jti": "a b"},
        {"jti": "x" * 129},
        {"nbf": NOW + 500},
    ],
)
def test_claims(changes: dict[str, Any]) -> None:
    refused(make_token(**changes))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_times_that_are_no_times(claim: str, value: str) -> None:
    text = json.dumps(make_claims(**{claim: "HERE"})).replace('"HERE"', value)
    refused(jws.serialize_compact({"alg": "ES384", "kid": "e1", "typ": "JWT"}, text, EC, algorithms=["ES384"]))


def test_an_issuer_cannot_speak_for_another() -> None:
    assert "key" in refused(make_token(OTHERS, iss=ISSUER))
    assert refused(make_token(OTHERS, header={"kid": "e1"}, iss=ISSUER))


def test_an_issuer_that_is_not_listed_is_unknown() -> None:
    assert "issuer" in refused(make_token(), issuers=[OTHER])
    assert "issuer" in refused(make_token(), jwks={OTHER: JWKS[OTHER]})


def test_keys_come_from_us_and_not_from_the_token() -> None:
    own = jwk.ECKey.generate_key("P-384", {"kid": "x1"})
    public = own.as_dict(private=False)
    for header in ({"jku": "https://evil.example/jwks"}, {"jwk": public}, {"kid": "e1", "jwk": public}):
        assert refused(make_token(own, header=header))
    assert verify(make_token(header={"jku": "https://evil.example/jwks"})).issuer == ISSUER


@pytest.mark.parametrize("kid", [None, 1, "", "e2", "../e1"])
def test_the_key_must_be_named(kid: object) -> None:
    token = make_token()
    header = {"alg": "ES384", "typ": "JWT", "kid": kid}
    assert "key" in refused(".".join((make_raw(header, {}).split(".")[0], *token.split(".")[1:])))


def test_two_keys_of_one_name_are_no_key() -> None:
    keys = {ISSUER: {"keys": [*JWKS[ISSUER]["keys"], {**OTHERS.as_dict(private=False), "kid": "e1"}]}}
    assert "key" in refused(make_token(), jwks=keys)


@pytest.mark.parametrize(
    "change", [{"use": "enc"}, {"alg": "ES256"}, {"x": "AAAA"}, {"crv": "P-256"}, {"kty": "RSA"}]
)
def test_keys_for_something_else(change: dict[str, Any]) -> None:
    keys = {ISSUER: {"keys": [{**EC.as_dict(private=False), **change}]}}
    refused(make_token(), jwks=keys)


@pytest.mark.parametrize("part", range(3))
def test_a_changed_letter_breaks_it(part: int) -> None:
    parts = make_token().split(".")
    letter = "A" if parts[part][10] != "A" else "B"
    parts[part] = parts[part][:10] + letter + parts[part][11:]
    refused(".".join(parts))


@given(st.text() | st.text(alphabet="abAB09-_.=").map(lambda text: f"{text}.{text}.{text}"))
def test_any_text_is_refused(token: str) -> None:
    refused(token)


@pytest.mark.parametrize("nested", ["[" * 50_000, "{}", '"x"', "[]", "null"])
def test_parts_that_are_no_object(nested: str) -> None:
    part = base64.urlsafe_b64encode(nested.encode()).rstrip(b"=").decode()
    refused(f"{part}.{part}.AAAA")
