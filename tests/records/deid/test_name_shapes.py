"""Names, towns, dates and streets told by their shape: what is found, and what looks like it and must stay."""

import pytest

from prescreen.records.deid.dates import find_dates
from prescreen.records.deid.name_shapes import spot_name_shapes
from prescreen.records.deid.patterns import spot_patterns
from prescreen.records.deid.places import grow_addresses
from prescreen.records.deid.spans import Span
from prescreen.records.deid.words import list_words


def shapes(text: str) -> set[str]:
    return {text[span.start : span.end] for span in spot_name_shapes(text, list_words(text))}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chaired by da Silva Prado.", "da Silva Prado"),
        ("seen by van 't Hof, again", "van 't Hof"),
        ("daughter Min-jun gives the pens", "Min-jun"),
        ("scan Purewal_Simran_65.pdf please", "Purewal_Simran_65.pdf"),
        ("dentist in Lake Forest moved", "Lake Forest"),
        ("camping near Trois-Rivières", "Trois-Rivières"),
        ("VIS handed out. Kiri, RN", "Kiri"),
    ],
)
def test_a_name_is_told_by_its_shape(text: str, found: str) -> None:
    assert found in shapes(text)


@pytest.mark.parametrize(
    "text",
    [
        "what do you do for a living",
        "de novo mutation",
        "a follow-up in the car park",
        "pain in new places",
        "de escalation plan",
        "seen, MD",
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert shapes(text) == set()


@pytest.mark.parametrize(("text", "dated"), [
    ("can't do 8/2, moved", True), ("sutures out 4/11.", True), ("power 4/5 both legs", False),
    ("amoxicillin tds 5/7", False), ("va 6/5 right", False), ("open 24/7", False), ("BP 120/80", False),
])  # fmt: skip
def test_more_than_a_whole_is_a_date_and_a_course_is_none(text: str, dated: bool) -> None:
    assert bool(find_dates(text.lower())) is dated


def test_a_house_number_before_a_found_street_belongs_to_it() -> None:
    text = "at 278 Industrivej, took 3 Foley"
    street, name = (Span(text.index(w), text.index(w) + len(w), k, "known")
                    for w, k in (("Industrivej", "place"), ("Foley", "name")))  # fmt: skip
    assert [text[s.start : s.end] for s in grow_addresses(text, [street, name])] == ["278 "]


def test_a_spoken_year_is_no_age() -> None:
    text = "surgery was in nineteen ninety eight. her mother is ninety-four, well"
    ages = {text[s.start : s.end] for s in spot_patterns(text) if s.kind == "age_over_89"}
    assert ages == {"ninety-four"}
