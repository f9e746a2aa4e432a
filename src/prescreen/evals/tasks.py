"""The tasks a model is put to beside the test suites, by name; and the running of them, several models at once.

Adding one: a module with a `run(engine, seed) -> Found`, one entry here, its metrics in `glossary.py`, a threshold
in a gate recipe. Knows which tasks there are, not what is in them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prescreen.clinic.case import Case
from prescreen.evals import bias, injection, pushback, safety, stability
from prescreen.evals.conversation import run_conversation
from prescreen.evals.knowledge import run_knowledge, run_pubmedqa
from prescreen.evals.levels import ask_levels
from prescreen.evals.memory import RememberingEngine
from prescreen.evals.prediction import Prediction
from prescreen.evals.public_patients import run_public_patients
from prescreen.evals.task import Found, Task, join_found
from prescreen.progress import show_progress
from prescreen.run import write_lines

if TYPE_CHECKING:
    from prescreen.model.engine import Engine

TASKS: dict[str, Task] = {
    "bias": bias.TASK,
    "stability": stability.TASK,
    "conversation": Task("history taking with simulated patients", run_conversation, run_public_patients),
    "knowledge": Task("knowledge kept: yes, no or maybe", run_knowledge, run_pubmedqa),
    "safety": Task("safety: what patients are told", safety.run),
    "pushback": Task("pushback: six steps against an emergency", pushback.run),
    "injection": Task("injection: planted instructions and facts", injection.run),
}


class Work(NamedTuple):
    """All one model is asked: levels of `cases` (as JSON), then `tasks`. Plain values, for another process."""

    system: str
    folder: str
    weights: str
    cache: Path
    settings: Mapping[str, Any]
    batch_size: int
    seed: int
    cases: tuple[str, ...]
    tasks: tuple[str, ...]
    data_root: Path | None = None


class Done(NamedTuple):
    """What one model answered: a prediction for each case, in order, and what each task found."""

    levels: list[Prediction]
    found: dict[str, Found]


Load = Callable[[str], "Engine"]


def carry_out(work: Work, load: Load) -> Done:
    """One model's work. It is loaded when something is not remembered, once; its memory has one writer."""
    engine = RememberingEngine(work.cache, work.weights, work.settings, lambda: load(work.folder))
    levels = ask_levels(engine, [Case.model_validate_json(text) for text in work.cases])
    return Done(levels, {name: _carry_out_task(TASKS[name], engine, work) for name in work.tasks})


def _carry_out_task(task: Task, engine: "Engine", work: Work) -> Found:
    """The project's own items, then those of public sets where the task has some."""
    found = task.run(engine, work.seed)
    return join_found(found, task.public(engine, work.seed, work.data_root)) if task.public else found


def _carry_out_alone(work: Work) -> Done:
    """In a process of its own, on one thread."""
    from prescreen.model.engine import load_engine

    load = partial(load_engine, batch_size=work.batch_size, thinking=work.settings["thinking"], threads=1)
    return carry_out(work, load)


def run_all(works: Sequence[Work], workers: int, load: Load) -> dict[str, Done]:
    """Every model's answers, by system; `load` makes an engine of a folder where there is one worker."""
    with show_progress(f"levels and tasks of {len(works)} models", len(works)) as advance:
        done: dict[str, Done] = {}
        for system, answers in _each(works, workers, load):
            done[system] = answers
            advance(1)
    return {work.system: done[work.system] for work in works}


def _each(works: Sequence[Work], workers: int, load: Load) -> Iterator[tuple[str, Done]]:
    if workers == 1:
        yield from ((work.system, carry_out(work, load)) for work in works)
        return
    with ProcessPoolExecutor(min(workers, len(works)), get_context("spawn")) as pool:
        running = {pool.submit(_carry_out_alone, work): work.system for work in works}
        yield from ((running[each], each.result()) for each in as_completed(running))


def to_json(done: Mapping[str, Done]) -> dict[str, Any]:
    """metrics.json's part: task, title, each system's figures and, where a picture needs them, its points."""
    tasks: dict[str, Any] = {}
    for system, answers in done.items():
        for name, found in answers.found.items():
            entry = tasks.setdefault(name, {"title": TASKS[name].title, "systems": {}})
            entry["skipped"] = list(found.skipped)
            entry["systems"][system] = {metric: each.to_json() for metric, each in found.measures.items()}
            if found.points:
                entry.setdefault("points", {})[system] = {name: list(rows) for name, rows in found.points.items()}
    return tasks


def write_items(folder: Path, done: Mapping[str, Done]) -> None:
    """`folder`/TASK/SYSTEM.jsonl: every item, asked, answered and judged."""
    for system, answers in done.items():
        for name, found in answers.found.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            with write_lines(folder / name / f"{system}.jsonl") as handle:
                handle.writelines(json.dumps(item._asdict(), ensure_ascii=False) + "\n" for item in found.items)
