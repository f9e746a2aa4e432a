"""Ages over 89: found in every phrasing, in both letter cases; measurements and counts stay."""

import pytest

from prescreen.records.deid.patterns import spot_patterns


def find_ages(text: str) -> list[str]:
    return [text[span.start : span.end] for span in spot_patterns(text) if span.kind == "age_over_89"]


@pytest.mark.parametrize("change", [str, str.lower], ids=["plain", "lower"])
@pytest.mark.parametrize(
    "text",
    [
        "F/94, own home",
        "M 92, fall",
        "92F with cough",
        "92yo lady",
        "a 92 y.o. man",
        "94/F",
        "male/94",
        "F, 93, from home",
        "96yof",
        "97 yom",
        "F92 ?stroke",
        "F; 94; fall",
        "Bell Ann | 94 | F | fall",
        "Mr Bell - 94 - fell",
        "94 - lives alone",
        "she turns 93 in May",
        "turned 94 on 16/11. Stool",
        "it is her 95th on Sunday",
        "her ninety-fifth birthday",
        "says Orrick, ninety-four now, is off legs",
        "Ann Orrick, a hundred and one, breathing",
        "Smith, Mary (94)",
        "um ninety six yeras of age",
        "I am ninety one next birthday",
        "Dad is ninety-three",
        "ninetyfour year old",
        "ninty-four, deaf",
        "ninety 4 years",
        "about 94ish",
        "pushing a hundred",
        "she's a hundred next month",
        "Residents: Ann Orrick 92, Tom Orrick 96",
        "great aunt lived to 92",
        "died at 97",
        "mother (93)",
        "sister 94, brother 91",
        "nan 94 c/o dizziness",
        "Mrs Orrick 94 fell",
        "resident 96 refusing meds",
        "wife is also 91",
        "at 94 she still drives",
        "not bad for ninety one",
        "despite being ninety five",
        "just gone 94 and",
        "well past ninety",
        "99 not out",
        "tiene noventa y dos anos",
        "mi abuela de 96 anos",
        "cumple 93",
        "quatre-vingt-douze ans",
        "vierundneunzig Jahre",
        "92-jährige",
        "sie wird 95",
        "age= 91",
        "Age\n94",
        "no falls, aged 94",
    ],
)
def test_an_age_over_89_is_found(text: str, change: type[str]) -> None:
    assert find_ages(change(text))


@pytest.mark.parametrize("change", [str, str.lower], ids=["plain", "lower"])
@pytest.mark.parametrize(
    "text",
    [
        "BP 92 over 60",
        "sats 94, RR 20",
        "HR 101, temp 38",
        "glucose 98, well",
        "weight 92 kg",
        "temp 101 F",
        "T 101F",
        "dose 100 mg",
        "room 94",
        "bed 92",
        "at 09:40",
        "pulse 98 (regular)",
        "a hundred times",
        "about a hundred sit ups",
        "ninety percent",
        "ninety nine point seven",
        "two hundred over ninety have you",
        "94% on air",
        "SpO2 of ninety four",
        "i'm 92 kilos",
        "she is 101 over 60",
        "Heart Rate 92, well",
        "peak flow 100, best 400",
        "95th percentile",
        "100 ml",
        "CRP 112, WCC 9",
        "she is 94 on air",
        "Blood Sugar 98, fine",
        "turned 90 degrees",
        "Haemoglobin was 98 last week",
        "sats 98, now 94, then",
        "Sats 94 with oxygen",
        "she is 84 and well",
        "a 65-year-old",
    ],
)
def test_no_measurement_becomes_an_age(text: str, change: type[str]) -> None:
    assert find_ages(change(text)) == []


def test_a_long_text_of_numbers_is_read_in_time() -> None:
    assert len(find_ages("she is 94. " * 2_000)) >= 2_000
