"""The unseen notes keep their level: floors a little under the figures after mending, against decay only.

Each set was scored once, blind, before its misses were read; docs/log.md has those figures, and they, not the
floors, say what to expect of new text. The authors of the fifth to the twelfth saw no detector and no other set.
"""

import pytest

from privacy.unseen.notes import SETS, write_notes
from privacy.unseen.score import score_notes, wilson

FLOORS = {  # recall, leaking notes, precision, terms
    "wordnames": (0.965, 0.12, 0.95, 0.97),
    "fifth": (0.99, 0.04, 0.92, 0.93),
    "sixth": (0.98, 0.13, 0.89, 0.91),
    "seventh": (0.99, 0.04, 0.93, 0.95),
    "eighth": (0.99, 0.05, 0.88, 0.91),
    "ninth": (0.99, 0.05, 0.92, 0.93),
    "tenth": (0.99, 0.05, 0.89, 0.92),
    "eleventh": (0.99, 0.04, 0.91, 0.96),
    "twelfth": (0.99, 0.04, 0.90, 0.95),
}
USUAL = (0.99, 0.04, 0.97, 0.99)


@pytest.mark.parametrize("which", list(SETS))
def test_recall_leaks_precision_and_terms_hold(which: str) -> None:
    score = score_notes(write_notes(5, 240, which))
    recall, leaks, precision, terms = FLOORS.get(which, USUAL)
    assert score.recall >= recall
    assert score.leaking / score.notes <= leaks
    assert score.precision >= precision
    assert score.terms_kept / score.terms >= terms
    assert score.refused <= 3


def test_gold_lies_on_the_identifiers_and_seeds_decide() -> None:
    one, two = (write_notes(9, 60, "first") for _ in range(2))
    assert one == two != write_notes(10, 60, "first")
    assert all(note.text[g.start : g.end].strip() for note in one for g in note.gold)
    assert not any(set(range(a, b)) & set(range(g.start, g.end)) for n in one for a, b in n.terms for g in n.gold)


def test_wilson_knows_its_ends() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(57, 59)
    assert 0.88 < low < 0.89 and 0.99 < high < 1.0
