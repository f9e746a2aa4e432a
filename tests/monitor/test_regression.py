"""A regression case: nobody is in it, the contact is whole, and what may still identify is refused."""

import datetime
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.clinic.signed import PatientLink
from prescreen.errors import InputError, RefusedError
from prescreen.evals.bank import clinic_cases
from prescreen.monitor.regression import Levelled, render_case, write_case
from prescreen.records.deid import deidentify as pipeline
from prescreen.records.deid.spans import Span
from prescreen.records.record import Record

NUMBER = "0123456789abcdef0123456789abcdef"
TODAY = datetime.date(2026, 11, 26)
LINK = PatientLink(
    family="Halvorsen",
    given="Ingrid Marie",
    identifier="MRN-4471982",
    reference="Patient/88120394",
    birth_date=datetime.date(1961, 4, 3),
)
SAID = Levelled(
    Acuity.EMERGENCY, "heart attack", "Jaw pain with sweat may be the heart and needs an ECG at once.", "Dr Osei"
)
VITALS = Vitals(heart_rate=104, spo2=95, consciousness="alert", pain=0)


def make_case(complaint: str = "my jaw feels odd and I am clammy", **more: Any) -> Case:
    told: dict[str, Any] = {
        "age_years": 65.4,
        "sex": "female",
        "vitals": VITALS,
        "conditions": ("gout",),
        "allergies": (),
        "turns": (
            Turn(speaker="assistant", text="Since when?"),
            Turn(speaker="relative", text="Since breakfast, she is grey"),
        ),
    }
    return Case(id="case", patient_id="p", source="intake", licence="clinic", complaint=complaint, **(told | more))


def write(folder: Path, case: Case, said: Levelled = SAID, link: PatientLink = LINK) -> Case:
    path, case_id = write_case(folder, NUMBER, case, link, said, TODAY)
    (read,) = clinic_cases(folder)
    assert read.id == case_id == "clinic-incident-0123456789ab"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return read


def test_the_contact_comes_back_whole_at_the_clinicians_level(tmp_path: Path) -> None:
    case = make_case(language="de", medications=None)
    read = write(tmp_path / "bank", case)
    same = ("complaint", "turns", "vitals", "conditions", "medications", "allergies", "sex", "language")
    assert {name: getattr(read, name) for name in same} == {name: getattr(case, name) for name in same}
    assert read.age_years == 65.0 and read.licence == "clinic"
    assert read.label is not None and read.label.accepted == (Acuity.EMERGENCY,)
    assert read.label.origin == (
        "clinic bank 1; clinic incident 0123456789ab, read and levelled by Dr Osei, 2026-11-26"
    )


def test_a_range_of_levels_is_kept(tmp_path: Path) -> None:
    read = write(tmp_path, make_case(), SAID._replace(level=Acuity.HIGH, accepted=(Acuity.EMERGENCY,)))
    assert read.label is not None
    assert (read.label.acuity, read.label.accepted) == (Acuity.HIGH, (Acuity.HIGH, Acuity.EMERGENCY))


NAMED = st.sampled_from(
    [
        "Ingrid Halvorsen here, my jaw feels odd",
        "this is ingrid, jaw odd, record MRN-4471982",
        "I was born on 3 April 1961 and my jaw feels odd",
        "call me on +44 20 7946 0018, jaw odd",
        "write to ingrid.h@example.org, jaw odd",
        "Mrs. Halvorsen's jaw feels odd",
    ]
)


@settings(max_examples=40)
@given(st.lists(NAMED, min_size=1, max_size=3), st.sampled_from(["patient", "relative", "nurse"]))
def test_nobody_is_in_it_wherever_they_were_named(said: list[str], speaker: str) -> None:
    turns = tuple(Turn.model_validate({"speaker": speaker, "text": text}) for text in said)
    case = make_case(said[0], turns=turns, history_text=said[-1], conditions=(f"gout, {said[0]}",))
    text = render_case(NUMBER, case, LINK, SAID, TODAY).lower()
    for mark in ("ingrid", "halvorsen", "4471982", "april", "7946", "example.org", "88120394"):
        assert mark not in text
    assert "jaw" in text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"why": "Mrs Halvorsen should have been sent on at once."}, "illness alone"),
        ({"condition": "heart attack of Ingrid"}, "illness alone"),
        ({"why": "Seen on 14 March 2026 with the same."}, "illness alone"),
        ({"why": "short"}, "who says so"),
        ({"by": " "}, "who says so"),
        ({"condition": ""}, "who says so"),
    ],
)
def test_a_clinicians_words_that_name_somebody_are_refused(
    tmp_path: Path, changes: dict[str, str], why: str
) -> None:
    with pytest.raises(RefusedError, match=why) as caught:
        write_case(tmp_path, NUMBER, make_case(), LINK, SAID._replace(**changes), TODAY)
    assert "Halvorsen" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_what_the_last_look_still_finds_is_refused_and_not_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(record: Record, detectors: object = None) -> dict[str, list[Span]]:
        return {place: [] for place in pipeline.list_texts(record)}

    monkeypatch.setattr(pipeline, "find_spans", find_nothing)
    with pytest.raises(RefusedError, match="the scan still found") as caught:
        write_case(tmp_path, NUMBER, make_case("Ingrid Halvorsen, jaw odd"), LINK, SAID, TODAY)
    assert "Ingrid" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_a_case_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path, make_case())
    with pytest.raises(InputError, match="is there already"):
        write_case(tmp_path, NUMBER, make_case("another story"), LINK, SAID, TODAY)


SIGNS = (
    "jaw",
    " odd",
    ": ",
    "'",
    '"',
    " #",
    "- ",
    "? ",
    "|",
    ">",
    "&",
    "*",
    "!",
    "%",
    "@ ",
    "`",
    "\\",
    "{",
    "]",
    ", ",
)
LINES = ("\t", "\n", "\n\n", "\r", "\x85", "\u2028", "\x07", " 痛 ", " ألم ", "  ")
PLAIN = st.lists(st.sampled_from(SIGNS + LINES), max_size=30).map("".join)


@settings(max_examples=60)
@given(PLAIN)
def test_any_signs_survive_the_file(tmp_path_factory: pytest.TempPathFactory, said: str) -> None:
    """Colons, quotes, line ends, other scripts: YAML must not read them as its own."""
    turns = (Turn(speaker="patient", text=said),)
    read = write(tmp_path_factory.mktemp("bank"), make_case(turns=turns), link=PatientLink())
    expected = said.replace("\x85", "\n").replace("\u2028", "\n")
    assert [turn.text for turn in read.turns] == [expected]
