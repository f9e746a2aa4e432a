"""The blinded finder is measured against what the record knows; nothing of a text comes out."""

import re
from typing import Any

from prescreen.records.blindfold import count_covered, find_known, measure_blindfold
from prescreen.records.deid.spans import Span
from prescreen.records.record import Identifiers, Record, Source

KNOWN = Identifiers(
    names=("Zbigniew", "Kowalczyk", "Young"), phones=("+44 7700 900431",), numbers=("QX-7741-K",),
    addresses=("nether wexcombe",),
)  # fmt: skip


def make(complaint: str, identifiers: Identifiers = KNOWN, place: int = 1, **values: Any) -> Record:
    source = Source(file="export.csv", place=place, sha256="a" * 64, reader="tables/1")
    return Record(source=source, patient="77", complaint=complaint, identifiers=identifiers, **values)


class Everything:
    """Finds all there is."""

    def find(self, text: str) -> list[Span]:
        return [Span(0, len(text), "name", "detector")]


class Broken:
    """Raises what it read."""

    def find(self, text: str) -> list[Span]:
        raise RuntimeError(text)


def test_each_class_is_counted_found_or_missed() -> None:
    found = measure_blindfold([make("mr Kowalczyk rang from 07700 900431; young is worse, said Kowalcyzk")])
    counts = {recall.kind: (recall.whole.right, recall.whole.n) for recall in found.recalls}
    assert counts["name"] == (1, 1) and counts["phone"] == (1, 1)
    assert counts["name that is a word"] == (0, 1)  # `young` in lower case: only the record tells it is a name
    assert counts["name, other form"][1] == 1  # one typing error
    assert (found.records, found.with_identifiers, found.errored) == (1, 1, 0)


def test_the_patient_is_really_unknown_to_the_blinded_finder() -> None:
    [recall] = measure_blindfold([make("seen at nether wexcombe twice")]).recalls
    assert recall.kind == "place" and recall.whole.n == 1 and recall.characters.right < recall.characters.n
    [recall] = measure_blindfold([make("seen at nether wexcombe twice")], [Everything()]).recalls
    assert recall.whole.right == 1 and recall.characters.right == recall.characters.n == len("netherwexcombe")


def test_records_that_say_nothing_of_their_patient_are_counted_apart() -> None:
    found = measure_blindfold(
        [make("a cough"), make("zbigniew coughs", place=2), make("x", Identifiers(), place=3)]
    )
    assert (found.records, found.with_identifiers) == (3, 1)


def test_a_failing_detector_is_neither_found_nor_missed_and_not_quoted() -> None:
    found = measure_blindfold([make("zbigniew coughs")], [Broken()])
    assert found.errored == 1 and found.recalls == ()


def test_nothing_of_a_text_is_in_the_result() -> None:
    said = measure_blindfold([make("Zbigniew Kowalczyk of nether wexcombe, QX7741K, coughs")]).model_dump_json()
    assert not re.search("zbig|kowal|wexc|7741|cough", said.lower())


def test_an_identifier_counts_once_however_often_it_is_known() -> None:
    [spans] = [s for s in find_known(make("from nether wexcombe")).values() if s]
    assert [(span.start, span.end, kind) for span, kind in spans] == [(5, 20, "place")]


def test_the_sample_is_the_same_in_any_order_and_no_larger_than_asked() -> None:
    records = [make(f"mr Kowalczyk {'young ' * (n % 7)}", place=n) for n in range(1, 40)]
    one, other = measure_blindfold(records, most=11), measure_blindfold(records[::-1], most=11)
    assert one == other and one.records == 11
    assert measure_blindfold(records, most=11, seed=5) != one


def test_covered_counts_letters_and_digits_alone() -> None:
    assert count_covered("ab-12 c", 0, 5, [Span(0, 2, "name", "cue"), Span(4, 7, "name", "cue")]) == (3, 4)
