"""Programs at the door: the FHIR endpoint by a token, CDS Hooks by a signed one; each once, none without."""

import json
import time
import uuid
from pathlib import Path

import pytest
from joserfc import jwk, jwt

from prescreen.clinic.signed import PatientLink
from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.shelf import MemoryShelf
from prescreen.errors import GuardError
from prescreen.service.door.programs import HookSettings, Program, open_hooks, open_programs
from prescreen.service.record import fhir_pages, hook_pages
from prescreen.store.visits import open_visit
from service.front import make_client, make_house, sign_in
from store.desk import NURSE, PATIENT, PHYSICIAN

TOKEN = "t" * 40
RECORD = "https://record.example/fhir"


def write_secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def house(tmp_path: Path):
    key = jwk.ECKey.generate_key("P-384", {"kid": "k1", "use": "sig"})
    keys = write_secret(tmp_path / "jwks.json", json.dumps({"keys": [key.as_dict(private=False)]}))
    hooks = {"issuers": {"https://record.example": str(keys)}, "fhir_server": RECORD}
    house = make_house(tmp_path, hooks=hooks)
    house.desk = FhirDesk(MemoryShelf())
    house.pages.globals["key"] = key
    yield house
    house.store.close()


@pytest.fixture
def client(house, tmp_path: Path):
    program = Program(name="reader", token_file=write_secret(tmp_path / "token", TOKEN))
    bearers = {
        "service": open_programs((program,)),
        "hooks": open_hooks(house.settings.hooks, house.store, "https://testserver"),
    }
    client = make_client(house, fhir_pages.make_router(), hook_pages.make_router(), bearers=bearers)
    with client:
        yield client


def make_token(house, service: str, **changes: object) -> str:
    now = int(house.store.clock().timestamp())
    claims = {
        "iss": "https://record.example",
        "aud": f"https://testserver/cds-services/{service}",
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
        **changes,
    }
    return jwt.encode({"alg": "ES384", "kid": "k1"}, claims, house.pages.globals["key"], algorithms=["ES384"])


def call(client, token: str, patient: str = "77") -> object:
    context = {"userId": "Practitioner/1", "patientId": patient}
    body = {"hook": "patient-view", "hookInstance": str(uuid.uuid4()), "fhirServer": RECORD, "context": context}
    headers = {"authorization": f"Bearer {token}"}
    return client.post("/cds-services/prescreen-patient-view", json=body, headers=headers)


def test_the_record_is_open_to_a_token_and_to_nobody_else(client, house) -> None:
    right, wrong = {"authorization": f"Bearer {TOKEN}"}, {"authorization": "Bearer " + "u" * 40}
    patient = {"resourceType": "Patient", "name": [{"family": "Bell"}]}
    made = client.post("/fhir/Patient", json=patient, headers=right)
    assert made.status_code == 201
    assert client.get("/fhir/Patient", headers=right).json()["total"] == 1
    for headers in ({}, wrong, {"authorization": f"Basic {TOKEN}"}):
        assert client.get("/fhir/Patient", headers=headers).status_code == 401
        assert client.post("/fhir/Patient", json=patient, headers=headers).status_code in (401, 403)
    csrf = sign_in(client, house, PHYSICIAN)
    assert client.get("/fhir/Patient").status_code == 200
    assert client.post("/fhir/Patient", json=patient, headers={"x-csrf-token": csrf}).status_code == 403
    sign_in(client, house, NURSE)
    assert client.get("/fhir/Patient").status_code == 403


def test_a_card_links_to_the_waiting_visit_and_says_no_more(client, house) -> None:
    with house.store.act(PATIENT) as act:
        link = PatientLink(reference="Patient/77", family="Secretname")
        visit = open_visit(act, team="clinic", language="en", channel="phone", link=link)
    service = "prescreen-patient-view"
    answer = call(client, make_token(house, service))
    assert answer.status_code == 200
    assert answer.json()["cards"][0]["links"][0]["url"] == f"https://testserver/visits/{visit.id}"
    assert "Secretname" not in answer.text
    assert call(client, make_token(house, service), "78").json() == {"cards": []}
    assert client.get("/cds-services").json()["services"]


def test_a_hooks_token_serves_once_and_for_its_service_only(client, house) -> None:
    token = make_token(house, "prescreen-patient-view")
    assert call(client, token).status_code == 200
    assert call(client, token).status_code == 401
    assert call(client, make_token(house, "prescreen-encounter-start")).status_code == 401
    assert call(client, make_token(house, "prescreen-patient-view", iss="https://evil.example")).status_code == 401
    past = int(time.time()) - 10**6
    assert call(client, make_token(house, "prescreen-patient-view", exp=past, iat=past - 60)).status_code == 401
    assert call(client, TOKEN).status_code == 401


def test_a_secret_others_can_read_or_that_is_short_is_refused(tmp_path: Path) -> None:
    path = write_secret(tmp_path / "token", "short")
    with pytest.raises(GuardError, match="32 characters"):
        open_programs((Program(name="a", token_file=path),))
    path.write_text(TOKEN)
    path.chmod(0o644)
    with pytest.raises(GuardError, match="chmod 600"):
        open_programs((Program(name="a", token_file=path),))
    with pytest.raises(GuardError, match="JWKS"):
        open_hooks(HookSettings(issuers={"https://r.example": path}), None, "")  # type: ignore[arg-type]
