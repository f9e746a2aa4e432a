"""Shared beginnings stand once in a row, and nothing else changes: documents, losses, gradients, pairs."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.model.loss import IGNORE
from prescreen.train.objectives import count_tokens, cross_entropy, document_logprobs
from prescreen.train.packing import PackedRows, build_row
from prescreen.train.sharing import LEAST_TOKENS, Document, share_prefixes, share_trunks
from prescreen.train.trainer import use_packed_attention

SYSTEM = list(range(3, 3 + LEAST_TOKENS))
TASKS = [[50 + task, *range(100, 100 + LEAST_TOKENS)] for task in range(3)]


def dialogue(rng, task):
    """A prompt that opens with the system block and a task, and an answer."""
    case = [rng.randrange(200, 260) for _ in range(rng.randint(1, 9))]
    answer = [rng.randrange(200, 260) for _ in range(rng.randint(1, 6))]
    prompt = [*SYSTEM, *TASKS[task], *case]
    return Document(prompt + answer, [IGNORE] * len(prompt) + answer)


def make_units(seed, count):
    """Single dialogues, pairs on one prompt, and texts that share nothing."""
    rng = random.Random(seed)
    units = []
    for _ in range(count):
        document = dialogue(rng, rng.randrange(3))
        kind = rng.random()
        if kind < 0.2:
            ids = [rng.randrange(200, 260) for _ in range(5)]
            units.append([Document(ids, ids)])
        elif kind < 0.5:
            other = Document([*document.ids, 7], [*document.labels, 7])
            units.append(share_trunks([document, other]))
        else:
            units.append([document])
    return units


def read_row(row):
    """Every trained document of a row as it reads through its ancestors, with its labels' count."""
    pieces = row["input_ids"][0].split(row["documents"].tolist())
    targets = row["targets"][0].split(row["documents"].tolist())
    parents = row["parents"].tolist()

    def whole(number):
        before = whole(parents[number]) if parents[number] >= 0 else []
        return [*before, *pieces[number].tolist()]

    trained = [int((t != IGNORE).sum()) for t in targets]
    return [(whole(n), trained[n]) for n in range(len(pieces)) if trained[n]]


@given(st.integers(0, 500), st.integers(1, 40), st.integers(80, 400))
@settings(max_examples=60, deadline=None)
def test_every_document_reads_as_before(seed, count, budget):
    units = make_units(seed, count)
    rows = PackedRows(units, budget, 1, seed)
    for number in range(len(rows)):
        row = rows[number]
        assert row["input_ids"].numel() <= budget
        assert read_row(row) == read_row(build_row([units[i] for i in rows.rows[number]]))


def test_what_many_share_is_stated_once_and_what_few_share_is_not():
    rng = random.Random(1)
    units = [[dialogue(rng, 0 if n > 2 else 1)] for n in range(60)]
    shared = share_prefixes(units, 300)
    assert shared.trunks[0].ids == SYSTEM
    assert [t.continues for t in shared.trunks] == [-1, 0]
    assert shared.under == [0] * 3 + [1] * 57, "three rows of task 1 share the system block alone"
    row = PackedRows(units, 300, 1, 0)[0]
    assert row["input_ids"].numel() < 0.6 * sum(len(ids) for ids, _ in read_row(row))


def test_nothing_is_shared_where_the_longest_unit_would_lose_its_place():
    rng = random.Random(2)
    units = [[dialogue(rng, 0)] for _ in range(40)]
    units.append([Document(list(range(390)), list(range(390)))])
    assert share_prefixes(units, 400).trunks == []
    assert max(PackedRows(units, 400, 1, 0)[0]["documents"]) <= 400


def test_losses_gradients_and_pairs_are_what_they_were(small_model):
    """fp32, within 1e-5; the window of 16 is shorter than the shared beginning."""
    use_packed_attention(small_model)
    units = make_units(5, 12)
    rows = PackedRows(units, 2000, 1, 0)
    assert len(rows) == 1 and rows.prefixes.trunks
    found = []
    for row in (rows[0], build_row([units[i] for i in rows.rows[0]])):
        small_model.zero_grad()
        loss = cross_entropy(small_model, row) / count_tokens(row)
        loss.backward()
        gradients = [p.grad.clone() for p in small_model.parameters()]
        found.append((loss.detach(), document_logprobs(small_model, row).detach(), gradients))
    (loss, scores, gradients), (loss_before, scores_before, gradients_before) = found
    assert loss.item() == pytest.approx(loss_before.item(), abs=1e-5)
    assert torch.allclose(scores, scores_before, atol=1e-4)
    for ours, theirs in zip(gradients, gradients_before, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
