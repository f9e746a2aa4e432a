"""Names that are words, bare ages and grown addresses: found by what stands around them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.records.deid.ages import spot_bare_ages
from prescreen.records.deid.context import TABLE, ContextDetector, load_table
from prescreen.records.deid.places import grow_addresses
from prescreen.records.deid.spans import Span, fold


def found(text: str) -> set[str]:
    return {text[span.start : span.end] for span in ContextDetector().find(text)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("its summer again, the rash i called about is worse", {"summer"}),
        ("please tell storm that my results are back", {"storm"}),
        ("me and misty both ate the prawns", {"misty"}),
        ("discussed with Patience and Clay, both agree", {"Patience", "Clay"}),
    ],
)
def test_a_word_among_a_names_neighbours_is_one(text: str, names: set[str]) -> None:
    assert names <= found(text)


@pytest.mark.parametrize(
    "text",
    [
        "last summer the rash came whenever i was in the sun",
        "kidney stone on the left, pain comes in waves",
        "the storm kept me awake and my vision is misty",
        "i have no patience left with this pain",
        "Chest pain, short of breath, pale and clammy since the storm",
        "Pt states summer is the worst season for her hay fever",
    ],
)
def test_the_same_word_in_its_own_sense_stays(text: str) -> None:
    assert found(text) == set()


def test_the_word_itself_weighs_nothing() -> None:
    names = ("clay", "misty", "savage")  # frequent names and words: only their neighbours are read
    assert len({bool(found(f"please tell {name} that my results are back")) for name in names}) == 1


def test_the_table_is_sorted_and_names_no_slot() -> None:
    features = list(json.loads(TABLE.read_text(encoding="utf-8"))["features"])
    assert features == sorted(features)
    assert ContextDetector().name == f"context {load_table().version}"


@given(st.text(max_size=200))
def test_spans_lie_in_any_text(text: str) -> None:
    assert all(0 <= span.start < span.end <= len(text) for span in ContextDetector().find(text))
    assert all(0 <= span.start < span.end <= len(text) for span in spot_bare_ages(fold(text)))


@pytest.mark.parametrize(
    ("text", "ages"),
    [
        ("pt 94, lives alone", {"94"}),
        ("a retired joiner of 97 whose knees hurt", {"97"}),
        ("hes 101 and still drives", {"101"}),
        ("gran is ninety-three and frail", {"ninety-three"}),
        ("pt sats 94, on air", set()),
        ("she says her pulse was 96 and then 110", set()),
        ("pressure 168 over 98, she feels fine", set()),
        ("she weighs 95 kg, she is small", set()),
        ("my mum had surgery in ninety two, she was well", set()),
        ("she rang 111 and they said wait", set()),
        ("he did 100 sit-ups for a bet", set()),
        ("haemoglobin was 98 last week, she is pale", set()),
    ],
)
def test_a_bare_number_is_an_age_only_where_nothing_is_measured(text: str, ages: set[str]) -> None:
    assert {text[span.start : span.end] for span in spot_bare_ages(fold(text))} == ages


def test_house_number_and_postcode_between_found_names_are_taken() -> None:
    text = "sent to Tregstrasse 62, Ytonne 8362 for review of 3 wounds"
    spans = [
        Span(8, text.index(" 62"), "name", "vocabulary"),
        Span(text.index("Ytonne"), text.index(" 8362"), "name", "vocabulary"),
    ]
    taken = {text[span.start : span.end].strip(" ,") for span in grow_addresses(text, spans)}
    assert taken == {"62", "8362"}
    dose = "on Zyvolin 5, Tregar 20 mg"
    assert not any("20" in dose[s.start : s.end] for s in grow_addresses(dose, [
        Span(3, 10, "name", "vocabulary"), Span(14, 20, "name", "vocabulary")]))  # fmt: skip
