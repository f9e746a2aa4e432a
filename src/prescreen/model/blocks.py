"""Packed attention on a CUDA card: torch's flex_attention, which never computes a block of pairs that see nothing.

A sliding layer so costs as many pairs as its window is wide, and a document pays for itself and what it continues,
not for its neighbours. The sink is folded in afterwards by the log-sum-exp, which is exact: it takes part in the
normalisation and has no value, so the output shrinks by exp(lse) / (exp(lse) + exp(sink)). Its gradient, and that
of the log-sum-exp, are autograd's. Knows lengths and tensors, nothing about a model.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, flex_attention

BLOCK = 128  # tokens of a block, in queries and in keys
STEP = 1024  # rows are padded to a multiple of this, so that a compiler meets few sizes


class Fragments(NamedTuple):
    """A row cut where a block or a document ends: each fragment's block and document, first and last position."""

    block: np.ndarray
    document: np.ndarray
    first: np.ndarray
    last: np.ndarray


def cut_fragments(sizes: np.ndarray, starts: np.ndarray) -> Fragments:
    """`sizes` of a row's documents, in tokens, and the position at which each begins."""
    ends = np.cumsum(sizes)
    cuts = np.union1d(np.arange(0, ends[-1], BLOCK), ends)
    cuts, lengths = cuts[:-1], np.diff(cuts)
    document = np.searchsorted(ends, cuts, side="right")
    first = cuts - (ends - sizes)[document] + starts[document]
    return Fragments(cuts // BLOCK, document, first, first + lengths - 1)


def find_blocks(fragments: Fragments, sees: np.ndarray, window: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Booleans [blocks, blocks], queries by keys: where a mask decides, and where every query sees every key.

    Two fragments' distances are all numbers from their nearest to their farthest pair, so both are exact.
    """
    nearest = fragments.first[:, None] - fragments.last
    farthest = fragments.last[:, None] - fragments.first
    related = sees[np.ix_(fragments.document, fragments.document)]
    within = window or fragments.last.max() + 1
    some = related & (farthest >= 0) & (nearest < within)
    every = related & (nearest >= 0) & (farthest < within)
    begins = np.searchsorted(fragments.block, np.arange(fragments.block[-1] + 1))

    def merge(found: np.ndarray, how: np.ufunc) -> np.ndarray:
        return how.reduceat(how.reduceat(found, begins, 0), begins, 1)

    full = merge(every, np.logical_and)
    return merge(some, np.logical_or) & ~full, full


def number_lineage(parents: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers [D] and ends [D]: a document continues those, itself included, whose [number, end) holds its own."""
    below = [1] * len(parents)
    for document in reversed(range(len(parents))):
        if parents[document] >= 0:
            below[parents[document]] += below[document]
    numbers: list[int] = []
    following = {-1: 0}
    for document, parent in enumerate(parents):
        numbers.append(following[parent])
        following[parent] += below[document]
        following[document] = numbers[document] + 1
    return np.array(numbers), np.add(numbers, below)


def list_blocks(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Booleans [Q, K] -> how many of each query block's key blocks, [1, 1, Q], and which, first ones first."""
    order = np.argsort(~found, axis=-1, kind="stable")
    return found.sum(-1)[None, None], order[None, None]


@lru_cache(maxsize=16)
def plan_blocks(
    lengths: tuple[int, ...], parents: tuple[int, ...], window: int | None, device: torch.device
) -> BlockMask:
    """Who sees whom in a row of documents, rounded up to `STEP`; `parents` as in `parts.plan_parts`.

    Tokens beyond the row are a document of their own, so that no query is without a key. Blocks are found from the
    documents' lengths, in numpy: torch's own `create_block_mask` looks at every pair of tokens.
    """
    size = -(-sum(lengths) // STEP) * STEP
    sizes = np.array([*lengths, size - sum(lengths)])
    numbers, ends = number_lineage([*parents, -1])
    sees = (numbers <= numbers[:, None]) & (numbers[:, None] < ends)
    starts = np.zeros(len(sizes), dtype=int)
    for document, parent in enumerate(parents):
        if parent >= 0:
            starts[document] = starts[parent] + lengths[parent]
    partial, full = find_blocks(cut_fragments(sizes, starts), sees, window)

    def send(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.int32)).to(device)

    position = send(np.arange(size) - np.repeat(np.cumsum(sizes) - sizes - starts, sizes))
    number, end = send(np.repeat(numbers, sizes)), send(np.repeat(ends, sizes))

    def allowed(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        distance = position[query] - position[key]
        seen = (number[key] <= number[query]) & (number[query] < end[key]) & (distance >= 0)
        return seen if window is None else seen & (distance < window)

    listed = [send(values) for found in (partial, full) for values in list_blocks(found)]
    return BlockMask.from_kv_blocks(*listed, BLOCK_SIZE=BLOCK, mask_mod=allowed, seq_lengths=(size, size))


def attend_blocks(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, mask: BlockMask, scale: float
) -> Tensor:
    """query [N, H, d], key and value [N, Hkv, d], sinks [H] -> [N, H, d]; log-sum-exp and sink are float32.

    Compiled on a card; on a CPU torch has the forward alone, which tests use.
    """
    size = mask.seq_lengths[0]
    attend: Any = _compile() if query.is_cuda else _attend
    return attend(*(_pad(t, size) for t in (query, key, value)), sinks, mask, scale)[: len(query)]


def _attend(query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, mask: BlockMask, scale: float) -> Tensor:
    q, k, v = (t.transpose(0, 1)[None] for t in (query, key, value))
    out, found = flex_attention(
        q, k, v, block_mask=mask, scale=scale, enable_gqa=True, return_aux=AuxRequest(lse=True)
    )
    share = torch.sigmoid(found.lse[0] - sinks.to(found.lse.dtype)[:, None])
    return (out[0] * share[..., None]).to(query.dtype).transpose(0, 1).contiguous()


@cache
def _compile() -> Any:
    return torch.compile(_attend)


def _pad(rows: Tensor, size: int) -> Tensor:
    return torch.nn.functional.pad(rows, (0, 0, 0, 0, 0, size - len(rows))).contiguous()
