"""Old lessons among the new: so many, the same ones each time, and emergencies before others."""

import json

from hypothesis import given
from hypothesis import strategies as st

from prescreen.data.records import Pair, Row
from prescreen.monitor.feedback.replay import draw_share, is_urgent

LEVELS = ("low", "medium", "high", "emergency")


def make_row(number: int, level: str, *, whole: bool) -> Row:
    answer = json.dumps({"acuity": level, "summary": "an emergency room visit"}, separators=(",", ":"))
    messages = (
        {"role": "user", "content": "emergency"},
        {"role": "assistant", "content": answer if whole else level},
    )
    return Row(f"r{number}", f"c{number}", f"p{number}", "report", "synthetic", "own", messages)  # type: ignore[arg-type]


def make_pair(number: int, level: str) -> Pair:
    return Pair(
        f"q{number}", f"c{number}", f"p{number}", "report", "synthetic", "own", "walk_back", level, (), (), ()
    )


OLD = [make_row(number, LEVELS[number % 4], whole=number % 8 < 4) for number in range(400)]


@given(st.integers(0, 300), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_the_share_is_of_all_and_never_more_than_there_is(new: int, share: float) -> None:
    drawn = draw_share(OLD, new, share)
    wanted = len(OLD) if share == 1.0 else round(new * share / (1 - share))
    assert len(drawn) == min(wanted, len(OLD)) == len({row.id for row in drawn})
    assert drawn == draw_share(OLD[::-1], new, share), "whatever the order of the file"


def test_emergencies_are_replayed_before_others() -> None:
    drawn = draw_share(OLD, 100, 0.5)
    urgent = sum(map(is_urgent, drawn))
    assert 27 <= urgent <= 45, "a quarter of the old, half as likely again"
    pairs = draw_share([make_pair(number, LEVELS[number % 4]) for number in range(400)], 100, 0.5)
    assert 27 <= sum(map(is_urgent, pairs)) <= 45


def test_a_lesson_is_of_the_level_it_teaches() -> None:
    for level in LEVELS:
        for whole in (True, False):
            assert is_urgent(make_row(0, level, whole=whole)) == (level == "emergency")
        assert is_urgent(make_pair(0, level)) == (level == "emergency")
