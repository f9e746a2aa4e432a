"""Which files of a clinic's folder are what: each goes to one reader, by its first bytes and its ending.

FHIR files of one folder are read together, since their references cross files; everything else file by file. What
no reader takes is named, never passed over in silence. Knows no contents.
"""

import gzip
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, Literal, NamedTuple

from prescreen.errors import InputError
from prescreen.records.columns import TableMapping
from prescreen.records.fhir import FhirReader
from prescreen.records.hl7v2 import Hl7v2Reader
from prescreen.records.record import Record, Reject
from prescreen.records.tables import TableReader
from prescreen.records.transcripts import TranscriptReader

Kind = Literal["fhir", "hl7v2", "table", "transcript"]
HEAD: Final = 1 << 18
_HL7: Final = re.compile(rb"\s*(?:\x0b|MSH.|FHS.|BHS.)")
_RESOURCE: Final = re.compile(rb'"resourceType"\s*:\s*"')
_CONTACT: Final[Mapping[Kind, re.Pattern[bytes]]] = {
    "fhir": re.compile(rb'"resourceType"\s*:\s*"Encounter"'),
    "hl7v2": re.compile(rb"(?:^|[\r\n\x0b])MSH"),
    "table": re.compile(rb"\n"),
    "transcript": re.compile(rb"\n"),
}
_ASIDE: Final = frozenset(("readme", "license", "licence", "notice", "manifest", "changelog"))


class Unit(NamedTuple):
    """What is read in one go: one file, or the FHIR files of one folder. `name` is the path below the source."""

    kind: Kind
    name: str
    files: tuple[Path, ...]


class Plan(NamedTuple):
    """Units in the order they are read, and files that no reader takes."""

    units: tuple[Unit, ...]
    unread: tuple[str, ...]


def matches(name: str, pattern: str) -> bool:
    """Whether a path below the source, or its last part, fits a pattern with * and ?."""
    return fnmatch(name, pattern) or fnmatch(Path(name).name, pattern)


def plan_folder(source: Path, skip: Sequence[str] = ()) -> Plan:
    """Every file below the source, or the one file it is; hidden and skipped ones are left out."""
    if not source.exists():
        raise InputError("there is no such file or folder; correct the path", file=source)
    root = source if source.is_dir() else source.parent
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file() or p.is_symlink())
    together: dict[Path, list[Path]] = defaultdict(list)
    units, unread = [], []
    for file in files:
        name = file.relative_to(root)
        if any(part.startswith(".") for part in name.parts) or any(matches(str(name), one) for one in skip):
            continue
        kind = (
            find_kind(file) if file.is_file() else None
        )  # a linked folder is named, not followed: it may lead round
        if kind is None:
            unread.append(str(name))
        elif kind == "fhir":
            together[file.parent].append(file)
        else:
            units.append(Unit(kind, str(name), (file,)))
    units += [
        Unit("fhir", str((folder if len(members) > 1 else members[0]).relative_to(root)), tuple(members))
        for folder, members in together.items()
    ]
    if not units:
        raise InputError("nothing here that a reader takes: FHIR, HL7 v2, tables or transcripts", file=source)
    return Plan(tuple(sorted(units, key=lambda unit: unit.name)), tuple(unread))


def find_kind(file: Path) -> Kind | None:
    """What a file is, by its first bytes where they tell, else by its ending."""
    if file.stem.split(".")[0].lower() in _ASIDE:
        return None
    ending = file.name.lower().removesuffix(".gz").rpartition(".")[2]
    head = _read_head(file)
    if ending in ("json", "ndjson", "jsonl"):
        return "fhir" if _RESOURCE.search(head) else "transcript"
    if ending in ("csv", "tsv", "xlsx", "xls") or head[:4] == b"PK\x03\x04":
        return "table"
    if ending == "hl7" or _HL7.match(head):
        return "hl7v2"
    return "transcript" if ending in ("txt", "vtt", "srt") else None


def _read_head(file: Path) -> bytes:
    try:
        with file.open("rb") as handle:
            head = handle.read(HEAD)
        if head[:2] != b"\x1f\x8b":
            return head
        with gzip.open(file, "rb") as packed:
            return packed.read(HEAD)
    except (OSError, EOFError):
        return b""


def read_unit(unit: Unit, mapping: TableMapping | None, speakers: Mapping[str, str]) -> Iterator[Record | Reject]:
    """Everything of a unit, in an order that is the same at every reading."""
    path = str(unit.files[0])
    if unit.kind == "fhir":
        return FhirReader().read_files(unit.files)
    if unit.kind == "hl7v2":
        return Hl7v2Reader().read(path)
    if unit.kind == "table":
        return TableReader(mapping).read(path)
    return TranscriptReader(speakers).read(path)


def count_contacts(unit: Unit) -> int:
    """About how many contacts a unit holds, for the time left and nothing else: it is counted by its marks."""
    return max(1, sum(_count_marks(file, _CONTACT[unit.kind]) for file in unit.files))


def _count_marks(file: Path, mark: re.Pattern[bytes]) -> int:
    count, rest = 0, b""
    try:
        with file.open("rb") as handle:
            while piece := handle.read(1 << 22):
                data = rest + piece
                count += len(mark.findall(data))
                rest = data[-64:] if not mark.search(data[-64:]) else b""
    except OSError:
        return 0
    return count
