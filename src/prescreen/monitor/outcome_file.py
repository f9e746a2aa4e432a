"""A clinic's own list of outcomes as CSV: one line, one thing that happened. Knows no store; quotes no content.

Columns: `visit` (the visit's number) or `identifier` (the patient in the record, "system|number" or "Patient/7"),
`kind`, `time`, and if wanted `level`. The kind `nothing` says of a visit that somebody looked and nothing happened.
"""

import csv
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import USUAL, Later, LaterKind
from prescreen.errors import InputError

COLUMNS: Final = ("visit", "identifier", "kind", "time", "level")
NOTHING: Final = "nothing"
KINDS: Final[dict[str, LaterKind]] = {kind: kind for kind in USUAL}
MOST: Final = 64 * 1024 * 1024  # bytes of a file


class Told(NamedTuple):
    """What a line says; `later` None is "nothing happened"."""

    line: int
    visit: str
    identifier: str
    later: Later | None


class Reject(NamedTuple):
    """A line that was not taken, and why; of what stands in it nothing is told."""

    line: int
    why: str


def read_outcome_file(path: Path, time_zone: str = "UTC") -> Iterator[Told | Reject]:
    """Every line in order; times without a zone are of `time_zone`. InputError where the file is no such list."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InputError("the time zone is unknown; write it like Europe/Berlin") from None
    if path.stat().st_size > MOST:
        raise InputError(f"the file is longer than {MOST} bytes; split it", file=path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError("the file is not UTF-8; save it as CSV UTF-8", file=path) from None
    head = lines[0] if lines else ""
    delimiter = ";" if ";" in head else ","
    names = [name.strip().lower() for name in head.split(delimiter)]
    if not set(names) <= set(COLUMNS) or len(set(names)) < len(names) or not {"kind", "time"} <= set(names):
        raise InputError(f"the first line must name the columns: {', '.join(COLUMNS)}", file=path, line=1)
    try:
        rows = csv.reader(lines[1:], delimiter=delimiter, strict=True)
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield _read(rows.line_num + 1, names, cells, zone)
    except csv.Error:
        raise InputError("the file has a quotation mark that is not closed", file=path) from None


def _read(number: int, names: list[str], cells: list[str], zone: ZoneInfo) -> Told | Reject:
    if len(cells) != len(names):
        return Reject(number, "it has another number of cells than the first line")
    told = dict.fromkeys(COLUMNS, "") | {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
    if bool(told["visit"]) == bool(told["identifier"]):
        return Reject(number, "give the visit or the identifier, one of the two")
    kind = told["kind"].lower()
    if kind == NOTHING:
        return Told(number, told["visit"], told["identifier"], None)
    if kind not in KINDS:
        return Reject(number, f"the kind must be one of: {', '.join((*KINDS, NOTHING))}")
    at = _read_time(told["time"], zone)
    if at is None:
        return Reject(number, "the time must look like 2026-11-26 14:30")
    if told["level"] and told["level"].lower() not in [level.value for level in Acuity]:
        return Reject(number, f"the level must be one of: {', '.join(level.value for level in Acuity)}, or empty")
    level = Acuity(told["level"].lower()) if told["level"] else USUAL[KINDS[kind]]
    return Told(number, told["visit"], told["identifier"], Later(kind=KINDS[kind], at=at, level=level))


def _read_time(told: str, zone: ZoneInfo) -> datetime.datetime | None:
    """A day alone is no time: of the day of the signature nobody could say whether it came before or after."""
    try:
        moment = datetime.datetime.fromisoformat(told)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return moment.astimezone(datetime.UTC) if len(told) > len("2026-11-26") else None
    except (ValueError, OverflowError):
        return None
