"""HL7 v2 messages of a signed visit: their golden form, and that no text can break out of its field."""

import datetime
import re
from pathlib import Path
from typing import Any

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.small_visit import MODEL, SIGNATURE, make_report, make_visit
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Vitals
from prescreen.clinic.report import Finding, HistoryReview
from prescreen.clinic.signed import PatientLink, Person
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.er7 import LONGEST_TEXT, clean
from prescreen.ehr.messages import Route, control_id, write_mdm, write_oru
from prescreen.records.segments import parse_message

GOLDEN = Path(__file__).parent / "golden"
WRITERS = {"MDM": write_mdm, "ORU": write_oru}
NASTY = [
    "|",
    "^",
    "~",
    "\\",
    "&",
    "\r",
    "\n",
    "\x0b",
    "\x1c",
    "\x85",
    "\u2028",
    "\0",
    '"',
    "\\X0D\\",
    "\rOBX|",
    "\u202e",
]
ANY_TEXT = st.one_of(st.text(), st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=3))).map("".join))
LINE = ANY_TEXT.map(lambda text: text[:200])


def show(message: str) -> str:
    """A message as a golden file holds it: one segment a line."""
    assert "\n" not in message
    return message.replace("\r", "\n")


def texts(message: str) -> dict[str, str]:
    """The texts of a message by the code of their OBX, as the `hl7` package reads them."""
    parsed = hl7.parse(message)
    found: dict[str, str] = {}
    for place, _ in enumerate(parsed.segments("OBX"), 1):
        if parsed.extract_field("OBX", place, 2) == "FT":
            code = parsed.extract_field("OBX", place, 3, 1, 1)
            value = parsed.unescape(str(parsed.segments("OBX")[place - 1][5]))
            found[code] = found.get(code, "") + value
    return found


def field(message: str, name: str, place: int, component: int = 1) -> str:
    """One value as the `hl7` package reads it."""
    parsed = hl7.parse(message)
    return str(parsed.extract_field(name, 1, place, 1, component))


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", ["signed", "corrected", "bare"])
def test_golden(kind: str, name: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "signed": {},
        "corrected": {
            "corrects": "00000000-aaaa-4bbb-8ccc-000000000001",
            "id": "00000000-aaaa-4bbb-8ccc-000000000002",
        },
        "bare": {
            "patient": PatientLink(),
            "draft": None,
            "model": None,
            "signer": Person(id="p1", name="Dr. Pia Invented", role="physician"),
            "final": make_report(findings=[], differential=[], rules=[], red_flags=[], open_questions=[]),
            "note": "",
            "reason": "",
        },
    }
    visit = make_visit(**changes[name])
    expected = GOLDEN / f"{kind.lower()}-{name}.hl7.txt"
    assert show(WRITERS[kind](visit)) == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", WRITERS)
def test_no_word_of_the_draft_leaves(kind: str) -> None:
    write = WRITERS[kind]
    drafted = make_report(
        acuity=Acuity.EMERGENCY,
        summary="DRAFTED",
        rationale="DRAFTED",
        red_flags=["DRAFTED"],
        findings=[Finding(name="DRAFTED", status="denied")],
        history=HistoryReview(conditions=["DRAFTED"], medications=[], allergies=[]),
        next_steps=["DRAFTED"],
        open_questions=["DRAFTED"],
    )
    assert write(make_visit(draft=drafted)) == write(make_visit())
    assert write(make_visit(final=make_report(model_acuity=Acuity.LOW, unsupported=["LEFTOUT"]))) == write(
        make_visit()
    )


@pytest.mark.parametrize("kind", WRITERS)
def test_conversation_stays_at_home(kind: str) -> None:
    assert "TURNTEXT" not in WRITERS[kind](make_visit())


def test_authorship_is_told() -> None:
    told = texts(write_mdm(make_visit()))["AUTHORSHIP"]
    assert "Drafted by software (twin 7, run by scripted), reviewed and signed by Nora Nurse (nurse)" in told
    assert SIGNATURE in told
    assert "no language model" in texts(write_oru(make_visit(model=None)))["AUTHORSHIP"]
    assert "without a draft" in texts(write_oru(make_visit(model=None, draft=None)))["AUTHORSHIP"]
    assert MODEL.name not in texts(write_oru(make_visit(model=None, draft=None)))["AUTHORSHIP"]


