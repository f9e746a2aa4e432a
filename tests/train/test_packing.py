"""Packing: every document once, none cut, rows nearly full."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescreen.errors import GuardError
from prescreen.model.loss import IGNORE
from prescreen.train.packing import PackedRows, build_row, efficiency, pack_units
from prescreen.train.sharing import Document, share_trunks


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
    row = build_row([[a], [b]], [4, 2])
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


def turn(prompt, answer):
    return Document([*prompt, *answer], [*[IGNORE] * len(prompt), *answer])


def test_a_pair_states_its_prompt_once_and_a_dialogue_its_history():
    trunk, chosen, rejected = share_trunks([turn([1, 2, 3], [4, 5]), turn([1, 2, 3], [6])])
    assert (trunk.ids, chosen.ids, rejected.ids) == ([1, 2], [3, 4, 5], [3, 6])
    assert (trunk.continues, chosen.continues, rejected.continues) == (-1, 0, 0)
    row = build_row([unit(4), [trunk, chosen, rejected]])
    assert row["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 4, 2, 3]]
    assert row["parents"].tolist() == [-1, -1, 1, 1]
    alone = turn([1, 2, 3], [4])
    assert share_trunks([alone]) == [alone]
    dialogue = share_trunks([turn([1, 2], [7]), turn([1, 2, 8, 9], [7]), turn([5], [6])])
    assert [d.ids for d in dialogue] == [[1], [2, 7], [2, 8], [9, 7], [5, 6]]
    assert [d.continues for d in dialogue] == [-1, 0, 0, 2, -1]


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=5), st.booleans())
def test_sharing_trunks_loses_nothing(sizes, same_prompt):
    """Each branch read back through its ancestors is the document it was, and trains the same tokens."""
    history, documents = [], []
    for number, (asked, answered) in enumerate(sizes):
        history = history if same_prompt and number else [*history, *range(asked)]
        documents.append(turn(history, [100 + number] * answered))
    shared = share_trunks(documents)

    def read_back(document):
        return [*(read_back(shared[document.continues]) if document.continues >= 0 else []), *document.ids]

    branches = [d for d in shared if d.num_trained]
    assert [read_back(d) for d in branches] == [d.ids for d in documents]
    assert [d.num_trained for d in branches] == [d.num_trained for d in documents]
    assert sum(len(d.ids) for d in shared) <= sum(len(d.ids) for d in documents) + len(shared)
