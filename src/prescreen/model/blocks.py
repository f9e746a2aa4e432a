"""Packed attention on a CUDA card: torch's flex_attention, which never computes a block of pairs that see nothing.

A sliding layer so costs as many pairs as its window is wide, and a document pays for itself and what it continues,
not for its neighbours. The sink is folded in afterwards by the log-sum-exp, which is exact: it takes part in the
normalisation and has no value, so the output shrinks by exp(lse) / (exp(lse) + exp(sink)). Its gradient, and that
of the log-sum-exp, are autograd's. Knows lengths and tensors, nothing about a model.
"""

from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, create_block_mask, flex_attention

BLOCK = 128  # tokens of a block, in queries and in keys


@lru_cache(maxsize=16)
def plan_blocks(
    lengths: tuple[int, ...], parents: tuple[int, ...], window: int | None, device: torch.device
) -> BlockMask:
    """Who sees whom in a row of documents, rounded up to whole blocks; `parents` as in `parts.plan_parts`.

    Tokens beyond the row are a document of their own, so that no query is without a key.
    """
    size = -(-sum(lengths) // BLOCK) * BLOCK
    sizes = torch.tensor([*lengths, size - sum(lengths)])
    sees = torch.eye(len(sizes), dtype=torch.bool)
    starts = [0] * len(sizes)
    for number, parent in enumerate(parents):
        if parent >= 0:
            sees[number] |= sees[parent]
            starts[number] = starts[parent] + lengths[parent]
    owner = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    first = torch.cumsum(sizes, 0) - sizes
    position = (torch.arange(size) - first[owner] + torch.tensor(starts)[owner]).to(device)
    owner, sees = owner.to(device), sees.to(device)

    def allowed(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        distance = position[query] - position[key]
        seen = sees[owner[query], owner[key]] & (distance >= 0)
        return seen if window is None else seen & (distance < window)

    return create_block_mask(allowed, None, None, size, size, device=device, _compile=device.type == "cuda")


@cache
def _kernel(device: str) -> Any:
    """Compiled on a card; on a CPU torch has the forward alone, which tests use."""
    return torch.compile(flex_attention) if device == "cuda" else flex_attention


def attend_blocks(
    query: Tensor, key: Tensor, value: Tensor, sinks: Tensor, mask: BlockMask, scale: float
) -> Tensor:
    """query [N, H, d], key and value [N, Hkv, d], sinks [H] -> [N, H, d]; log-sum-exp and sink are float32."""
    size = mask.seq_lengths[0]
    q, k, v = (_pad(t, size).transpose(0, 1)[None] for t in (query, key, value))
    attend = _kernel(query.device.type)
    out, found = attend(q, k, v, block_mask=mask, scale=scale, enable_gqa=True, return_aux=AuxRequest(lse=True))
    share = torch.sigmoid(found.lse[0] - sinks.to(found.lse.dtype)[:, None])
    return (out[0] * share[..., None]).to(query.dtype).transpose(0, 1)[: len(query)]


def _pad(rows: Tensor, size: int) -> Tensor:
    return torch.nn.functional.pad(rows, (0, 0, 0, 0, 0, size - len(rows)))
