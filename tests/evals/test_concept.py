"""Which phrases name the same thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.evals.concept import is_quoted, is_same


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Chest pain", "crushing pain in the chest"),
        ("type 2 diabetes", "diabetes type 2"),
        ("hypertension", "essential hypertension"),
        ("rigors", "rigor"),
        ("no chest pain", "denies chest pain"),
    ],
)
def test_same(first: str, second: str) -> None:
    assert is_same(first, second) and is_same(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("chest pain", "no chest pain"),
        ("pain", "chest pain"),
        ("chest pain", "abdominal pain"),
        ("fever", "fracture"),
        ("", "fever"),
    ],
)
def test_different(first: str, second: str) -> None:
    assert not is_same(first, second) and not is_same(second, first)


@given(st.text(alphabet="abcdefg ", max_size=30), st.text(alphabet="abcdefg ", max_size=30))
def test_order_of_arguments_does_not_matter(first: str, second: str) -> None:
    assert is_same(first, second) == is_same(second, first)


def test_quotes_ignore_line_breaks_and_case_only() -> None:
    assert is_quoted("My elbow\n itches", "Well, my elbow itches a lot")
    assert not is_quoted("my elbow aches", "my elbow itches")
    assert not is_quoted("  ", "anything")
