"""Parts of a batch: nobody stands in two, and what is held out is later than all that is learned."""

import datetime
import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.corrections import MONDAY, draw_cases, make_reviewed
from prescreen.monitor.feedback.parts import divide, find_cut
from prescreen.monitor.feedback.settings import Parts

((CASE, RULES),) = draw_cases(5, 1)
ONE = make_reviewed(CASE, RULES, 0, random.Random(0))
VISITS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60 * 24)), min_size=1, max_size=60)


def visit(number: int, patient: int, hours: int):
    at = MONDAY + datetime.timedelta(hours=hours)
    return replace(ONE, code=f"c{number}", patient=f"p{patient}", at=at)


@given(VISITS, st.floats(0, 1), st.floats(0, 1))
def test_no_patient_and_no_day_in_two_parts(visits: list[tuple[int, int]], held: float, valid: float) -> None:
    batch = [visit(n, *told) for n, told in enumerate(visits)]
    parts = divide(batch, Parts(held_weeks=held, valid_share=valid))
    learned = [*parts.train, *parts.valid]
    assert {one.code for one in (*learned, *parts.test, *parts.between)} == {one.code for one in batch}
    assert not {one.patient for one in parts.train} & {one.patient for one in parts.valid}
    assert not {one.patient for one in learned} & {one.patient for one in parts.test}
    if learned and parts.test:
        assert max(one.at for one in learned).date() < min(one.at for one in parts.test).date()
    assert {one.patient for one in parts.between} <= {one.patient for one in batch if one.at < parts.cut}


def test_a_patient_met_before_the_batch_is_never_held_out() -> None:
    batch = [visit(n, n, 24 * n) for n in range(20)]
    before = {"p19": MONDAY - datetime.timedelta(days=90)}
    assert "p19" in {one.patient for one in divide(batch, Parts()).test}
    parts = divide(batch, Parts(), before)
    assert "p19" not in {one.patient for one in parts.test}
    assert "p19" in {one.patient for one in parts.between}


def test_about_the_share_is_held_out_and_none_where_none_is_wanted() -> None:
    batch = [visit(n, n, 24 * n) for n in range(40)]
    assert len(divide(batch, Parts(held_weeks=0.25)).test) == 10
    assert divide(batch, Parts(held_weeks=0)).test == []
    assert divide([], Parts()).train == []
    assert find_cut([], 0.3).year == 9999
