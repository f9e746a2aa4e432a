"""Serials, plates and record numbers of any shape beside their cue; clinical codes stay; postcodes, dates."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.records.deid.clinical_codes import is_clinical_code
from prescreen.records.deid.patterns import spot_patterns
from prescreen.records.deid.spans import merge_spans


def find(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in merge_spans(spot_patterns(text))]


@pytest.mark.parametrize("change", [str, str.lower], ids=["plain", "lower"])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("home monitor PB6-5023-06: AF burden", "PB6-5023-06"),
        ("Serial: 4471 AB 22", "4471 AB 22"),
        ("the pump (GC2-5153-68) just beeps", "GC2-5153-68"),
        ("TJ4975 is the pump serial", "TJ4975"),
        ("pacemaker model Q7 serial 88K1209", "88K1209"),
        ("grey hatchback 8943 RSY. On scene", "8943 RSY"),
        ("plate TÜ A 2849, somewhere", "TÜ A 2849"),
        ("plate VUF 828 AG. Brace", "VUF 828 AG"),
        ("the white one C 13901 coming", "C 13901"),
        ("hatchback KR B8300. On scene", "KR B8300"),
        ("hatchback 92H-420.12. On scene", "92H-420.12"),
        ("his van, RK07 ZZT, hit a wall", "RK07 ZZT"),
        ("matrícula 4452 KLM", "4452 KLM"),
        ("MRN W-A-3321", "W-A-3321"),
        ("hosp no. 12/AB/3456", "12/AB/3456"),
        ("10452 is her hospital number", "10452"),
        ("historia 44.120-B", "44.120-B"),
        ("the code AB.1234.56", "AB.1234.56"),
        ("IBAN GB12 ABCD 6016 1331 9268 19 thanks", "GB12 ABCD 6016 1331 9268 19"),
        ("live in SW13 2YR", "SW13 2YR"),
        ("post SW1 1HR ok", "SW1 1HR"),
    ],
)
def test_a_code_is_found_whole(text: str, code: str, change: type[str]) -> None:
    assert any(change(code) in found for _, found in find(change(text)))


@pytest.mark.parametrize(
    ("text", "code"), [("to M13 5TH please", "M13 5TH"), ("J4K 2L9", "J4K 2L9"), ("D02 X285", "D02 X285")]
)
def test_a_postcode_in_capitals_is_found(text: str, code: str) -> None:
    assert ("place", code) in find(text)


CLINICAL = [
    "E11.9 and I10",
    "S72.001A today",
    "T2N0M0 tumour, pT3N1Mx",
    "L4-L5 and C6/7",
    "COVID-19 and SARS-CoV-2",
    "HbA1c 48",
    "V1-V6 elevation",
    "FEV1 62%",
    "FEV1/FVC",
    "PM2.5",
    "SpO2 94%",
    "B12 low",
    "insulin pump 100 units",
    "blood group A2B",
    "2x500mg",
    "20mg/5ml",
    "CHA2DS2-VASc 3",
    "G3P2002",
    "CYP2C19",
    "H1N1",
    "BRCA1",
    "PD-L1",
    "a 65-year-old",
    "48-72hrs",
    "Fostair 100/6",
    "the monitor HR 100 BP 120/80",
    "device check 2019",
    "car at 40 mph, HR 120, BP 110/70",
    "bed 12a, room 4B",
    "pump set to 1.25 units/hr",
    "CPAP 10cmH2O",
    "4-0 nylon",
    "12-lead ECG",
    "lot of 2000 steps",
    "co-codamol 30/500",
    "FOLFOX6",
    "Tc-99m scan",
    "PHQ-9 21 GAD-7 14",
    "MRI L5/S1",
    "a car hit him at 30mph, GCS 15, RR 20",
    "stent to LAD 2.5mm",
    "70/30 insulin",
    "ASSESSMENT AND PLAN\n\n1. Chest pain",
    "valve area 0.8cm2",
    "implant removed T10-L2",
    "LDL 140, HDL 40",
    "monitor BP180/95",
    "ref 120/80",
    "in the car since 10am, T 38.5",
    "motorbike 60kph C5-C6 tender",
    "ca19-9 of 40",
    "1g/day",
    "drove in, PSA 14.3 today",
    "b12 5th dose",
    "c5 2hr later",
    "steroid jab 4/7 ago",
]


@pytest.mark.parametrize("change", [str, str.lower], ids=["plain", "lower"])
@pytest.mark.parametrize("text", CLINICAL)
def test_no_clinical_code_is_taken(text: str, change: type[str]) -> None:
    assert find(change(text)) == []


@given(
    st.from_regex(r"[a-z]{2}\d-\d{4}-\d{2}", fullmatch=True)
    | st.from_regex(r"[b-df-hj-np-tv-z]{3}\d{4}[a-z]", fullmatch=True)
)
def test_mixed_tokens_are_no_clinical_codes(token: str) -> None:
    assert not is_clinical_code(token)


@given(st.text("ab0129 -./()\n", max_size=300))
def test_hostile_text_is_searched_in_time(text: str) -> None:
    started = time.monotonic()
    find("serial " + text + " car")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("transport booked for 4/10, driver", "4/10"),
        ("saw Orrick 6/3. Gait", "6/3"),
        ("review 12/2.", "12/2"),
        ("friday 12/2 at nine", "12/2"),
        ("seit 12.3. Husten", "12.3"),
        ("el 12 de marzo", "12 de marzo"),
        ("cita 3/4,", "3/4"),
    ],
)
def test_a_day_and_month_beside_a_booking_is_a_date(text: str, date: str) -> None:
    assert any(kind == "date" and date in found for kind, found in find(text))


@pytest.mark.parametrize(
    "text", ["power 1/5 in the arm", "for 3/7", "started 10/7 ago", "pain 8/10", "gave 1/2 tablet", "24/7"]
)
def test_a_fraction_is_no_date(text: str) -> None:
    assert find(text) == []
