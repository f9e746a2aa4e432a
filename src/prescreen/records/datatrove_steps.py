"""The import on more than one machine: our readers and de-identification as steps of a datatrove pipeline.

    steps = [ReadUnits(source), Deidentify(open_vault, terms), WriteLines(shards)]
    LocalPipelineExecutor(steps, tasks=8).run()

or SlurmPipelineExecutor, or RayPipelineExecutor: scheduling, retries and logs are theirs. `join_shards` makes the
files that an import in one process writes. Knows steps; what is done to a record is told elsewhere.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, cast

from prescreen.custody import CASES, CUSTODY, OUTCOMES, REJECTS
from prescreen.errors import GuardError, InputError, RunError
from prescreen.records.columns import TableMapping
from prescreen.records.folder import Unit, matches, plan_folder, read_unit
from prescreen.records.intake import Intake, Seen
from prescreen.records.record import Record, Reject
from prescreen.records.rows import Terms, make_lines
from prescreen.records.vault import Vault
from prescreen.run import write_lines

try:
    from datatrove.data import Document
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.writers.disk_base import DiskWriter
except ModuleNotFoundError as error:
    raise GuardError(f"an import on several machines needs {error.name}; install prescreen[scale]") from None

FILES: Final = (CASES, OUTCOMES, CUSTODY, REJECTS)
ROW: Final = (CASES, OUTCOMES, CUSTODY)  # one line of each for a row
BATCH: Final = 128


class Custodian(Protocol):
    """What is asked of the sealed table; a task opens its own. All tasks must get one secret for one patient."""

    folder: Path

    def secret(self, patient: str) -> bytes:
        """The patient's secret."""
        ...

    def mark(self, patient: str, sha256: str) -> str:
        """What stands for a record's hash."""
        ...

    def label_file(self, name: str) -> str:
        """What stands for a file's name."""
        ...


class Sealed:
    """A record on its way through one task. Logs show a failed step's variables: it does not show itself."""

    __slots__ = ("item", "unit")

    def __init__(self, unit: Unit, item: Record | Reject | InputError) -> None:
        self.unit, self.item = unit, item

    def __repr__(self) -> str:
        return "<a record before de-identification>"

    def __reduce__(self) -> Any:
        raise GuardError("a record before de-identification never leaves its process; de-identify it first")


class ReadUnits(PipelineStep):  # type: ignore[misc, unused-ignore]
    """Reads an export. A task takes a row of whole units: the FHIR files of one folder refer to each other."""

    type = "READER"
    name = "clinic's export"

    def __init__(
        self,
        source: str,
        mappings: Mapping[str, TableMapping] | None = None,
        speakers: Mapping[str, str] | None = None,
        skip: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.source, self.skip = source, tuple(skip)
        self.mappings, self.speakers = dict(mappings or {}), dict(speakers or {})

    def run(self, data: Iterator[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Every contact of this task's units, sealed, and every reject."""
        units = plan_folder(Path(self.source), self.skip).units
        for unit in units[len(units) * rank // world_size : len(units) * (rank + 1) // world_size]:
            mapping = next((m for pattern, m in self.mappings.items() if matches(unit.name, pattern)), None)
            items = _silence(read_unit(unit, mapping, self.speakers), "reading")
            for number, item in enumerate(items, start=1):
                self.stat_update("contacts" if isinstance(item, Record) else "rejects")
                yield Document(text="", id=f"{rank}-{number}", metadata={"sealed": Sealed(unit, item)})


class Deidentify(PipelineStep):  # type: ignore[misc, unused-ignore]
    """Records become lines of cases, outcomes, custody and rejects, as in `prescreen.records.rows`."""

    type = "FORMATTER"
    name = "de-identification"

    def __init__(self, open_vault: Callable[[], Custodian], terms: Terms) -> None:
        super().__init__()
        self.open_vault, self.terms = open_vault, terms

    def run(self, data: Iterator[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """One document for each line; its text is the line, its `kind` the file it belongs to."""
        intake = Intake(cast(Vault, self.open_vault()), self.terms.mode, ())
        sealed = (document.metadata["sealed"] for document in data)
        for unit, items in itertools.groupby(sealed, key=lambda one: one.unit):
            given = intake.prepare(unit, _unseal(items))
            for lines in _silence(self._make(given), "de-identification"):
                for kind, new in zip(FILES, lines[: len(FILES)], strict=True):
                    for number, line in enumerate(new):
                        self.stat_update(kind)
                        yield Document(text=line, id=f"{rank}-{number}", metadata={"kind": kind.partition(".")[0]})

    def _make(self, given: Iterator[Any]) -> Iterator[Any]:
        while batch := list(itertools.islice(given, BATCH)):
            yield make_lines(batch, self.terms)


class WriteLines(DiskWriter):  # type: ignore[misc, unused-ignore]
    """Writes lines to `<kind>/<rank>.jsonl`, on whatever disk or store fsspec knows."""

    default_output_filename = "${kind}/${rank}.jsonl"
    name = "lines"

    def __init__(self, folder: str) -> None:
        super().__init__(folder, compression=None, adapter=lambda step, document: {"text": document.text})

    def _write(self, document: dict[str, str], file_handler: Any, filename: str) -> None:
        file_handler.write(document["text"] + "\n")


def _unseal(items: Iterator[Sealed]) -> Iterator[Record | Reject]:
    for one in items:
        if isinstance(one.item, InputError):
            raise one.item
        yield one.item


def _silence(items: Iterator[Any], doing: str) -> Iterator[Any]:
    """Items as they come; a failure is told without what it quotes, for whatever is raised here is logged."""
    failed = ""
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except InputError as error:
            item = error  # it ends one unit, not the task
        except Exception as error:
            failed = type(error).__name__
        if failed:
            raise RunError(f"{doing} failed ({failed}); run the unit alone to see why")
        yield item
        if isinstance(item, InputError):
            return


def join_shards(shards: Path, folder: Path) -> dict[str, int]:
    """One file of each kind, in the order of an import in one process; a contact two tasks read stands once."""
    seen, counts = Seen(), dict.fromkeys(FILES, 0)
    with contextlib.ExitStack() as stack:
        handles = {kind: stack.enter_context(write_lines(folder / kind)) for kind in FILES}

        def write(kind: str, line: str) -> None:
            handles[kind].write(line)
            counts[kind] += 1

        for row in zip(*(_read(shards, kind) for kind in ROW), strict=True):
            custody = json.loads(row[ROW.index(CUSTODY)])
            if seen.add(custody["source"]):
                for kind, line in zip(ROW, row, strict=True):
                    write(kind, line)
            else:
                reject = Reject(custody["file"], custody["place"], "the same contact was already read")
                write(REJECTS, json.dumps(reject._asdict(), ensure_ascii=False) + "\n")
        for line in _read(shards, REJECTS):
            write(REJECTS, line)
    return counts


def _read(shards: Path, kind: str) -> Iterator[str]:
    for path in sorted((shards / kind.partition(".")[0]).glob("*.jsonl")):
        with path.open(encoding="utf-8") as handle:
            yield from handle
