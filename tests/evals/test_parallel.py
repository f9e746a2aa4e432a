"""Drafting ahead: every case once, a batch at a time, into the cache of its own model."""

import multiprocessing
import time

import pytest

from prescreen.clinic.case import Case
from prescreen.evals import drafting, parallel
from prescreen.evals.drafting import Cache, hash_model_code
from prescreen.model.draft import Drafted, read_completion
from prescreen.model.engine import Completion
from prescreen.model.prompt import draft_text
from prescreen.run import hash_file
from small_draft import DRAFT
from small_pool import Inline

SETTINGS = {"thinking": 96}


def cases(count):
    return [
        Case(id=f"c{n}", patient_id="p", source="t", licence="none", complaint=f"cough for {n} days")
        for n in range(count)
    ]


@pytest.fixture
def asked(monkeypatch):
    """Which cases were drafted with which folder, in batches."""
    batches: list[tuple[str, list[str]]] = []

    def carry_out(job) -> list[Drafted]:
        found = [Case.model_validate_json(text) for text in job.cases]
        batches.append((job.folder, [case.id for case in found]))
        return [read_completion(case, Completion(draft_text(DRAFT))) for case in found]

    monkeypatch.setattr(parallel, "carry_out", carry_out)
    return batches


def test_only_what_is_not_remembered_is_drafted_and_each_model_keeps_its_own(asked, tmp_path):
    known, *new = cases(6)
    first = Cache(tmp_path, "one", SETTINGS)
    first.keep([known], [read_completion(known, Completion(draft_text(DRAFT)))])
    texts = [case.model_dump_json() for case in (known, *new)]
    jobs = [parallel.Job(name, name, tmp_path, SETTINGS, 4, texts) for name in ("one", "two")]
    parallel.draft_ahead(jobs, Inline())()
    assert asked == [("one", ["c1", "c2", "c3", "c4"]), ("one", ["c5"]), ("two", ["c0", "c1", "c2", "c3"]),
                     ("two", ["c4", "c5"])]  # fmt: skip
    for name in ("one", "two"):
        memory = Cache(tmp_path, name, SETTINGS)
        assert all(memory.find(case) is not None for case in (known, *new))
    asked.clear()
    parallel.draft_ahead(jobs, Inline())()
    assert asked == []


@pytest.mark.parametrize("module", ["prompt", "attention", "tokenizer", "experts", "weights"])
def test_no_draft_is_remembered_beyond_the_code_that_made_it(module, monkeypatch):
    before = hash_model_code()
    monkeypatch.setattr(drafting, "hash_file", lambda path: "changed" if path.stem == module else hash_file(path))
    assert hash_model_code() != before


def test_a_fault_leaves_nothing_waiting_in_the_pool():
    with pytest.raises(ValueError, match="a fault"), parallel.open_pool(2) as pool:
        asked = [pool.submit(time.sleep, 0.05) for _ in range(60)]
        raise ValueError("a fault")
    assert any(each.cancelled() for each in asked)


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="this system has no server")
def test_workers_begin_with_engine_and_rules_at_hand():
    """The server says nothing of a module it could not import."""
    ask = "[name in __import__('sys').modules for name in ('prescreen.model.ready', 'prescreen.evals.worker')]"
    with parallel.open_pool(2) as pool:
        assert pool.submit(eval, ask).result() == [True, True]
        rules = "__import__('prescreen').clinic.redflags.load_rules.cache_info().currsize"
        assert pool.submit(eval, rules).result() == 1
