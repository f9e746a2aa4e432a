"""Particles, double names, short surnames, names and towns that are words; each rule both ways."""

import pytest

from prescreen.records.deid.deidentify import find_spans
from prescreen.records.deid.pet_forms import list_pet_forms
from prescreen.records.deid.wordcues import is_foreign
from prescreen.records.record import Identifiers, Record, Source

SOURCE = Source(file="export.ndjson", place=7, sha256="a" * 64, reader="fhir/1")


def find(text: str, *names: str) -> set[str]:
    record = Record(source=SOURCE, patient="4471", complaint=text, identifiers=Identifiers(names=names))
    spans = find_spans(record, ())["complaint"]
    covered = {i for span in spans for i in range(span.start, span.end)}
    out, word = set(), ""
    for i, letter in enumerate([*text, " "]):
        if i in covered and letter.isalpha():
            word += letter
        else:
            out |= {word} if word else set()
            word = ""
    return out


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("seen by Dr Al-Tikriti.", {"Al", "Tikriti"}),
        ("i work at al-masri's", {"al", "masri"}),
        ("Dear Dr De la Fuente,", {"De", "la", "Fuente"}),
        ("solicitors carrasco & de la fuente", {"de", "la", "fuente"}),
        ("manager Hartmut von der Heide rang", {"von", "der", "Heide"}),
        ("GP letter to Dr St. Clair.", {"St", "Clair"}),
        ("dr ní bhriain", {"ní", "bhriain"}),
        ("Mohammed bin Rashid rang", {"bin", "Rashid"}),
        ("pieter van den berg fell", {"van", "den", "berg"}),
        ("Maria dos Santos e Silva", {"dos", "e", "Silva"}),
        ("sean o brien rang", {"o", "brien"}),
        ("Nguyen Van An has a cough", {"Van", "An"}),
        ("the girl at Jean-Guy's house", {"Jean", "Guy"}),
        ("M.M. Kowalski rang", {"M", "Kowalski"}),
        ("op by miss sun on Friday", {"sun"}),
        ("kind regards doctor xu", {"xu"}),
        ("Dr S Long, Dr P. K. Orrick", {"Long", "Orrick"}),
        ("son precious collecting", {"precious"}),
        ("MY FRIEND HOPE SWEARS BY IT", {"HOPE"}),
        ("works at koroma's garage", {"koroma"}),
        ("hauls for drew freight", {"drew"}),
        ("at home with ella mae, no stairs", {"ella", "mae"}),
        ("consultant miss võ. fine", {"võ"}),
        ("pt şebnem rang", {"şebnem"}),
        ("playing for barrow-in-furness rfc", {"barrow", "in", "furness"}),
        ("past Ashby-de-la-Zouch", {"Ashby", "de", "la", "Zouch"}),
        ("moved from al ain", {"al", "ain"}),
        ("goes to mar del plata nursery", {"mar", "del", "plata"}),
        ("attends reading high school", {"reading"}),
        ("somewhere past reading.", {"reading"}),
    ],
)
def test_the_whole_name_is_found(text: str, parts: set[str]) -> None:
    assert parts <= find(text)


@pytest.mark.parametrize(
    "text",
    [
        "face-to-face, step-by-step",
        "hand-in-hand",
        "chance of rain",
        "a blessing in disguise",
        "reading glasses",
        "she likes reading.",
        "problems with reading, and hearing",
        "the sun hurts her eyes",
        "power over the long term",
        "Wells score 3",
        "Doctor: I guess so",
        "Doctor: Well, it is fine",
        "Shall I just start again",
        "back to normal",
        "skin around normal",
        "who brought her to this house",
        "one of those non-toxic nursery ones",
        "between eight and ten. Shall we",
        "type-2 diabetes",
        "a precious moment",
        "hope it helps",
    ],
)
def test_a_plain_word_stays(text: str) -> None:
    assert find(text) == set()


def test_a_glue_word_beside_an_address_stays() -> None:
    assert "of" not in find("Hi, this is Anna Bell of 12 Xway Lane, M7000001. I have a rash")


@pytest.mark.parametrize(
    ("text", "names", "parts"),
    [
        ("my name is long", ("Ana", "Long"), {"long"}),
        ("ana lnog again", ("Ana", "Long"), {"ana", "lnog"}),
        ("ask mr may about it", ("Tom", "May"), {"may"}),
        ("steph has a cough", ("Stephanie",), {"steph"}),
        ("Billy has a cough", ("William",), {"Billy"}),
        ("J.J. seen in resus", ("Jadwiga", "Jabłońska"), {"J"}),
        ("sun has a cough", ("Wai", "Sun"), {"sun"}),
        ("im Jeans mum", ("Jean", "Orrick"), {"Jeans"}),
    ],
)
def test_a_known_name_that_is_a_word_is_found(text: str, names: tuple[str, ...], parts: set[str]) -> None:
    assert parts <= find(text, *names)


def test_a_name_that_is_a_word_is_found_again_in_capitals_only() -> None:
    text = "Seen with Mr Stone. Later Stone rang about a kidney stone."
    record = Record(source=SOURCE, patient="4471", complaint=text, identifiers=Identifiers())
    found = [text[span.start : span.end] for span in find_spans(record, ())["complaint"]]
    assert found.count("Stone") == 2 and "stone" not in found


def test_a_common_word_stays_although_it_is_the_patients_name() -> None:
    assert find("it may take a long time", "Tom", "May", "Long") == set()


def test_pet_forms_and_foreign_letters() -> None:
    assert {"steph", "stephy"} <= list_pet_forms("stephanie") and "bill" in list_pet_forms("william")
    assert not list_pet_forms("ann") & {"ann", "an", "a"}
    assert is_foreign("Żuraw") and not is_foreign("naïve") and not is_foreign("µg") and not is_foreign("rash")
