"""MXFP4, the storage format of gpt-oss experts: 32 four-bit values share one power-of-two scale.

Layout as in openai's checkpoints: for a weight [E, in, out], `blocks` is uint8 [E, out, in/32, 16] (low nibble =
even column) and `scales` uint8 [E, out, in/32] (biased by 127). Decoding is exact in bf16. OCP Microscaling
Formats v1.0 defines the values and the scale rule; rounding to less error than that rule is `train.rounding`'s.
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
    """Round to nearest under OCP's scale rule. weight [E, in, out] with `in` divisible by 32."""
    rows = weight.detach().float().transpose(1, 2)  # [E, out, in]
    grouped = rows.reshape(*rows.shape[:2], -1, BLOCK)
    exponent = floor_exponent(grouped)
    return pack(nearest_codes(grouped / torch.exp2(exponent)[..., None]), exponent)


def floor_exponent(grouped: Tensor) -> Tensor:
    """OCP's scale rule, [..., 32] -> [...]: the largest magnitude lands in [4, 8), of which 6 is the last value."""
    peak = grouped.abs().amax(-1)
    floor = torch.floor(torch.log2(peak.clamp(min=2.0**-126))) - LARGEST_EXPONENT
    return torch.where(peak > 0, floor, -BIAS).clamp(-BIAS, 254 - BIAS)


def nearest_codes(scaled: Tensor) -> Tensor:
    """The four-bit codes nearest to values that are already divided by their scale."""
    table = torch.tensor(VALUES, dtype=scaled.dtype, device=scaled.device)
    magnitude = torch.bucketize(scaled.abs().contiguous(), (table[1:] + table[:-1]) / 2)
    return (magnitude + 8 * (scaled < 0)).to(torch.uint8)


def code_values(codes: Tensor) -> Tensor:
    """What codes stand for, before scaling."""
    if codes.is_cuda:
        return compute_values(codes)
    return torch.tensor([*VALUES, *(-v for v in VALUES)])[codes.long()]


def compute_values(codes: Tensor) -> Tensor:
    """The same without looking anything up, for a card: `VALUES` is the largest of three lines."""
    magnitude = (codes & 7).float()
    value = torch.maximum(torch.maximum(magnitude * 0.5, magnitude - 2), magnitude * 2 - 8)
    return torch.where(codes >= 8, -value, value)


def pack(codes: Tensor, exponent: Tensor) -> Packed:
    """Codes [E, out, in/32, 32] and exponents [E, out, in/32] as stored."""
    return Packed(codes[..., 0::2] | (codes[..., 1::2] << 4), (exponent + BIAS).to(torch.uint8))


@fuse
def unpack(blocks: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """The exact stored values as they lie in the file, [E, out, in]."""
    low, high = code_values(blocks & 15), code_values(blocks >> 4)
    values = torch.stack([low, high], dim=-1).flatten(-2)  # [E, out, in/32, 32]
    return (values * torch.exp2(scales.float() - BIAS)[..., None]).flatten(-2).to(dtype)


def decode(packed: Packed, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """The exact stored values as [E, in, out]."""
    return unpack(*packed, dtype).transpose(1, 2).contiguous()
