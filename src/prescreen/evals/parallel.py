"""Several models asked side by side on a CPU, one process and one thread each; drafts go into the shared cache.

A small model's decoding is many tiny steps that a second thread only slows down; a second process does not. Knows
nothing about scores: whoever comes after finds the drafts remembered.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prescreen.clinic.case import Case
from prescreen.evals.drafting import Cache
from prescreen.progress import show_progress

if TYPE_CHECKING:
    from prescreen.model.draft import Drafted
    from prescreen.model.engine import TransformersEngine


class Job(NamedTuple):
    """One model and what to draft with it; plain values, so that another process can take it."""

    folder: str
    weights: str
    cache: Path
    settings: Mapping[str, Any]
    batch_size: int
    cases: list[str]


@contextmanager
def open_pool(workers: int) -> Iterator[Executor | None]:
    """Processes for one stage, which start as they are needed; None for a single worker, who is this process.

    Where the system can, a server imports what they need, once and at once, and they are its forks.
    """
    if workers == 1:
        yield None
        return
    with ProcessPoolExecutor(workers, start_server() or get_context("spawn")) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def start_server() -> ForkServerContext | None:
    """Begin to import what a worker needs, in a process that does nothing else; None on a system without one."""
    if "forkserver" not in get_all_start_methods():
        return None
    from multiprocessing import forkserver

    context = get_context("forkserver")
    context.set_forkserver_preload(["prescreen.model.ready", "prescreen.evals.worker"])
    forkserver.ensure_running()
    return context


def draft_ahead(jobs: Sequence[Job], pool: Executor | None) -> Callable[[], None]:
    """Ask for what no model's cache holds, a batch at a time, so that no worker waits for another's last model.

    Returns what waits for the drafts and remembers them. There a fault in a worker is raised with its own message;
    what was drafted until then is remembered. Without a pool nothing is drafted ahead.
    """
    if pool is None:
        return lambda: None
    memories = {job.weights: Cache(job.cache, job.weights, job.settings) for job in jobs}
    batches = [batch for job in jobs for batch in _batches(job, memories[job.weights])]
    running = {pool.submit(carry_out, batch): batch for batch in batches}

    def finish() -> None:
        with show_progress(f"drafting with {len(jobs)} models", sum(len(b.cases) for b in batches)) as advance:
            for done in as_completed(running):
                batch = running[done]
                memories[batch.weights].keep(_read(batch), done.result())
                advance(len(batch.cases))

    return finish if batches else lambda: None


def _batches(job: Job, memory: Cache) -> Iterator[Job]:
    """The cases that are not remembered yet, as many at a time as are drafted at once."""
    new = [text for text, case in zip(job.cases, _read(job), strict=True) if memory.recall(case) is None]
    for start in range(0, len(new), job.batch_size):
        yield job._replace(cases=new[start : start + job.batch_size])


def _read(job: Job) -> list[Case]:
    return [Case.model_validate_json(text) for text in job.cases]


def carry_out(job: Job) -> "list[Drafted]":
    """In the worker: draft one batch."""
    from prescreen.model.draft import draft_reports

    return draft_reports(load_alone(job.folder, job.batch_size, job.settings["thinking"]), _read(job))


@lru_cache(maxsize=1)  # work comes model by model
def load_alone(folder: str, batch_size: int, thinking: int) -> "TransformersEngine":
    """In a worker: the model on one thread, kept until the next one is asked for."""
    from prescreen.model.engine import load_engine

    return load_engine(folder, batch_size=batch_size, thinking=thinking, threads=1)
