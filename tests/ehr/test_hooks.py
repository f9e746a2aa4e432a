"""CDS Hooks: what is offered, which requests get cards, and that a card says no more than it may."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.ehr.hooks import HOOKS, HookError, Waiting, answer_hook, discover, service_id
from prescreen.errors import GuardError

LINK = "https://triage.clinic.example/review/0b9d0c5e"
CARD_KEYS = {"summary", "indicator", "source", "links"}


def make_request(
    hook: str = "patient-view", context: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """A whole request; a value of ... leaves the key out."""
    whole = {"userId": "Practitioner/7", "patientId": "123", "encounterId": "456", **(context or {})}
    request = {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": "https://ehr.example/fhir",
        "context": {key: value for key, value in whole.items() if value is not ...},
        **changes,
    }
    return {key: value for key, value in request.items() if value is not ...}


def ask(
    request: object, link_for: Callable[[str], Waiting | None] = lambda _: None, **named: Any
) -> dict[str, Any]:
    return answer_hook(json.dumps(request).encode(), link_for, **named)


def check_card(card: dict[str, Any]) -> None:
    """CDS Hooks 2.0, of what we use; no suggestion, no action, no app launch."""
    assert set(card) == CARD_KEYS
    assert 0 < len(card["summary"]) <= 140 and "\n" not in card["summary"]
    assert card["indicator"] in ("info", "warning", "critical")
    assert card["source"]["label"] and card["source"]["url"].startswith("https://")
    for link in card["links"]:
        assert set(link) == {"label", "url", "type"}
        assert link["type"] == "absolute" and link["url"].startswith("https://")


def test_discovery_names_a_service_for_each_hook() -> None:
    services = discover()["services"]
    assert [one["hook"] for one in services] == ["patient-view", "encounter-start"]
    for one in services:
        assert set(one) == {"hook", "id", "title", "description"}
        assert one["id"] == service_id(one["hook"])
    json.dumps(discover())


@pytest.mark.parametrize("hook", HOOKS)
def test_nobody_waits_no_card(hook: str) -> None:
    asked: list[str] = []

    def link_for(reference: str) -> None:
        asked.append(reference)

    assert ask(make_request(hook), link_for) == {"cards": []}
    assert asked == ["Patient/123"]


@pytest.mark.parametrize("alert", [False, True])
@pytest.mark.parametrize("signed", [None, *Acuity])
def test_cards(alert: bool, signed: Acuity | None) -> None:
    (card,) = ask(make_request(), lambda _: Waiting(LINK, alert, signed))["cards"]
    check_card(card)
    assert card["links"][0]["url"] == LINK
    if signed is None:
        assert not any(level.value in card["summary"].lower().split() for level in Acuity)
        assert card["indicator"] == ("critical" if alert else "info")
    else:
        wanted = {Acuity.EMERGENCY: "critical", Acuity.HIGH: "warning"}.get(signed, "info")
        assert card["indicator"] == wanted
        assert card["summary"].endswith(signed.value)


def test_prefetch_is_not_read() -> None:
    waiting = Waiting(LINK)
    for prefetch in ({"patient": {"name": "SECRET"}}, "nonsense", None, [], {"patient": None}):
        answer = ask(make_request(prefetch=prefetch), lambda _: waiting)
        assert "SECRET" not in json.dumps(answer)
        assert len(answer["cards"]) == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (make_request("order-sign"), 400),
        ({**make_request(), "hook": None}, 400),
        ({**make_request(), "hook": ["patient-view"]}, 400),
        (make_request(hookInstance=...), 400),
        (make_request(hookInstance="not-a-uuid"), 400),
        (make_request(hookInstance=5), 400),
        (make_request(context={"patientId": ...}), 400),
        (make_request(context={"patientId": 123}), 400),
        (make_request(context={"patientId": "Patient/123"}), 400),
        (make_request(context={"patientId": "1?_has=x"}), 400),
        (make_request(context={"patientId": "1\n"}), 400),
        (make_request(context={"userId": ...}), 400),
        (make_request(context={"userId": "7"}), 400),
        (make_request("encounter-start", context={"encounterId": ...}), 400),
        (make_request(fhirAuthorization={"access_token": "x"}, fhirServer=...), 400),
        ({**make_request(), "context": "x"}, 400),
        ({**make_request(), "context": None}, 400),
        ([], 400),
        (None, 400),
    ],
)
def test_wrong_requests(request_: object, status: int) -> None:
    def link_for(_: str) -> Waiting:
        raise AssertionError("asked about a patient for a request that is wrong")

    with pytest.raises(HookError) as caught:
        ask(request_, link_for)
    assert caught.value.status == status


def test_encounter_is_needed_at_its_start_only() -> None:
    assert ask(make_request("patient-view", context={"encounterId": ...})) == {"cards": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"\xff\xfe{", 400), (b"[" * 100_000, 400), (b" " * (1 << 20) + b"{}", 413)],
)
def test_what_is_no_json(body: bytes, status: int) -> None:
    with pytest.raises(HookError) as caught:
        answer_hook(body, lambda _: None)
    assert caught.value.status == status


def test_the_address_must_be_that_of_the_hook() -> None:
    assert ask(make_request(), service="prescreen-patient-view") == {"cards": []}
    for service, status in (("prescreen-encounter-start", 400), ("other", 404)):
        with pytest.raises(HookError) as caught:
            ask(make_request(), service=service)
        assert caught.value.status == status


def test_another_record_system_has_other_patients() -> None:
    assert ask(make_request(), fhir_server="https://ehr.example/fhir/") == {"cards": []}
    for other in ("https://other.example/fhir", 5):
        with pytest.raises(HookError) as caught:
            ask(make_request(fhirServer=other), fhir_server="https://ehr.example/fhir")
        assert caught.value.status == 403


@pytest.mark.parametrize(
    "link",
    ["/review/1", "http://triage.clinic.example/", "javascript:alert(1)", "https://u:p@host/", "https:///x", ""],
)
def test_a_link_that_is_no_whole_address_is_our_fault(link: str) -> None:
    with pytest.raises(GuardError):
        ask(make_request(), lambda _: Waiting(link))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_is_answered_or_refused(value: object) -> None:
    for request in (
        value,
        {**make_request(), "context": value},
        {**make_request(), "hook": value},
        {**make_request(), "hookInstance": value},
    ):
        try:
            assert ask(request) == {"cards": []}
        except HookError as error:
            assert 400 <= error.status < 500


@given(st.text(), st.text())
def test_a_refusal_quotes_nothing(patient: str, user: str) -> None:
    secret = f"Zebra{uuid4().hex}"
    with pytest.raises(HookError) as caught:
        ask(make_request(context={"patientId": f"{secret} {patient}", "userId": user}))
    assert secret not in str(caught.value)
