"""Faults on the way to a record: which are worth another try, and that no error tells of a patient."""

import json
from collections.abc import Callable

import pytest

from prescreen.clinic.signed import PatientLink
from prescreen.ehr.channel import DeliveryError, History
from prescreen.ehr.fhir_client import FhirChannel
from prescreen.ehr.paging import PAGES
from prescreen.ehr.wire import MAX_BYTES, HttpWire, check_address
from prescreen.errors import InputError
from small_visits import visit
from small_web import Asked, Said, serve_web

SECRET = "Okafor"
EMPTY = json.dumps({"resourceType": "Bundle", "type": "searchset", "total": 0}).encode()


def deliver(answer: Callable[[Asked], Said]) -> DeliveryError:
    """The error of a delivery to a server that answers so."""
    with serve_web(answer) as address:
        channel = FhirChannel(f"{address}/fhir", timeout_s=2)
        with pytest.raises(DeliveryError) as error:
            channel.deliver(visit())
        channel.close()
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
    return error.value


@pytest.mark.parametrize(
    ("status", "lasting"),
    [
        *[(status, True) for status in (301, 308, 400, 401, 403, 404, 410, 422)],
        *[(status, False) for status in (408, 429, 500, 502, 503, 504, 507)],
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_status_means(status: int, lasting: bool, method: str) -> None:
    outcome = json.dumps({"resourceType": "OperationOutcome", "issue": [{"diagnostics": f"{SECRET} is unknown"}]})

    def answer(asked: Asked) -> Said:
        if asked.method != method:
            return Said(body=EMPTY)
        return Said(status, outcome.encode(), {"Location": "/elsewhere"})

    error = deliver(answer)
    assert error.lasting is lasting
    assert str(status) in str(error)


@pytest.mark.parametrize(("status", "lasting"), [(409, False), (412, True)])
def test_a_conflict_on_the_ground(status: int, lasting: bool) -> None:
    assert deliver(lambda asked: Said(status if asked.method == "POST" else 200, EMPTY)).lasting is lasting


def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    def answer(asked: Asked) -> Said:
        seen.append(asked.path)
        return Said(307, b"", {"Location": "/other"})

    assert deliver(answer).lasting
    assert seen == ["/fhir/Composition"]


@pytest.mark.parametrize(
    ("body", "lasting"),
    [
        (b"<html>down</html>", False),
        (b"[]", False),
        (b"", False),
        (b'{"entry": [7]}', True),
        (b'{"entry": [{"resource": {"resourceType": "Composition"}}]}', True),
        (b'{"entry": {"a": 1}}', True),
        (b"[" * 10**5, False),
        (b" " * (MAX_BYTES + 1), True),
    ],
    ids=range(8),
)
def test_an_answer_that_is_no_fhir(body: bytes, lasting: bool) -> None:
    assert deliver(lambda asked: Said(body=body)).lasting is lasting


def test_the_report_of_another_is_no_receipt() -> None:
    other = {"resourceType": "Composition", "id": "1", "identifier": {"system": "urn:ietf:rfc:3986", "value": "x"}}
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": other}]}
    error = deliver(lambda asked: Said(body=json.dumps(bundle).encode()))
    assert error.lasting and "does not search a Composition by its identifier" in str(error)


def test_nobody_there() -> None:
    with serve_web(lambda asked: Said()) as address:
        pass
    with pytest.raises(DeliveryError, match="does not answer") as error:
        FhirChannel(address).deliver(visit())
    assert not error.value.lasting


def test_a_visit_that_cannot_be_written_is_a_lasting_error() -> None:
    for signed in (visit(id="17"), visit(patient=PatientLink(reference="Observation/1"))):
        with pytest.raises(DeliveryError) as error:
            FhirChannel("https://record.invalid/fhir").deliver(signed)
        assert error.value.lasting
    with pytest.raises(DeliveryError, match="must look like"):
        FhirChannel("https://record.invalid/fhir").read_history("Patient/../Task")


@pytest.mark.parametrize(
    "address",
    [
        "http://record.example/fhir",
        "ftp://x/",
        "https://",
        "https://user:pw@x/fhir",
        "https://x/fhir?a=1",
        "record",
    ],
)
def test_an_address_must_be_safe(address: str) -> None:
    with pytest.raises(InputError) as error:
        check_address(address)
    assert "pw" not in str(error.value)


def test_http_is_for_this_machine() -> None:
    for address in (
        "http://127.0.0.1:1/fhir/",
        "http://localhost/fhir",
        "http://[::1]:8/fhir",
        "https://r.example",
    ):
        assert check_address(address) == address.rstrip("/")


def history(answer: Callable[[Asked], Said]) -> History:
    with serve_web(answer) as address:
        channel = FhirChannel(address)
        try:
            return channel.read_history("Patient/1")
        finally:
            channel.close()


def _patient_then(answer: Callable[[Asked], Said]) -> Callable[[Asked], Said]:
    person = json.dumps({"resourceType": "Patient", "id": "1"}).encode()
    return lambda asked: Said(body=person) if asked.path == "/Patient/1" else answer(asked)


def test_endless_pages_are_an_error() -> None:
    pages: list[str] = []

    def answer(asked: Asked) -> Said:
        pages.append(asked.query)
        following = {"relation": "next", "url": "https://elsewhere.example/steal?page=2"}
        return Said(body=json.dumps({"resourceType": "Bundle", "link": [following]}).encode())

    with pytest.raises(DeliveryError, match="more MedicationRequest than"):
        history(_patient_then(answer))
    assert pages[1:] == ["page=2"] * (PAGES - 1)  # and all of them were asked of us, not of elsewhere


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_list_that_fails_is_no_empty_list(status: int) -> None:
    with pytest.raises(DeliveryError) as error:
        history(_patient_then(lambda asked: Said(status if "Allergy" in asked.path else 200, EMPTY)))
    assert not error.value.lasting


def test_an_entry_without_words_is_told() -> None:
    row = {"resource": {"resourceType": "AllergyIntolerance", "code": {}}}
    nkda = {"resource": {"resourceType": "AllergyIntolerance", "code": {"coding": [{"code": "716186003"}]}}}
    drugs = {"resource": {"resourceType": "AllergyIntolerance", "code": {"coding": [{"code": "409137002"}]}}}
    wrong = {"resource": row["resource"] | {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}}
    told = {}
    for name, rows in {"row": [row, nkda], "none": [nkda], "drugs": [drugs], "wrong": [wrong]}.items():
        body = json.dumps({"resourceType": "Bundle", "entry": rows}).encode()
        said = Said(body=body)

        def answer(asked: Asked, said: Said = said) -> Said:
            return said if "Allergy" in asked.path else Said(body=EMPTY)

        told[name] = history(_patient_then(answer)).allergies
    assert told == {"row": ("an entry without words",), "none": (), "drugs": None, "wrong": None}


class Tokens:
    """An Auth that counts."""

    def __init__(self) -> None:
        self.made, self.forgotten = 0, 0

    def header(self) -> str:
        self.made += 1
        return f"Bearer {self.forgotten}"

    def forget(self) -> None:
        self.forgotten += 1


def test_a_refused_token_is_renewed_once() -> None:
    for refused, status, forgotten in ((("Bearer 0",), 200, 1), (("Bearer 0", "Bearer 1"), 401, 1), ((), 200, 0)):
        tokens = Tokens()
        with serve_web(lambda a, r=refused: Said(401 if a.headers["authorization"] in r else 200)) as address:  # type: ignore[misc]
            wire = HttpWire(address, tokens)
            assert (wire.send("GET", "metadata").status, tokens.forgotten) == (status, forgotten)
            wire.close()
