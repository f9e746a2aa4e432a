"""Which process trains which rows of a step. Every process runs as many rows as the others, so that they meet.

A step's rows are dealt out one by one; where they do not go round, a blank row of two untrained tokens fills up and
adds nothing to any sum. Knows rows, nothing about models.
"""

from collections.abc import Iterator
from typing import Any

import torch

from prescreen.model.loss import IGNORE
from prescreen.train import ranks
from prescreen.train.packing import PackedRows, build_row
from prescreen.train.sharing import Document

BLANK = -1


def rows_each(rows_per_step: int, processes: int) -> int:
    """Rows of a step that one process trains, blank ones included."""
    return -(-rows_per_step // processes)


def deal_rows(num_rows: int, rows_per_step: int, processes: int) -> list[int]:
    """Row numbers in the order in which Accelerate deals them out, process after process; BLANK fills up.

    Steps hold the rows they would hold in one process. All but the last are as long as each other.
    """
    dealt: list[int] = []
    for begin in range(0, num_rows, rows_per_step):
        step = list(range(begin, min(begin + rows_per_step, num_rows)))
        is_last = begin + rows_per_step >= num_rows
        size = rows_each(len(step) if is_last else rows_per_step, processes)
        dealt += step + [BLANK] * (size * processes - len(step))
    return dealt


def blank_row() -> dict[str, Any]:
    """A row that trains nothing."""
    return build_row([[Document([0, 0], [IGNORE, IGNORE])]])


class DealtRows(torch.utils.data.Dataset):
    """Rows of all steps as dealt out to `processes`."""

    def __init__(self, rows: PackedRows, rows_per_step: int, processes: int) -> None:
        self.rows = rows
        self.dealt = deal_rows(len(rows), rows_per_step, processes)

    def __len__(self) -> int:
        return len(self.dealt)

    def __getitem__(self, place: int) -> dict[str, Any]:
        number = self.dealt[place]
        return blank_row() if number == BLANK else self.rows[number]


def own_rows(rows: PackedRows) -> Iterator[dict[str, Any]]:
    """This process's share of rows that are only looked at; as many as any other's."""
    dealt = DealtRows(rows, max(1, len(rows)), ranks.count())
    return (dealt[place] for place in range(ranks.number(), len(dealt), ranks.count()))
