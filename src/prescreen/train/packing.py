"""Packing: documents of any length become rows of a fixed token budget, without padding.

A document is never split or cut here; boundaries travel with the row, so that attention and loss keep documents
apart. Knows tokens and lengths, nothing about text or objectives.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from prescreen.errors import GuardError
from prescreen.model.loss import IGNORE, shift_labels


@dataclass(frozen=True)
class Document:
    """One training text. `labels` equals `ids` where trained and IGNORE elsewhere.

    `continues` numbers an earlier document of the same unit whose tokens stand before this one's; -1: none.
    """

    ids: list[int]
    labels: list[int]
    continues: int = -1

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.labels) or not self.ids:
            raise GuardError(f"a document has {len(self.ids)} tokens and {len(self.labels)} labels")

    @property
    def num_trained(self) -> int:
        return sum(label != IGNORE for label in self.labels)


Unit = Sequence[Document]  # documents that must share a row: the turns of a dialogue, a preference pair


def share_trunks(documents: Unit) -> list[Document]:
    """The same documents with what their prompts share stated once: trunks, and branches that continue them.

    A branch keeps the last token of its prompt, so that every trained token is predicted inside its own branch.
    A document alone shares nothing and stays whole.
    """
    if len(documents) < 2:
        return list(documents)
    shared: list[Document] = []
    trunk: list[int] = []
    at = -1
    for document in documents:
        prompt = next(i for i, label in enumerate(document.labels) if label != IGNORE) - 1
        before = document.ids[: max(prompt, 0)]
        if before[: len(trunk)] != trunk:
            shared.append(document)
            continue
        if more := before[len(trunk) :]:
            shared.append(Document(more, [IGNORE] * len(more), at))
            trunk, at = before, len(shared) - 1
        shared.append(Document(document.ids[len(before) :], document.labels[len(before) :], at))
    return shared


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
        return build_row([self.units[i] for i in self.rows[number]], self.rows[number])


def build_row(units: Sequence[Unit], numbers: Sequence[int] = ()) -> dict[str, Any]:
    """Tensors of one row: input_ids, position_ids and targets [1, N], documents and parents [D], unit numbers.

    `targets` are already shifted: position i holds the token that follows i in the same document, or IGNORE.
    `parents` names the document of the row that each one continues, -1 for none.
    """
    documents = [document for unit in units for document in unit]
    parents = [
        document.continues + first if document.continues >= 0 else -1
        for unit, first in zip(units, accumulate([0, *map(len, units)]), strict=False)
        for document in unit
    ]
    starts: list[int] = []
    for parent in parents:
        starts.append(starts[parent] + len(documents[parent].ids) if parent >= 0 else 0)
    lengths = torch.tensor([len(d.ids) for d in documents])
    labels = torch.tensor([label for d in documents for label in d.labels])
    return {
        "input_ids": torch.tensor([token for d in documents for token in d.ids])[None],
        "position_ids": torch.cat([torch.arange(len(d.ids)) + s for d, s in zip(documents, starts, strict=True)])[
            None
        ],
        "targets": shift_labels(labels, lengths)[None],
        "documents": lengths,
        "parents": torch.tensor(parents),
        "units": torch.tensor(list(numbers), dtype=torch.long),
    }


def collate_row(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A batch is one row: rows are the unit of memory, and accumulation counts tokens, not rows."""
    (row,) = rows
    return row
