"""Files that grow batch by batch and survive a kill: what was not noted as written is cut off at the next start.

A batch is on the disk before the note that says so. Knows nothing of what the lines mean.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from prescreen.run import write_json


class Journal:
    """Line files of one folder, and how far the work that fills them has come.

    `unit` and `taken` say where the work goes on: items taken of that unit. `counts` grow with the lines.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names
        self._note = folder / ".journal.json"
        noted: dict[str, Any] = json.loads(self._note.read_text()) if self._note.exists() else {}
        self.unit: int = noted.get("unit", 0)
        self.taken: int = noted.get("taken", 0)
        self.counts: Counter[str] = Counter(noted.get("counts", {}))
        sizes: Mapping[str, int] = noted.get("sizes", {})
        self._open: dict[str, IO[bytes]] = {}
        for name in names:
            handle = self.partial(name).open("ab")
            handle.truncate(sizes.get(name, 0))
            handle.seek(0, os.SEEK_END)
            self._open[name] = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        for handle in self._open.values():
            handle.close()

    def partial(self, name: str) -> Path:
        """The file while it grows."""
        return self.folder / f".{name}.partial"

    def add(self, name: str, lines: Iterable[str]) -> None:
        """Append lines to a file; they count from the next note on."""
        self._open[name].write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))

    def note(self, unit: int, taken: int) -> None:
        """Bring everything to the disk, then say that the work stands here."""
        for handle in self._open.values():
            handle.flush()
            os.fsync(handle.fileno())
        self.unit, self.taken = unit, taken
        sizes = {name: handle.tell() for name, handle in self._open.items()}
        write_json(self._note, {"unit": unit, "taken": taken, "sizes": sizes, "counts": self.counts})

    def finish(self) -> list[Path]:
        """Give the files their names; nothing can be added any more."""
        for handle in self._open.values():
            handle.close()
        for name in self.names:
            if (partial := self.partial(name)).exists():
                partial.replace(self.folder / name)
        self._note.unlink(missing_ok=True)
        return [self.folder / name for name in self.names]
