"""The knowledge tables: complete, consistent, and disjoint where train and test must be."""

import re
from collections import Counter

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.config import read_yaml
from prescreen.data.speech import SUBJECT, conjugate, retell
from prescreen.data.tables import FOLDER, load_tables


def test_every_level_has_enough_conditions_and_some_held_out() -> None:
    conditions = load_tables().conditions.values()
    assert len(conditions) >= 72
    for level in Acuity:
        held_out = [c.held_out for c in conditions if c.acuity is level]
        assert len(held_out) >= 18
        assert 0.1 <= sum(held_out) / len(held_out) <= 0.2


def test_condition_names_and_descriptions_are_unique() -> None:
    conditions = load_tables().conditions.values()
    for values in ([c.name for c in conditions], [tuple(sorted(c.keys)) for c in conditions]):
        assert [v for v, n in Counter(values).items() if n > 1] == []


def test_every_condition_names_the_year_or_code_of_its_source() -> None:
    for condition in load_tables().conditions.values():
        assert re.search(r"\d", condition.source), condition.id


def test_symptoms_have_enough_short_wordings_of_their_own() -> None:
    owner: dict[str, str] = {}
    for key, symptom in load_tables().symptoms.items():
        assert len(set(symptom.lay)) >= 6, key
        for lay in symptom.lay:
            assert lay not in owner, f"{lay!r} means both {owner.get(lay)} and {key}"
            assert len(lay.split()) <= 12 and not lay.endswith("."), lay
            owner[lay] = key


def test_relatives_never_speak_in_the_first_person_or_with_a_broken_verb() -> None:
    for symptom in load_tables().symptoms.values():
        for lay in symptom.lay:
            told = retell(lay, "female")
            assert not re.search(r"\b(I|I'm|I've|my|me|myself)\b", told), told
            for match in SUBJECT.finditer(lay):
                past = re.search(r"[^e]eds$|mights|fells|drews|woulds", conjugate(match[2]))
                assert not past or match[2] in ("need", "bleed", "feed"), told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I feel sick to my stomach", "she feels sick to her stomach"),
        ("I'm on blood thinners", "she's on blood thinners"),
        ("I don't want to live any more", "she doesn't want to live any more"),
        ("I passed out", "she passed out"),
        ("I only suck for a minute", "she only sucks for a minute"),
        ("it hurts me to wee", "it hurts her to wee"),
    ],
)
def test_retelling(said: str, told: str) -> None:
    assert retell(said, "female") == told


@pytest.mark.parametrize("name", ["frames", "prose", "general"])
def test_no_sentence_frame_is_in_both_splits(name: str) -> None:
    def sentences(value: object) -> set[str]:
        if isinstance(value, str):
            return {value.strip().lower()} - {""}
        children = value.values() if isinstance(value, dict) else value
        return set().union(*(sentences(child) for child in children))  # type: ignore[union-attr]

    table = read_yaml(FOLDER / f"{name}.yaml")
    train, test = sentences(table["train"]), sentences(table["test"])
    assert len(train) > 30 and len(test) > 20
    assert train & test == set()


def test_train_and_test_frames_offer_the_same_moves() -> None:
    frames = load_tables().frames
    assert frames["train"].keys() == frames["test"].keys()
