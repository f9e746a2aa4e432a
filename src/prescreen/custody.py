"""What an import promises whoever learns from it: a custody line for each row, and who has withdrawn.

Knows the files of an import's run and of the sealed table's folder, and what stands in them. Knows neither readers
nor de-identification, so that every stage may ask.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from prescreen.config import Strict

CASES: Final = "cases.jsonl"
CUSTODY: Final = "custody.jsonl"
OUTCOMES: Final = "outcomes.jsonl"
REJECTS: Final = "rejects.jsonl"
WITHDRAWN: Final = "withdrawn.txt"
REAL: Final = "clinic"  # the licence of real patients' records


class Custody(Strict):
    """Where one row comes from and by what right it is used. Codes and marks are keyed: they tell nobody apart."""

    row: str  # the case's id
    patient: str  # the patient's code
    file: str  # a label; the sealed table knows the name
    place: int  # line, message or entry, from 1
    source: str  # keyed hash of the record's own bytes
    reader: str
    deid: str  # version of the de-identification, and of each further detector
    mode: Literal["safe_harbor", "limited"]
    licence: str
    basis: str


class Correction(Custody):
    """Where rows made of one signature come from: `source` is the signature's keyed code, `row` the case's id."""

    part: str  # train, valid, test, or between: learned from by nobody
    kinds: tuple[str, ...]  # of edit, between draft and signature
    model: str  # that drafted: name and version; empty where none did
    weights: str  # of that model
    signer: str  # keyed code


def read_custody(run: Path) -> Iterator[Custody]:
    """The custody lines of an import or a batch of signatures, in the order of its cases."""
    with (run / CUSTODY).open(encoding="utf-8") as handle:
        for line in handle:
            told = json.loads(line)
            yield (Correction if "signer" in told else Custody).model_validate(told)


def read_withdrawn(vault: Path) -> frozenset[str]:
    """Codes of those who withdrew; they are random, so the list names nobody and needs no key."""
    path = vault / WITHDRAWN
    return frozenset(path.read_text(encoding="utf-8").split()) if path.is_file() else frozenset()
