"""Packing: documents of any length become rows of a fixed token budget, without padding.

A document is never split or cut here; boundaries travel with the row, so that attention and loss keep documents
apart. Knows tokens and lengths, nothing about text or objectives.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from prescreen.errors import GuardError
from prescreen.model.loss import IGNORE, shift_labels
from prescreen.train.sharing import Document, Unit, num_tokens, share_prefixes


def pack_units(units: Sequence[Unit], budget: int, seed: int) -> list[list[int]]:
    """Best-fit decreasing: indices of units per row, each row at most `budget` tokens; rows in seeded order.

    Every unit appears exactly once. GuardError when one unit alone is over the budget.
    """
    sizes = [num_tokens(unit) for unit in units]
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
    used = sum(num_tokens(units[i]) for row in rows for i in row)
    return used / (budget * len(rows)) if rows else 1.0


class PackedRows(torch.utils.data.Dataset):
    """Rows ready for the model; item i is one row, epochs repacked with their own seed and laid end to end.

    Beginnings that many units share stand in a row once (`sharing`).
    """

    def __init__(self, units: Sequence[Unit], budget: int, epochs: int, seed: int) -> None:
        self.prefixes = share_prefixes(units, budget)
        room = budget - num_tokens(self.prefixes.trunks)
        short = self.prefixes.units
        self.rows = [row for epoch in range(epochs) for row in pack_units(short, room, seed + epoch)]
        self.efficiency = efficiency(self.rows, short, room)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        chosen = self.rows[number]
        trunks, units, under = self.prefixes
        return build_row([units[i] for i in chosen], chosen, trunks, [under[i] for i in chosen])


def build_row(
    units: Sequence[Unit], numbers: Sequence[int] = (), trunks: Sequence[Document] = (), under: Sequence[int] = ()
) -> dict[str, Any]:
    """Tensors of one row: input_ids, position_ids and targets [1, N], documents and parents [D], unit numbers.

    `targets` are already shifted: position i holds the token that follows i in the same document, or IGNORE.
    `scored` [n] are the positions with a target, or the first where none has one.
    `parents` names the document of the row that each one continues, -1 for none. The first document of unit i
    continues trunk `under[i]`; trunks no unit of the row needs are left out.
    """
    needed = {at for at in under if at >= 0}
    for at in range(len(trunks) - 1, -1, -1):
        if at in needed and trunks[at].continues >= 0:
            needed.add(trunks[at].continues)
    place = {at: i for i, at in enumerate(sorted(needed))} | {-1: -1}
    documents = [trunks[at] for at in sorted(needed)]
    parents = [place[trunk.continues] for trunk in documents]
    for unit, at in zip(units, under or [-1] * len(units), strict=True):
        first = len(documents)
        parents += [d.continues + first if d.continues >= 0 else -1 for d in unit]
        parents[first] = place[at]
        documents += unit
    starts: list[int] = []
    for parent in parents:
        starts.append(starts[parent] + len(documents[parent].ids) if parent >= 0 else 0)
    lengths = torch.tensor([len(d.ids) for d in documents])
    labels = torch.tensor([label for d in documents for label in d.labels])
    targets = shift_labels(labels, lengths)
    scored = (targets != IGNORE).nonzero().squeeze(1)
    return {
        "input_ids": torch.tensor([token for d in documents for token in d.ids])[None],
        "position_ids": torch.cat([torch.arange(len(d.ids)) + s for d, s in zip(documents, starts, strict=True)])[
            None
        ],
        "targets": targets[None],
        "scored": scored if len(scored) else torch.zeros(1, dtype=torch.long),
        "documents": lengths,
        "parents": torch.tensor(parents),
        "units": torch.tensor(list(numbers), dtype=torch.long),
    }


def collate_row(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A batch is one row: rows are the unit of memory, and accumulation counts tokens, not rows."""
    (row,) = rows
    return row
