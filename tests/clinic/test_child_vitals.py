"""Danger signs among a child's vital signs depend on the age, and on nothing that was not measured."""

import pytest

from prescreen.clinic.case import Vitals
from prescreen.clinic.child_vitals import count_danger_signs


@pytest.mark.parametrize(
    ("age", "vitals", "signs"),
    [
        (0.3, {"respiratory_rate": 62}, 1),
        (0.3, {"heart_rate": 165}, 0),
        (0.3, {"heart_rate": 176}, 1),
        (2, {"heart_rate": 152, "respiratory_rate": 52}, 2),
        (2, {"heart_rate": 152, "respiratory_rate": 30}, 0),
        (4, {"respiratory_rate": 41}, 1),
        (9, {"heart_rate": 131}, 1),
        (9, {"heart_rate": 55}, 1),
        (14, {"heart_rate": 55}, 0),
        (5, {"spo2": 92}, 1),
        (5, {"spo2": 96, "heart_rate": 110, "respiratory_rate": 22}, 0),
        (5, {}, 0),
        (16, {"heart_rate": 180, "respiratory_rate": 40, "spo2": 80}, 0),
    ],
)
def test_danger_signs_by_age(age: float, vitals: dict[str, float], signs: int) -> None:
    assert count_danger_signs(Vitals.model_validate(vitals), age) == signs
