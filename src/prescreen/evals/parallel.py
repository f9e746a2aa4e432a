"""Several models drafted side by side on a CPU, one process and one thread each, into the shared cache.

A small model's decoding is many tiny steps that a second thread only slows down; a second process does not. Knows
nothing about scores: whoever comes after finds the drafts remembered.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.clinic.case import Case
from prescreen.evals.drafting import Cache, draft_suite
from prescreen.evals.progress import show_progress


class Job(NamedTuple):
    """One model and what to draft with it; plain values, so that another process can take it."""

    folder: str
    weights: str
    cache: Path
    settings: Mapping[str, Any]
    batch_size: int
    cases: list[str]


def draft_ahead(jobs: Sequence[Job], workers: int) -> None:
    """Fill the cache of every model; a fault in a worker ends the stage with its own message."""
    new = [job for job in jobs if _missing(job)]
    if not new:
        return
    with (
        ProcessPoolExecutor(min(workers, len(new)), get_context("spawn")) as pool,
        show_progress(f"drafting with {len(new)} models", sum(len(job.cases) for job in new)) as advance,
    ):
        running = {pool.submit(carry_out, job): len(job.cases) for job in new}
        for done in as_completed(running):
            done.result()
            advance(running[done])


def _missing(job: Job) -> bool:
    memory = Cache(job.cache, job.weights, job.settings)
    return any(memory.find(Case.model_validate_json(case)) is None for case in job.cases)


def carry_out(job: Job) -> None:
    """In the worker: load the model, draft what is not remembered."""
    from prescreen.model.draft import draft_reports
    from prescreen.model.engine import load_engine

    engine = load_engine(job.folder, batch_size=job.batch_size, thinking=job.settings["thinking"], threads=1)
    cases = [Case.model_validate_json(case) for case in job.cases]
    memory = Cache(job.cache, job.weights, job.settings)
    draft_suite(cases, lambda piece, advance: draft_reports(engine, piece, advance), memory, lambda done: None)