def test_document_numbers_link_a_correction_to_what_it_replaces() -> None:
    first = make_visit()
    second = make_visit(id="11111111-2222-4333-8444-555555555555", corrects=first.id)
    assert field(write_mdm(second), "TXA", 13) == field(write_mdm(first), "TXA", 12)
    assert field(write_mdm(second), "TXA", 12) != field(write_mdm(first), "TXA", 12)
    assert field(write_mdm(second), "MSH", 9, 2) == "T10"
    assert field(write_oru(second), "OBR", 3) == field(write_oru(first), "OBR", 3)
    assert (field(write_oru(first), "OBR", 25), field(write_oru(second), "OBR", 25)) == ("F", "C")


def test_control_ids_tell_signatures_and_kinds_apart() -> None:
    visits = [make_visit(), make_visit(id="11111111-2222-4333-8444-555555555555")]
    ids = {control_id(visit, kind) for visit in visits for kind in ("MDM", "ORU")}  # type: ignore[arg-type]
    assert len(ids) == 4
    assert all(len(one) == 20 and one.isalnum() for one in ids)


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_instant_in_another_zone_gives_the_same_bytes(kind: str) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    visit = make_visit()
    moved = {name: getattr(visit, name).astimezone(zone) for name in ("opened", "finished", "signed")}
    assert WRITERS[kind](make_visit(**moved)) == WRITERS[kind](visit)


def test_a_physician_authenticates_legally_and_a_nurse_does_not() -> None:
    physician = Person(id="p1", name="Pia", role="physician")
    assert field(write_mdm(make_visit()), "TXA", 17) == "AU"
    assert field(write_mdm(make_visit(signer=physician)), "TXA", 17) == "LA"


def test_a_reference_never_shrinks_to_a_number_another_patient_may_have() -> None:
    message = write_mdm(make_visit(patient=PatientLink(reference="Patient/123")))
    assert field(message, "PID", 3) == "Patient/123"
    unknown = field(write_mdm(make_visit(patient=PatientLink(family="Testa"))), "PID", 3)
    assert len(unknown) == 20 and unknown.isalnum()


@pytest.mark.parametrize("system", ["urn:oid:1.2", "http://clinic.example/mrn", "CLINIC", ""])
def test_assigning_authority(system: str) -> None:
    visit = make_visit(patient=PatientLink(identifier="42", identifier_system=system))
    pid = next(line for line in write_mdm(visit).split("\r") if line.startswith("PID"))
    wanted = {
        "urn:oid:1.2": "42^^^&1.2&ISO^MR",
        "http://clinic.example/mrn": "42^^^&http://clinic.example/mrn&URI^MR",
        "CLINIC": "42^^^CLINIC^MR",
        "": "42^^^^MR",
    }
    assert pid.split("|")[3] == wanted[system]


def test_an_identifier_is_refused_rather_than_cut() -> None:
    with pytest.raises(DeliveryError, match="longer") as caught:
        write_mdm(make_visit(patient=PatientLink(identifier="9" * 251)))
    assert caught.value.lasting
    assert "999" not in str(caught.value)


@pytest.mark.parametrize("number", ["12\x003", "12\r3", "12\u202e3", "12\n3", "1\t2"])
def test_an_identifier_is_refused_rather_than_changed(number: str) -> None:
    for link in (PatientLink(identifier=number), PatientLink(reference=number)):
        with pytest.raises(DeliveryError, match="control characters") as caught:
            write_oru(make_visit(patient=link))
        assert caught.value.lasting
    assert field(write_oru(make_visit(patient=PatientLink(identifier=" 1|2 "))), "PID", 3) == "1|2"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_vital_sign_that_is_no_number_stops_the_message(kind: str, value: float) -> None:
    case = make_visit().case.model_copy(update={"vitals": Vitals(heart_rate=value)})
    with pytest.raises(DeliveryError, match="not a number"):
        WRITERS[kind](make_visit(case=case))


