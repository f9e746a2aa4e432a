"""What is planted stands where it is said to stand, is nobody's of the record, and is counted by class."""

from random import Random
from typing import Any

import pytest

from prescreen.records.deid.patterns import is_card_number, is_dni, is_iban, is_nhs_number
from prescreen.records.deid.replace import load_pools
from prescreen.records.deid.spans import Span, fold
from prescreen.records.invented import INVENT, card_number, dni, iban, invent_word, luhn_digit, nhs_number, vin
from prescreen.records.planted import CLASSES, _load, list_hosts, measure_planted, plant
from prescreen.records.record import Identifiers, Record, Source
from prescreen.records.share import Recall, Share


def make(complaint: str = "cough. worse at night", place: int = 1, **values: Any) -> Record:
    source = Source(file="export.csv", place=place, sha256="a" * 64, reader="tables/1")
    return Record(source=source, patient="77", complaint=complaint, **values)


class Everything:
    """Finds all there is."""

    def find(self, text: str) -> list[Span]:
        return [Span(0, len(text), "name", "detector")]


class Broken:
    """Raises what it read."""

    def find(self, text: str) -> list[Span]:
        raise RuntimeError(text)


@pytest.mark.parametrize("kind", CLASSES)
def test_what_is_planted_stands_where_it_is_said_to(kind: str) -> None:
    rng, text = Random(kind), "cough. worse at night! none before"
    for _ in range(60):
        record = make(language=rng.choice(["en", "de-AT", "es", "fr", "pl", ""]))
        planting = plant(text, kind, record, rng)
        value = planting.text[planting.start : planting.end]
        assert value == value.strip() and any(c.isalnum() for c in value)
        before, after = planting.text[: planting.start], planting.text[planting.end :]
        assert not before[-1:].isalnum() and (not after[:1].isalnum() or kind == "age over 89")  # 94yo
        assert "".join(text.split()) in "".join(planting.text.split()) or planting.text.count("cough") == 1
        assert {"lower case": str.lower, "capitals": str.upper}.get(planting.case, str)(value) == value


def test_numbers_carry_right_check_digits() -> None:
    rng = Random(1)
    for _ in range(200):
        assert is_nhs_number(nhs_number(rng)) and is_card_number(card_number(rng)) and is_iban(iban(rng).lower())
        assert is_dni(dni(rng).lower())
        assert len(vin(rng)) == 17
    assert luhn_digit("7992739871") == "3"  # the textbook's example
    assert len({invent_word(rng) for _ in range(300)}) > 290


def test_no_planted_name_is_a_substitute_of_ours() -> None:
    pools = load_pools()
    ours = {fold(name) for name in (*pools.first, *pools.family, *pools.town)}
    assert not ours & {fold(name) for name in f"{_load()['given']} {_load()['family']}".split()}


def test_every_class_has_phrases_and_is_measured_as_often_as_asked() -> None:
    found = measure_planted([make(), make("", place=2)], [Everything()], per_class=3)
    assert [recall.kind for recall in found.recalls] == sorted(CLASSES)
    assert all(recall.whole == Share(right=3, n=3) for recall in found.recalls)
    assert found.records == 1 and found.weak == []
    assert sum(recall.whole.n for recall in found.by_style) == 3 * len(CLASSES)
    assert set(_load()["carriers"]["en"]) == {"name", *INVENT}


def test_a_blind_search_finds_less_and_says_which_classes_are_weak() -> None:
    found = measure_planted([make()], per_class=25)
    recalls = {recall.kind: recall for recall in found.recalls}
    assert recalls["email"].whole.right == 25
    assert set(found.weak) == {kind for kind, recall in recalls.items() if recall.whole.right < 25}
    assert recalls["common name"].whole.right < 25  # with these very names; the detectors are not perfect
    assert measure_planted([make()], per_class=25) == found != measure_planted([make()], per_class=25, seed=1)


def test_the_record_own_name_is_never_planted() -> None:
    every = tuple(_load()["given"].split())[:-1]
    record, rng = make(identifiers=Identifiers(names=every)), Random(3)
    left = fold(_load()["given"].split()[-1])
    for _ in range(40):
        planting = plant("cough", "common name", record, rng)
        words = set(fold(planting.text[planting.start : planting.end]).replace(",", "").split())
        assert not words & {fold(name) for name in every} and (left in words or len(words) == 1)


def test_failures_and_missing_texts_claim_nothing() -> None:
    found = measure_planted([make()], [Broken()], per_class=2)
    assert found.errored == 2 * len(CLASSES) and found.recalls == ()
    assert measure_planted([make(" ")], per_class=2).recalls == () and list_hosts(make(" ")) == []


def test_verdicts_need_enough_cases() -> None:
    def say(right: int, n: int) -> str:
        return Recall(kind="x", whole=Share(right=right, n=n)).verdict

    assert [say(0, 0), say(98, 100), say(99, 100), say(379, 379), say(400, 400)] == [
        "not measured", "weak", "too few to say", "too few to say", "reached",
    ]  # fmt: skip
    low, high = Share(right=8, n=10).wilson()
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)  # Wilson 1927, worked by hand
