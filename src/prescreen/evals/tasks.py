"""The tasks a model is put to beside the test suites, by name; and the running of them, several models at once.

Adding one: a module with a `run(engine, seed) -> Found`, one entry here, its metrics in `glossary.py`, a threshold
in a gate recipe. Knows which tasks there are, not what is in them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prescreen.clinic.case import Case
from prescreen.evals import bias, injection, memorisation, pushback, safety, stability
from prescreen.evals.conversation import run_conversation
from prescreen.evals.knowledge import run_knowledge, run_pubmedqa
from prescreen.evals.levels import ask_levels
from prescreen.evals.memory import RememberingEngine
from prescreen.evals.parallel import load_alone
from prescreen.evals.prediction import Prediction
from prescreen.evals.public_patients import run_public_patients
from prescreen.evals.task import Found, Task, Taught, join_found
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
    "memorisation": memorisation.TASK,
}


class Work(NamedTuple):
    """What one model is asked: levels of `cases` (as JSON), then `tasks`. Plain values, for another process."""

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
    taught: Taught = Taught(None, memorisation.NO_LIST)


class Done(NamedTuple):
    """What one model answered: a prediction for each case, in order, and what each task found."""

    levels: list[Prediction]
    found: dict[str, Found]


Load = Callable[[str], "Engine"]


def carry_out(work: Work, load: Load) -> Done:
    """One model's work. It is loaded when something is not remembered, once; each part's memory has one writer."""
    engine = cache(lambda: load(work.folder))

    def remember(part: str) -> RememberingEngine:
        return RememberingEngine(work.cache, work.weights, work.settings, engine, part)

    levels = ask_levels(remember("levels"), [Case.model_validate_json(text) for text in work.cases])
    return Done(levels, {name: _carry_out_task(TASKS[name], remember(name), work) for name in work.tasks})


def _carry_out_task(task: Task, engine: RememberingEngine, work: Work) -> Found:
    """The project's own items, then those of public sets and of training where the task has some."""
    found = task.run(engine, work.seed)
    if task.public:
        found = join_found(found, task.public(engine, work.seed, work.data_root))
    if task.audit:
        found = join_found(found, task.audit(engine, work.seed, work.taught))
    engine.save()
    return found


def carry_out_alone(work: Work) -> Done:
    """In a process of its own, on one thread."""
    return carry_out(work, lambda folder: load_alone(folder, work.batch_size, work.settings["thinking"]))


def split_work(work: Work) -> Iterator[Work]:
    """The levels and each task by itself, so that no worker waits for another's last model."""
    if work.cases:
        yield work._replace(tasks=())
    yield from (work._replace(cases=(), tasks=(name,)) for name in work.tasks)


def start_all(works: Sequence[Work], pool: Executor | None, load: Load) -> Callable[[], dict[str, Done]]:
    """Ask the pool for every model's answers; returns what waits for them, by system.

    Without a pool they are drawn there and then, by the engines that `load` makes of a folder.
    """
    pieces = [piece for work in works for piece in split_work(work)] if pool else list(works)
    running = {pool.submit(carry_out_alone, piece): piece.system for piece in pieces} if pool else {}

    def each() -> Iterator[tuple[str, Done]]:
        if pool:
            yield from ((running[one], one.result()) for one in as_completed(running))
        else:
            yield from ((work.system, carry_out(work, load)) for work in works)

    def finish() -> dict[str, Done]:
        found: dict[str, list[Done]] = {work.system: [] for work in works}
        with show_progress(f"levels and tasks of {len(works)} models", len(pieces)) as advance:
            for system, answers in each():
                found[system].append(answers)
                advance(1)
        return {work.system: join_done(work, found[work.system]) for work in works}

    return finish if works else dict


def join_done(work: Work, pieces: Sequence[Done]) -> Done:
    """A model's work put together again, tasks in the order in which they were asked for."""
    tasks = {name: each for piece in pieces for name, each in piece.found.items()}
    levels = [level for piece in pieces for level in piece.levels]
    return Done(levels, {name: tasks[name] for name in work.tasks})


def to_json(done: Mapping[str, Done]) -> dict[str, Any]:
    """metrics.json's part: task, title, each system's figures and, where a picture needs them, its points."""
    tasks: dict[str, Any] = {}
    for system, answers in done.items():
        for name, found in answers.found.items():
            entry = tasks.setdefault(name, {"title": TASKS[name].title, "systems": {}})
            entry["skipped"] = list(dict.fromkeys([*entry.get("skipped", ()), *found.skipped]))
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
