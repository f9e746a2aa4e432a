"""Rows of an older data run mixed in, so that what was known is not forgotten; and its cases as trusted levels.

Knows the files of a data run. Which rows are drawn depends on their names alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from prescreen.clinic.case import Case
from prescreen.data.records import Pair, Row
from prescreen.data.split import hash_share
from prescreen.errors import RunError
from prescreen.run import MANIFEST, read_jsonl

CASES = "train/cases.jsonl"
TRUSTED = 600  # cases a classifier of doubts learns from besides the batch

Told = TypeVar("Told", Pair, Row)


class Replay(NamedTuple):
    """What an older run gives; all empty where there is none."""

    pairs: list[Pair]
    rows: list[Row]
    cases: list[Case]


def read_replay(folder: Path | None) -> Replay:
    """The training rows of a finished data run."""
    if folder is None:
        return Replay([], [], [])
    if not (folder / MANIFEST).is_file():
        raise RunError(f"{folder}: is no finished data run to replay from; correct the path or leave it out")
    pairs, rows, cases = (_lines(folder / "train" / f"{n}.jsonl") for n in ("preference", "sft", "cases"))
    return Replay(
        [Pair(**{**row, "messages": tuple(row["messages"])}) for row in pairs],
        [Row(**{**row, "messages": tuple(row["messages"])}) for row in rows],
        [Case.model_validate(row) for row in cases],
    )


def draw_share(old: Sequence[Told], new: int, share: float) -> list[Told]:
    """As many old records as make `share` of all, or all there are."""
    wanted = round(new * share / (1 - share)) if share < 1 else len(old)
    return sorted(old, key=lambda record: hash_share("replay", record.id))[:wanted]


def draw_trusted(cases: Sequence[Case]) -> list[Case]:
    """Cases whose levels are taken for right when signed ones are doubted."""
    labelled = [case for case in cases if case.label is not None]
    return sorted(labelled, key=lambda case: hash_share("trusted", case.id))[:TRUSTED]


def _lines(path: Path) -> list[dict[str, Any]]:
    return list(read_jsonl(path)) if path.is_file() else []
