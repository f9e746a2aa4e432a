"""Packing: every document once, none cut, rows nearly full."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.errors import GuardError
from prescreen.model.loss import IGNORE
from prescreen.train.packing import Document, PackedRows, build_row, efficiency, pack_units


def unit(*lengths):
    return [Document([1] * n, [1] * n) for n in lengths]


@given(st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=2), max_size=60), st.integers(0, 5))
def test_every_unit_once_within_budget(sizes, seed):
    units = [unit(*s) for s in sizes]
    rows = pack_units(units, 100, seed)
    assert sorted(i for row in rows for i in row) == list(range(len(units)))
    assert all(sum(len(d.ids) for i in row for d in units[i]) <= 100 for row in rows)


def test_dialogue_lengths_fill_rows():
    rng = random.Random(0)
    units = [unit(min(4096, int(rng.lognormvariate(6.1, 0.6)))) for _ in range(2000)]
    assert efficiency(pack_units(units, 8192, 0), units, 8192) >= 0.97


def test_order_depends_on_the_seed_alone():
    units = [unit(n % 40 + 1) for n in range(200)]
    assert pack_units(units, 64, 1) == pack_units(units, 64, 1)
    assert pack_units(units, 64, 1) != pack_units(units, 64, 2)


def test_a_document_over_the_budget_is_refused():
    with pytest.raises(GuardError, match="tokens_per_row"):
        pack_units([unit(101)], 100, 0)


def test_row_targets_stay_inside_documents():
    a = Document([5, 6, 7], [IGNORE, 6, 7])
    b = Document([8, 9], [IGNORE, 9])
    row = build_row([a, b], [4, 2])
    assert row["targets"].tolist() == [[6, 7, IGNORE, 9, IGNORE]]
    assert row["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert row["documents"].tolist() == [3, 2] and row["units"].tolist() == [4, 2]


def test_epochs_are_repacked():
    rows = PackedRows([unit(n % 30 + 1) for n in range(90)], 64, 3, 0)
    third = len(rows) // 3
    assert rows.rows[:third] != rows.rows[third : 2 * third]


def test_masks_and_ids_must_agree():
    with pytest.raises(GuardError):
        Document([1, 2], [1])
