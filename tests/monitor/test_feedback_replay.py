"""Old lessons among the new: so many, and the same ones each time."""

from hypothesis import given
from hypothesis import strategies as st

from prescreen.data.records import Row
from prescreen.monitor.feedback.replay import draw_share

OLD = [Row(f"r{n}", f"c{n}", f"p{n}", "priority", "synthetic", "own", ()) for n in range(400)]


@given(st.integers(0, 300), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_the_share_is_of_all_and_never_more_than_there_is(new: int, share: float) -> None:
    drawn = draw_share(OLD, new, share)
    wanted = len(OLD) if share == 1.0 else round(new * share / (1 - share))
    assert len(drawn) == min(wanted, len(OLD)) == len({row.id for row in drawn})
    assert drawn == draw_share(OLD[::-1], new, share), "whatever the order of the file"
