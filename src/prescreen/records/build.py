"""Stage "records": a clinic's folder in; cases without identifiers, their custody, rejects and a risk report out.

Readers stream, workers de-identify, one process writes. A batch's secrets are in the sealed table before its rows
are on the disk, its rows before the note that says so: a kill loses and doubles nothing. Knows no format.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Final, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from prescreen.config import Recipe
from prescreen.custody import CASES, CUSTODY, OUTCOMES, REJECTS, WITHDRAWN, Custody
from prescreen.errors import RecipeError, RunError
from prescreen.progress import show_progress
from prescreen.records.columns import TableMapping, read_mapping
from prescreen.records.deid.replace import Mode
from prescreen.records.deid.taggers import load_detectors
from prescreen.records.folder import Plan, count_contacts, matches, plan_folder, read_unit
from prescreen.records.intake import Intake
from prescreen.records.journal import Journal
from prescreen.records.record import Record, Reject
from prescreen.records.residual import report_residue
from prescreen.records.rows import Given, Lines, Terms, make_lines
from prescreen.records.vault import Vault
from prescreen.run import Run

FILES: Final = (CASES, OUTCOMES, CUSTODY, REJECTS)
BATCH: Final = 128
EACH: Final = 4  # batches between two notes
UNDER_WAY: Final = 4


class RecordsRecipe(Recipe):
    """Where the export lies, how it is de-identified and by what right it is used."""

    stage: Literal["records"] = "records"
    source: Path = Field(description="the export: a file, or a folder with everything below it")
    vault: Path = Field(Path("vault"), description="folder of the sealed table; keep it apart from the runs")
    key: Path | None = Field(None, description="key file of the sealed table; none: `key` in its folder")
    mode: Mode = Field("safe_harbor", description="safe_harbor, or limited: dates shifted, not Safe Harbor")
    licence: str = Field("clinic", description="`clinic`: an audit must be signed before anything learns from it")
    basis: str = Field(min_length=3, description="by what right the records are used, such as consent of 2026-01")
    mappings: dict[str, Path | Literal["guess"]] = Field(
        {}, description="table file name (with * and ?): its mapping file, or `guess`"
    )
    skip: tuple[str, ...] = Field((), description="files to leave aside, by name below the source (with * and ?)")
    speakers: dict[str, str] = Field({}, description="speakers of transcripts, such as {Dr Such: assistant}")
    detectors: tuple[str, ...] = Field(
        (), description="further finders of names: spacy, presidio, or the folder of a token classifier"
    )
    measured: NonNegativeInt = Field(400, description="plantings a class to measure recall with; 0: none")
    processes: PositiveInt = Field(2, description="how many de-identify side by side")

    def external(self) -> list[Path]:
        mapped = [path for path in self.mappings.values() if isinstance(path, Path)]
        withdrawn = self.vault / WITHDRAWN
        return [self.source, *mapped, *([withdrawn] if withdrawn.is_file() else [])]


Submit = Callable[[list[Given | Reject]], "Future[Lines]"]


def main(recipe: RecordsRecipe, run: Run) -> None:
    """Import everything below the source."""
    plan = plan_folder(recipe.source, recipe.skip)
    mappings = find_mappings(recipe, plan)
    terms = Terms(recipe.mode, recipe.licence, recipe.basis, recipe.detectors)
    load_detectors(terms.detectors)  # a missing package or folder is said before anything is read
    sizes = [count_contacts(unit) for unit in plan.units]
    with (
        Vault(recipe.vault, recipe.key) as vault,
        Journal(run.folder, FILES) as journal,
        start_workers(recipe.processes, terms) as submit,
        show_progress("contacts", sum(sizes)) as advance,
    ):
        intake = Intake(vault, recipe.mode, list_marks(journal.partial(CUSTODY)))
        for number, unit in enumerate(plan.units):
            if number >= journal.unit:
                begun = journal.taken if number == journal.unit else 0
                items = itertools.islice(read_unit(unit, mappings.get(unit.name), recipe.speakers), begun, None)
                for taken, lines in pump(intake.prepare(unit, items), submit, begun):
                    write(lines, vault, journal)
                    advance(min(BATCH, taken - begun))
                    if taken // BATCH % EACH == 0:
                        journal.note(number, taken)
                vault.save()
                journal.note(number + 1, 0)
        unread = [vault.label_file(name) for name in plan.unread]
        counts = dict(sorted(journal.counts.items()))
        outputs = journal.finish()
        again = read_again(recipe, plan, mappings, vault) if recipe.measured else ()
        outputs.append(report_residue(run.folder, terms, counts, again, recipe.measured, recipe.seed))
    files = sum(len(unit.files) for unit in plan.units)
    run.finish(outputs, {"files read": files, "files no reader takes": unread, **counts})


def read_again(
    recipe: RecordsRecipe, plan: Plan, mappings: Mapping[str, TableMapping | None], vault: Vault
) -> Iterator[Record]:
    """Every record that came in, once more, for what can only be measured with its identifiers beside it."""
    intake = Intake(vault, recipe.mode, ())
    for unit in plan.units:
        for given in intake.prepare(unit, read_unit(unit, mappings.get(unit.name), recipe.speakers)):
            if isinstance(given, Given):
                yield given.record


def write(lines: Lines, vault: Vault, journal: Journal) -> None:
    """One batch: first the secrets it used, then its lines."""
    vault.save()
    for name, new in zip(FILES, lines[: len(FILES)], strict=True):
        journal.add(name, new)
    journal.counts.update(lines.counts)


def pump(items: Iterator[Given | Reject], submit: Submit, taken: int) -> Iterator[tuple[int, Lines]]:
    """Batches in their order, a few under way at a time; beside each, how many items are taken with it."""
    under_way: deque[tuple[int, Future[Lines]]] = deque()
    while batch := list(itertools.islice(items, BATCH)):
        taken += len(batch)
        under_way.append((taken, submit(batch)))
        if len(under_way) > UNDER_WAY:
            yield under_way[0][0], under_way.popleft()[1].result()
    for count, lines in under_way:
        yield count, lines.result()


@contextmanager
def start_workers(processes: int, terms: Terms) -> Iterator[Submit]:
    """What takes a batch and gives a promise of its lines."""
    if processes == 1:
        yield partial(_do_now, terms)
        return
    try:
        with ProcessPoolExecutor(processes, get_context("spawn"), end_with_parent) as pool:
            try:
                yield lambda batch: pool.submit(make_lines, batch, terms)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except BrokenProcessPool:
        raise RunError("a process that de-identifies was ended from outside; run again to resume") from None


def end_with_parent() -> None:
    """In a worker: leave when whoever started it is gone, however that came about."""
    parent = parent_process()
    if parent is not None:
        Thread(target=_leave_after, args=(parent,), daemon=True).start()


def _leave_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _do_now(terms: Terms, batch: list[Given | Reject]) -> "Future[Lines]":
    done: Future[Lines] = Future()
    done.set_result(make_lines(batch, terms))
    return done


def list_marks(custody: Path) -> Iterator[str]:
    """The marks of records that are rows already."""
    with custody.open(encoding="utf-8") as handle:
        for line in handle:
            yield Custody.model_validate_json(line).source


def find_mappings(recipe: RecordsRecipe, plan: Plan) -> dict[str, TableMapping | None]:
    """The mapping of every table by its name; RecipeError where nobody has looked at one yet."""
    found: dict[str, TableMapping | None] = {}
    unseen = 0
    for unit in plan.units:
        if unit.kind == "table":
            said = next((said for pattern, said in recipe.mappings.items() if matches(unit.name, pattern)), None)
            unseen += said is None
            found[unit.name] = read_mapping(said) if isinstance(said, Path) else None
    if unseen:
        raise RecipeError(
            f"tables without a mapping: {unseen}; `prescreen records look {recipe.source}` guesses one for each; "
            "name its file under `mappings`, or the table under `skip`"
        )
    return found