@given(st.floats(min_value=-1000, max_value=100_000))
def test_numbers_have_no_exponent(value: float) -> None:
    case = make_visit().case.model_copy(update={"vitals": Vitals(heart_rate=value)})
    sent = field(write_oru(make_visit(case=case)), "OBX", 5)
    assert float(sent) == pytest.approx(value, abs=1e-4)
    assert set(sent) <= set("-.0123456789")


def test_long_texts_go_on_in_further_segments() -> None:
    note = ("one | two\n" * 20_000).strip()
    message = write_mdm(make_visit(note=note))
    values = [line.split("|") for line in message.split("\r") if line.startswith("OBX") and "^Note of" in line]
    assert [value[4] for value in values] == ["1", "2", "3", "4", "5"][: len(values)] and len(values) > 1
    assert all(len(value[5]) <= LONGEST_TEXT for value in values)
    assert texts(message)["NOTE"] == "Note of the signer:\r" + note.replace("\n", "\r")


def test_names_are_cut_between_characters_of_the_wire() -> None:
    message = write_mdm(make_visit(patient=PatientLink(identifier="1", family="|" * 60, given="é" * 60)))
    name = next(line for line in message.split("\r") if line.startswith("PID")).split("|")[5]
    assert name == "\\F\\" * 16 + "^" + "é" * 30


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=150)
@given(complaint=ANY_TEXT, note=ANY_TEXT, finding=LINE, evidence=LINE, family=ANY_TEXT, signer=LINE)
def test_any_text_comes_back_and_breaks_nothing(
    kind: str, complaint: str, note: str, finding: str, evidence: str, family: str, signer: str
) -> None:
    plain = make_visit()
    visit = make_visit(
        case=plain.case.model_copy(update={"complaint": complaint}),
        final=make_report(findings=[Finding(name=finding, status="present", evidence=evidence)]),
        note=note,
        patient=PatientLink(identifier="7", family=family, given=family),
        signer=Person(id="n1", name=signer, role="nurse"),
    )
    message = WRITERS[kind](visit)
    assert message == WRITERS[kind](visit)
    assert not set(message) & {chr(n) for n in (*range(13), *range(14, 32), *range(127, 160), 0x2028, 0x202E)}
    rows = message.removesuffix("\r").split("\r")
    empty = (not clean(complaint)) + (not clean(note))
    assert [row[:3] for row in rows] == [row[:3] for row in WRITERS[kind](plain).split("\r") if row][: len(rows)]
    assert len(rows) == len(WRITERS[kind](plain).removesuffix("\r").split("\r")) - empty
    shapes = {row.count("|") for row in rows if row.startswith("OBX")}
    assert shapes == {16}
    found = texts(message)
    for code, text in (("10154-3", complaint), ("NOTE", note)):
        if clean(text):
            assert found[code].endswith(clean(text).replace("\n", "\r"))
        else:
            assert code not in found
    cut = clean(family).replace("\n", " ")
    assert cut.startswith(field(message, "PID", 5, 1))
    if len(cut) <= 10:
        assert field(message, "PID", 5, 1) == cut


@given(st.text(alphabet='"', max_size=3))
def test_no_value_is_hl7s_delete_this(name: str) -> None:
    message = write_oru(make_visit(patient=PatientLink(identifier="7", family=name, given=name), note=name))
    for row in message.split("\r"):
        assert '""' not in re.split(r"[|^]", row)
    assert field(message, "PID", 5) == name


@given(st.builds(Route, application=LINE, facility=LINE, to_application=LINE, to_facility=LINE))
def test_names_of_the_route_stay_in_their_fields(route: Route) -> None:
    try:
        message = write_mdm(make_visit(), route)
    except DeliveryError as error:
        assert error.lasting
        return
    head = message.split("\r")[0].split("|")
    assert (head[8], head[10], head[11], head[17]) == ("MDM^T02^MDM_T02", "P", "2.5.1", "UNICODE UTF-8")


@pytest.mark.parametrize("kind", WRITERS)
def test_our_own_reader_takes_it(kind: str) -> None:
    parsed = parse_message(WRITERS[kind](make_visit()).encode())
    assert not isinstance(parsed, str)
    assert parsed.first("PID").text(5, 2) == "Ana^Maria"
    complaint = next(row for row in parsed.all("OBX") if row.text(3) == "10154-3")
    assert complaint.whole(5).endswith("since eight | it is <bad> & I sweat")
