"""NEWS2 as published: every boundary of the RCP 2017 chart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.case import Vitals
from prescreen.clinic.news2 import score_news2


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("respiratory_rate", {8: 3, 9: 1, 11: 1, 12: 0, 20: 0, 21: 2, 24: 2, 25: 3}),
        ("spo2", {91: 3, 92: 2, 93: 2, 94: 1, 95: 1, 96: 0, 100: 0}),
        ("systolic", {90: 3, 91: 2, 100: 2, 101: 1, 110: 1, 111: 0, 219: 0, 220: 3}),
        ("heart_rate", {40: 3, 41: 1, 50: 1, 51: 0, 90: 0, 91: 1, 110: 1, 111: 2, 130: 2, 131: 3}),
        ("temperature", {35.0: 3, 35.1: 1, 36.0: 1, 36.1: 0, 38.0: 0, 38.1: 1, 39.0: 1, 39.1: 2}),
        ("consciousness", {"alert": 0, "confused": 3, "voice": 3, "pain": 3, "unresponsive": 3}),
    ],
)
def test_boundaries(name: str, points: dict) -> None:
    for value, expected in points.items():
        scored = score_news2(Vitals.model_validate({name: value}))
        assert scored is not None and scored.score == scored.highest == expected, (name, value)
        assert len(scored.missing) == 5 and name not in scored.missing


def test_whole_score_and_oxygen() -> None:
    vitals = Vitals(
        respiratory_rate=22,
        spo2=94,
        systolic=98,
        heart_rate=112,
        temperature=38.4,
        consciousness="alert",
        pain=9,
    )
    assert score_news2(vitals) == (2 + 1 + 2 + 2 + 1 + 0, 2, ())
    assert score_news2(vitals, on_oxygen=True).score == 10  # type: ignore[union-attr]


def test_nothing_measured_is_no_score() -> None:
    assert score_news2(Vitals()) is None
    assert score_news2(Vitals(pain=10, diastolic=80)) is None


@given(
    st.builds(
        Vitals,
        heart_rate=st.none() | st.floats(0, 300),
        respiratory_rate=st.none() | st.floats(0, 90),
        systolic=st.none() | st.floats(0, 300),
        temperature=st.none() | st.floats(20, 45),
        spo2=st.none() | st.floats(0, 100),
    )
)
def test_measuring_more_never_lowers(vitals: Vitals) -> None:
    scored = score_news2(vitals)
    more = score_news2(vitals.model_copy(update={"consciousness": "confused"}))
    assert more is not None and more.score == (scored.score if scored else 0) + 3
    assert 0 <= more.score <= 20
