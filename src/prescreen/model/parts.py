"""What attends to what in a packed row: documents, and documents that continue others.

A conversation's turns share their history and a preference pair its prompt: such a trunk stands in the row once,
and each branch continues it. Documents of similar length are attended together, so none pays for another's length.
Knows lengths, not tensors of a model.
"""

from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

LENGTH_STEP = 64  # documents are grouped by length in steps of this many tokens


class Group(NamedTuple):
    """Tokens of several documents laid side by side. `index` [D, L] into the row; `real` and `rows` pair the flat
    positions that are no padding with the rows they came from."""

    index: Tensor
    real: Tensor
    rows: Tensor


class Part(NamedTuple):
    """Queries against keys: those of their own documents (`keys` None, causal) or one ancestor's, all before them.

    `mask` is additive, [L, K]; None where nothing is hidden beyond what causality hides.
    """

    group: Group
    keys: Tensor | None
    mask: Tensor | None

    @property
    def own(self) -> bool:
        """Whether documents look at themselves: each token of a row stands in one such part, before all others."""
        return self.keys is None

    @property
    def causal(self) -> bool:
        """Whether the kernel's own causal mask says everything."""
        return self.own and self.mask is None

    @property
    def additive(self) -> Tensor | float:
        """What to add to scores [D, H, L, K] where the kernel has no causal mask of its own."""
        if not self.causal:
            return 0.0 if self.mask is None else self.mask
        index = self.group.index
        return index.new_full((index.shape[1],) * 2, float("-inf"), dtype=torch.float32).triu(1)


def lay_out(starts: list[int], sizes: list[int]) -> Group:
    """A group of pieces of a row; padding repeats some other token and is never used."""
    lengths = torch.tensor(sizes)
    offsets = torch.arange(max(sizes))
    index = torch.minimum(
        torch.tensor(starts)[:, None] + offsets, torch.tensor(starts)[:, None] + lengths[:, None] - 1
    )
    real = (offsets < lengths[:, None]).flatten().nonzero().squeeze(1)
    return Group(index, real, index.flatten()[real])


def hide(allowed: Tensor) -> Tensor | None:
    """Booleans as an additive mask; None when everything is allowed."""
    return None if allowed.all() else torch.zeros(allowed.shape).masked_fill_(~allowed, float("-inf"))


@lru_cache(maxsize=32)
def plan_parts(
    lengths: tuple[int, ...], parents: tuple[int, ...], window: int | None, device: torch.device
) -> list[Part]:
    """What attends to what in a row of documents; `parents` names the document each one continues, or -1."""
    with device:
        return _plan_parts(lengths, parents, window)


def _plan_parts(lengths: tuple[int, ...], parents: tuple[int, ...], window: int | None) -> list[Part]:
    starts = [0, *accumulate(lengths)]
    alike: dict[int, list[int]] = {}
    continued: dict[tuple[int, int], list[int]] = {}
    for number, length in enumerate(lengths):
        alike.setdefault(-(-length // LENGTH_STEP), []).append(number)
        ancestor, gap = parents[number], 0
        while ancestor >= 0:
            continued.setdefault((ancestor, gap), []).append(number)
            ancestor, gap = parents[ancestor], gap + lengths[ancestor]
    parts = []
    for members in alike.values():
        group = lay_out([starts[m] for m in members], [lengths[m] for m in members])
        longest = group.index.shape[1]
        hidden = window is not None and longest > window
        parts.append(Part(group, None, hide(allowed_keys(longest, window)) if hidden else None))
    for (ancestor, gap), members in continued.items():
        reach = lengths[ancestor] if window is None else min(lengths[ancestor], window - 1 - gap)
        if reach <= 0:
            continue
        sizes = [lengths[m] if window is None else min(lengths[m], window - 1 - gap) for m in members]
        end = starts[ancestor + 1]
        distance = torch.arange(max(sizes))[:, None] + gap + reach - torch.arange(reach)
        mask = None if window is None else hide(distance < window)
        parts.append(
            Part(
                lay_out([starts[m] for m in members], sizes),
                torch.arange(end - reach, end),
                mask,
            )
        )
    return parts


def allowed_keys(length: int, window: int | None) -> Tensor:
    """[L, L] booleans: causal, and at most `window` keys including the query itself."""
    position = torch.arange(length)
    distance = position[:, None] - position[None, :]
    allowed = distance >= 0
    return allowed & (distance < window) if window else allowed
