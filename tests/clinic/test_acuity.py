"""Four ordered levels and the tables to other scales."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity, load_scales, read_level, seed_priority
from prescreen.errors import InputError

LEVELS = st.sampled_from(Acuity)


def test_order() -> None:
    assert list(Acuity) == sorted(Acuity) == [Acuity.LOW, Acuity.MEDIUM, Acuity.HIGH, Acuity.EMERGENCY]


@given(LEVELS, LEVELS, LEVELS)
def test_order_is_total_and_max_is_a_floor(a: Acuity, b: Acuity, c: Acuity) -> None:
    assert (a < b) + (a == b) + (a > b) == 1
    assert not (a <= b <= c) or a <= c
    assert max(a, b) >= a and max(a, b) in (a, b)


@pytest.mark.parametrize("scale", ["esi", "mts_category", "ktas", "ctas"])
def test_numbered_scales_fall_with_the_number(scale: str) -> None:
    levels = [read_level(number, scale).acuity for number in range(1, 6)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] is levels[1] is Acuity.EMERGENCY and levels[4] is Acuity.LOW


def test_labels_are_read_loosely_and_unknown_ones_refused() -> None:
    assert read_level(" Red ", "mts").acuity is Acuity.EMERGENCY
    assert read_level("3.0", "esi").acuity is Acuity.HIGH
    with pytest.raises(InputError, match="unknown priority 'purple'; mts takes red"):
        read_level("purple", "mts")
    with pytest.raises(InputError, match="unknown triage scale"):
        read_level("1", "nhs")


@given(LEVELS)
def test_own_words_and_the_seeds_tag_come_back(level: Acuity) -> None:
    assert read_level(level.value).acuity is level
    assert level in read_level(seed_priority(level), "seed").accepted


def test_every_table_entry_is_its_first_accepted() -> None:
    for labels in load_scales().values():
        for level in labels.values():
            assert level.acuity is level.accepted[0]


def test_a_clinics_own_table(tmp_path: Path) -> None:
    table = tmp_path / "scales.yaml"
    table.write_text("house: {now: emergency, later: [low, medium]}\n")
    assert read_level("Later", "house", table).accepted == (Acuity.LOW, Acuity.MEDIUM)
