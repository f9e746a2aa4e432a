"""Named-entity recognisers behind one seam: what is trimmed, what is left alone, what refuses."""

import importlib.util

import pytest

from prescreen.errors import GuardError
from prescreen.records.deid import taggers
from prescreen.records.deid.context import ContextDetector
from prescreen.records.deid.taggers import (
    Entity,
    Tagger,
    clean_entities,
    default_detectors,
    load_presidio,
    load_spacy,
)


def mark(text: str, *marked: tuple[str, str]) -> list[str]:
    """What is left of entities marked in a text."""
    entities = [Entity(text.index(part), text.index(part) + len(part), label) for part, label in marked]
    return [text[span.start : span.end] for span in clean_entities(text, entities)]


@pytest.mark.parametrize(
    ("text", "part", "label", "left"),
    [
        ("Seen by Dr Rowan Tregear today", "Dr Rowan Tregear today", "PERSON", ["Rowan Tregear"]),
        ("wife Oona Tregear rang", "wife Oona Tregear", "PERSON", ["Oona Tregear"]),
        ("known Crohn's disease", "Crohn's", "PERSON", []),
        ("on Tamsulosin and Metformin", "Tamsulosin and Metformin", "PERSON", []),
        ("started Zyvolin 500 mg", "Zyvolin", "PERSON", []),
        ("CT of the chest", "CT", "GPE", []),
        ("moved from Tregarth to Spain", "Tregarth", "GPE", ["Tregarth"]),
        ("moved to Spain", "Spain", "GPE", []),
        ("seen at Tregarth Infirmary", "Tregarth Infirmary", "ORG", ["Tregarth Infirmary"]),
        ("works at Tregarth Brothers", "Tregarth Brothers", "ORG", ["Tregarth Brothers"]),
        ("Tregarth Brothers was on the radio", "Tregarth Brothers", "ORG", []),
        ("pain for 3 days, worse on Monday", "3 days", "DATE", []),
        ("BP 148/92 today", "148/92", "PHONE_NUMBER", []),
        ("ring 07700 900123", "07700 900123", "PHONE_NUMBER", ["07700 900123"]),
    ],
)
def test_entities_are_cut_to_what_identifies(text: str, part: str, label: str, left: list[str]) -> None:
    assert mark(text, (part, label)) == left


def test_a_tagger_carries_its_version_and_finds_through_any_recogniser() -> None:
    tagger = Tagger(lambda text: [Entity(0, 4, "PERSON")], "fake 2.1")
    assert tagger.name == "fake 2.1"
    assert [(s.start, s.end, s.kind, s.layer) for s in tagger.find("Oona rang")] == [(0, 4, "name", "detector")]


def test_missing_packages_are_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taggers, "MODELS", ("no_such_model_package",))
    with pytest.raises(GuardError, match="install"):
        load_spacy()
    with pytest.raises(GuardError, match="install"):
        load_presidio()


def test_the_default_needs_nothing_installed() -> None:
    assert [type(detector) for detector in default_detectors()] == [ContextDetector]
    assert all(detector.name for detector in default_detectors())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("load", [load_spacy, load_presidio])
def test_real_models_find_a_person_and_leave_durations_and_doses(load) -> None:
    package = "spacy" if load is load_spacy else "presidio_analyzer"
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"NOT CHECKED with the real model: {package} is not installed; install prescreen[deid]")
    text = "Pt John Smith, BP 148/92, 3 days of pain, Metformin 500 mg BID, seen in Tulsa."
    tagger = load()
    assert {text[s.start : s.end] for s in tagger.find(text)} == {"John Smith", "Tulsa"}
    assert tagger.name.split()[1][0].isdigit()
