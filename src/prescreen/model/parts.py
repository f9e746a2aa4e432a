"""Who attends to whom in a packed row: documents, and documents that continue others.

A conversation's turns share their history and a preference pair its prompt: such a trunk stands in the row once,
and each branch continues it. Documents that continue the same ones and are alike in length are attended together,
so none pays for another's length. Knows lengths, not tensors of a model.
"""

from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

LENGTH_STEP = 32  # documents are grouped by length in steps of this many tokens


class Part(NamedTuple):
    """Documents side by side, each looking at its own tokens and at those it continues.

    `index` [D, L] names each document's tokens in the row, padding repeats the last and is never used. `real` and
    `padding` are flat positions in it, `rows` the tokens at the real ones. `before` [C] are the ancestors' tokens
    that may be seen, `keys` [D, C + L] these and the document's own. `mask` [L heads, C + L] is added to scores;
    the queries of the heads that share keys stand together, token after token.
    """

    index: Tensor
    real: Tensor
    padding: Tensor
    rows: Tensor
    before: Tensor
    keys: Tensor
    mask: Tensor


@lru_cache(maxsize=2)  # of the row at hand, with and without a window; masks of long documents are large
def plan_parts(
    lengths: tuple[int, ...], parents: tuple[int, ...], window: int | None, heads: int, device: torch.device
) -> list[Part]:
    """The parts of a row; `parents` names the document each one continues, an earlier one, or -1. `heads` share
    their keys. Whoever is continued stands in an earlier part."""
    starts = [0, *accumulate(lengths)]
    alike: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for number, length in enumerate(lengths):
        alike.setdefault((ancestors(number, parents), -(-length // LENGTH_STEP)), []).append(number)
    with device:
        return [
            _lay_out(
                [(starts[m], lengths[m]) for m in members], [(starts[a], lengths[a]) for a in older], window, heads
            )
            for (older, _), members in alike.items()
        ]


def ancestors(number: int, parents: tuple[int, ...]) -> tuple[int, ...]:
    """Whom a document continues, the oldest first."""
    found: list[int] = []
    while (number := parents[number]) >= 0:
        found.append(number)
    return tuple(reversed(found))


def _lay_out(members: list[tuple[int, int]], older: list[tuple[int, int]], window: int | None, heads: int) -> Part:
    starts, sizes = (torch.tensor(each) for each in zip(*members, strict=True))
    offsets = torch.arange(int(sizes.max()))
    index = starts[:, None] + torch.minimum(offsets, sizes[:, None] - 1)
    is_real = (offsets < sizes[:, None]).flatten()
    real, padding = (each.nonzero().squeeze(1) for each in (is_real, ~is_real))
    before = torch.cat([torch.arange(start, start + size) for start, size in older] or [index.new_zeros(0)])
    if window is not None:
        before = before[max(0, len(before) - window + 1) :]
    mask = allowed_keys(len(offsets), len(before), window, heads, index.device)
    keys = torch.cat([before.expand(len(index), -1), index], 1)
    return Part(index, real, padding, index.flatten()[real], before, keys, mask)


def allowed_keys(length: int, before: int, window: int | None, heads: int, device: torch.device) -> Tensor:
    """Additive [length heads, before + length]: causal, and at most `window` keys including the query itself."""
    distance = torch.arange(length, device=device)[:, None] + before - torch.arange(before + length, device=device)
    hidden = distance < 0
    if window is not None:
        hidden |= distance >= window
    return torch.zeros(hidden.shape, device=device).masked_fill_(hidden, float("-inf")).repeat_interleave(heads, 0)
