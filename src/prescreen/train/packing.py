"""Packing: documents of any length become rows of a fixed token budget, without padding.

A document is never split or cut here; boundaries travel with the row, so that attention and loss keep documents
apart. Knows tokens and lengths, nothing about text or objectives.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from prescreen.errors import GuardError
from prescreen.model.loss import IGNORE, shift_labels


@dataclass(frozen=True)
class Document:
    """One training text. `labels` equals `ids` where trained and IGNORE elsewhere; `reference` for DPO only."""

    ids: list[int]
    labels: list[int]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.labels) or not self.ids:
            raise GuardError(f"a document has {len(self.ids)} tokens and {len(self.labels)} labels")

    @property
    def num_trained(self) -> int:
        return sum(label != IGNORE for label in self.labels)


Unit = Sequence[Document]  # documents that must share a row: one for cross-entropy, chosen and rejected for DPO


def pack_units(units: Sequence[Unit], budget: int, seed: int) -> list[list[int]]:
    """Best-fit decreasing: indices of units per row, each row at most `budget` tokens; rows in seeded order.

    Every unit appears exactly once. GuardError when one unit alone is over the budget.
    """
    sizes = [sum(len(document.ids) for document in unit) for unit in units]
    if sizes and max(sizes) > budget:
        raise GuardError(
            f"a document of {max(sizes)} tokens is over the row budget of {budget}; raise tokens_per_row"
        )
    rng = random.Random(seed)
    order = list(range(len(units)))
    rng.shuffle(order)
    order.sort(key=lambda i: -sizes[i])
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (tokens left, row), sorted
    for i in order:
        at = bisect_left(room, (sizes[i], -1))
        if at == len(room):
            rows.append([i])
            left, row = budget - sizes[i], len(rows) - 1
        else:
            left, row = room.pop(at)
            rows[row].append(i)
            left -= sizes[i]
        insort(room, (left, row))
    rng.shuffle(rows)
    return rows


def efficiency(rows: Sequence[Sequence[int]], units: Sequence[Unit], budget: int) -> float:
    """Share of the row budget that holds tokens, the last, partly filled rows included."""
    used = sum(len(d.ids) for row in rows for i in row for d in units[i])
    return used / (budget * len(rows)) if rows else 1.0


class PackedRows(torch.utils.data.Dataset):
    """Rows ready for the model; item i is one row, epochs repacked with their own seed and laid end to end."""

    def __init__(self, units: Sequence[Unit], budget: int, epochs: int, seed: int) -> None:
        self.units = units
        self.rows = [row for epoch in range(epochs) for row in pack_units(units, budget, seed + epoch)]
        self.efficiency = efficiency(self.rows, units, budget)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return build_row([document for i in self.rows[number] for document in self.units[i]], self.rows[number])


def build_row(documents: Sequence[Document], units: Sequence[int] = ()) -> dict[str, Any]:
    """Tensors of one row: input_ids, position_ids and targets [1, N], documents [D], and the units it holds.

    `targets` are already shifted: position i holds the token that follows i in the same document, or IGNORE.
    """
    lengths = torch.tensor([len(d.ids) for d in documents])
    labels = torch.tensor([label for d in documents for label in d.labels])
    return {
        "input_ids": torch.tensor([token for d in documents for token in d.ids])[None],
        "position_ids": torch.cat([torch.arange(n) for n in lengths.tolist()])[None],
        "targets": shift_labels(labels, lengths)[None],
        "documents": lengths,
        "units": torch.tensor(list(units), dtype=torch.long),
    }


def collate_row(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A batch is one row: rows are the unit of memory, and accumulation counts tokens, not rows."""
    (row,) = rows
    return row
