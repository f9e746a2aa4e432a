"""Cleaning: what hides words goes, what a person wrote stays."""

import pytest

from prescreen.intake.interview import answer, to_case
from prescreen.intake.reading import clean_text
from small_interview import upto


@pytest.mark.parametrize(
    "mark", ["\u202a", "\u202e", "\u2066", "\u2069", "\u200b", "\u00ad", "\ufeff", "\x00", "\x1b", "\x7f"]
)
def test_marks_that_hide_words_are_dropped(mark: str) -> None:
    assert clean_text(f"chest{mark} pain") == "chest pain"
    taken = answer(upto("complaint"), {"complaint": [f"crush{mark}ing chest pa{mark}in"]})
    assert taken.state.urgent and to_case(taken.state).complaint == "crushing chest pain"


def test_everything_else_stays_as_it_was_written() -> None:
    for text in (
        "<b>it hurts</b> & {x} 'q' \"r\"",
        "صداع\u200f شديد",
        "👩‍⚕️ 😭",
        "two\nlines",
        "Ça brûle, ñandú, Füße",
    ):
        assert clean_text(text) == text
    assert clean_text("  a\r\nb\tc \r") == "a\nb c"
