"""Two processes under torchrun train what one does, each holding half, and either number resumes the other's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prescreen.errors import GuardError
from prescreen.model.weights import load_model, save_model
from prescreen.run import Run, read_jsonl
from prescreen.train import ranks
from prescreen.train.division import BLANK, blank_row, deal_rows, rows_each
from prescreen.train.objectives import count_pairs, count_tokens
from small_ranks import KILLED_AT, KINDS, Interrupted, carry_out, make_recipe, train_all
from small_runs import SMALL, DataRecipe, supervise, write_data

TESTS = Path(__file__).parents[1]


@pytest.fixture
def runs(tmp_path):
    """All stages in one process; then in two, started once; each number of processes ends what the other began."""
    folder = write_data(tmp_path / "01-data").folder.parent
    carry_out(folder, "02-base", supervise("pretrain", "cpt", twin=SMALL, method="full"))
    base = load_model(folder / "02-base")
    save_model(base.model, base.tokenizer, folder / "packed", "mxfp4")
    found = {"one": train_all(folder, "one")}
    with pytest.raises(Interrupted):
        carry_out(folder, "one-then-two", make_recipe("full", folder), stop=KILLED_AT)
    done = start_two(TESTS / "small_ranks.py", folder)
    assert "Signal 9" in done.stderr, done.stderr[-3000:]
    found["two"] = [json.loads((folder / f"found-{number}.json").read_text()) for number in (0, 1)]
    found["left"] = sorted(path.name for path in (folder / "two-then-one" / "checkpoints").iterdir())
    carry_out(folder, "two-then-one", make_recipe("full", folder))
    return folder, found


def start_two(*arguments):
    """Two processes as a user starts them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = os.pathsep.join([str(TESTS), *(path for path in sys.path if path)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    return subprocess.run(
        [*command, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False, timeout=250
    )


def read_log(folder):
    """Losses, held-out losses and lengths of gradients, which Adam would not show, step by step."""
    return [
        (row["step"], key, row[key])
        for row in read_jsonl(folder / "log.jsonl")
        for key in ("loss", "eval_loss", "grad_norm")
        if key in row
    ]


def assert_same_training(one, other):
    mine, theirs = read_log(one), read_log(other)
    assert [line[:2] for line in mine] == [line[:2] for line in theirs]
    assert [line[2] for line in mine] == pytest.approx([line[2] for line in theirs], abs=1e-5)
    mine, theirs = (Run(run, DataRecipe(stage="data")).metrics for run in (one, other))
    assert mine["valid_loss"]["before"] != pytest.approx(mine["valid_loss"]["after"], abs=1e-4)
    for key in ("perplexity", "perplexity_before", "preferred_valid", "num_trainable", "tokens"):
        assert mine.get(key) == pytest.approx(theirs.get(key), abs=1e-2), key
    assert mine["valid_loss"] == pytest.approx(theirs["valid_loss"], abs=1e-5)


def check_that_two_train_what_one_does_and_hold_half(folder, found):
    for kind in KINDS:
        assert_same_training(folder / f"one-{kind}", folder / f"two-{kind}")
        one, *two = (load_model(folder / f"{number}-{kind}", merge=False).model for number in ("one", "two"))
        for (name, mine), theirs in zip(one.named_parameters(), two[0].parameters(), strict=True):
            assert torch.allclose(mine, theirs, atol=1e-5), f"{kind}: {name}"
        for half in found["two"]:
            for held, whole in found["one"][kind].items():
                if (kind, held) != ("mxfp4", "weights"):
                    assert half["bytes"][kind][held] == pytest.approx(whole / 2, rel=0.05), f"{kind}: {held}"


def check_that_either_number_ends_what_the_other_began(folder, found):
    assert found["left"] == ["checkpoint-2", "checkpoint-4"]
    for name in ("one-then-two", "two-then-one"):
        assert_same_training(folder / "one-full", folder / name)
        assert Run(folder / name, DataRecipe(stage="data")).metrics["tokens_per_s"] is None, "did not resume"
        assert not (folder / name / "checkpoints").exists()


def check_that_the_first_alone_writes_and_what_is_finished_is_skipped(found):
    first, second = found["two"]
    assert second["written"] == []
    assert any(name.startswith("two-full/") for name in first["written"]), "the ear is deaf"
    assert first["again"] == second["again"] == {}


def check_that_data_parallelism_and_other_stages_are_refused(found):
    for process in found["two"]:
        assert process["alone"] == "stage data runs in one process; run it without torchrun"
        assert process["wrapped"] == "DistributedDataParallel", "Accelerate shards on a CPU by now: rely on it"
        assert "data parallelism, not sharding" in process["fallback"]


def test_two_processes(runs):
    """One test, so that the processes are started once."""
    check_that_two_train_what_one_does_and_hold_half(*runs)
    check_that_either_number_ends_what_the_other_began(*runs)
    check_that_the_first_alone_writes_and_what_is_finished_is_skipped(runs[1])
    check_that_data_parallelism_and_other_stages_are_refused(runs[1])


def test_more_processes_than_rows_are_refused():
    with pytest.raises(GuardError, match="cannot share 3 row"):
        make_recipe("full", Path()).check_processes(4)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5))
def test_every_row_is_dealt_once_into_its_own_step(num_rows, rows_per_step, processes):
    dealt = deal_rows(num_rows, rows_per_step, processes)
    size = rows_each(rows_per_step, processes) * processes
    steps = [dealt[begin : begin + size] for begin in range(0, len(dealt), size)]
    rows = list(range(num_rows))
    whole = [rows[begin : begin + rows_per_step] for begin in range(0, num_rows, rows_per_step)]
    assert [[row for row in step if row != BLANK] for step in steps] == whole
    assert len(dealt) % processes == 0
    if processes == 1:
        assert dealt == rows


def test_a_blank_row_counts_nothing():
    assert count_tokens(blank_row()) == count_pairs(blank_row()) == 0


def test_one_process_needs_no_other(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert ranks.agree(lambda: 3) == 3 and ranks.is_first()
    assert ranks.add_up(torch.ones(2)).tolist() == [1, 1]
