"""MXFP4, the storage format of gpt-oss experts: 32 four-bit values share one power-of-two scale.

Layout as in openai's checkpoints: for a weight [E, in, out], `blocks` is uint8 [E, out, in/32, 16] (low nibble =
even column) and `scales` uint8 [E, out, in/32] (biased by 127). Decoding is exact in bf16. OCP Microscaling
Formats v1.0 defines the values and the scale rule.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from prescreen.model.fuse import fuse

VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
BLOCK, BIAS, LARGEST_EXPONENT = 32, 127, 2


class Packed(NamedTuple):
    """One expert weight as stored."""

    blocks: Tensor
    scales: Tensor


def encode(weight: Tensor) -> Packed:
    """Round to nearest. weight [E, in, out] with `in` divisible by 32."""
    rows = weight.detach().float().transpose(1, 2)  # [E, out, in]
    grouped = rows.reshape(*rows.shape[:2], -1, BLOCK)
    peak = grouped.abs().amax(-1)
    exponent = torch.where(peak > 0, torch.floor(torch.log2(peak.clamp(min=2.0**-126))) - LARGEST_EXPONENT, -BIAS)
    scaled = grouped / torch.exp2(exponent)[..., None]
    table = torch.tensor(VALUES)
    middles = (table[1:] + table[:-1]) / 2
    magnitude = torch.bucketize(scaled.abs().contiguous(), middles)
    code = (magnitude + 8 * (scaled < 0)).to(torch.uint8)
    return Packed(code[..., 0::2] | (code[..., 1::2] << 4), (exponent + BIAS).clamp(0, 254).to(torch.uint8))


@fuse
def unpack(blocks: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """The exact stored values as they lie in the file, [E, out, in]."""
    table = torch.tensor([*VALUES, *(-v for v in VALUES)], dtype=torch.float32, device=blocks.device)
    low, high = table[(blocks & 15).long()], table[(blocks >> 4).long()]
    values = torch.stack([low, high], dim=-1).flatten(-2)  # [E, out, in/32, 32]
    return (values * torch.exp2(scales.float() - BIAS)[..., None]).flatten(-2).to(dtype)


def decode(packed: Packed, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """The exact stored values as [E, in, out]."""
    return unpack(*packed, dtype).transpose(1, 2).contiguous()
