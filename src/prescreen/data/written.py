"""The files of a build as they are written: each whole or not at all, licences checked row by row.

Knows what is written and how it is counted. Knows nothing about where it comes from.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prescreen.clinic.case import Case
from prescreen.data.records import Reject, as_line, check_licence
from prescreen.run import write_lines


class Written:
    """The files of a build as they are written, counted by what tells their rows apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, dict[str, Any]] = {}
        self.used: Counter[tuple[str, str]] = Counter()

    def write(self, name: str, records: Sequence[Any], by: Callable[[Any], str]) -> None:
        """Write one file whole, licences checked row by row."""
        lines = []
        for record in records:
            if not isinstance(record, Reject):
                check_licence(record.licence, record.source, record.id)
                self.used[record.source, record.licence] += 1
            lines.append(as_line(record))
        self.write_plain(name, lines, Counter(by(record) for record in records))

    def write_cases(self, name: str, cases: Sequence[Case]) -> None:
        """Write a test suite: one case with its label a line."""
        for case in cases:
            check_licence(case.licence, case.source, case.id)
            self.used[case.source, case.licence] += 1
        by = Counter(case.label.acuity.value for case in cases if case.label)
        self.write_plain(name, [case.model_dump(mode="json") for case in cases], by)

    def write_plain(self, name: str, lines: Iterable[Mapping[str, Any]], by: Mapping[str, int]) -> None:
        """Write lines that were checked, counted as the caller says."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        count = 0
        with write_lines(path) as handle:
            for count, line in enumerate(lines, 1):  # noqa: B007
                handle.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.files[name] = {"rows": count, "by": dict(sorted(by.items()))}
