"""Rounding one expert's weight to MXFP4 so that its outputs, not its numbers, stay close.

Second-order rounding (Frantar et al. 2022, GPTQ): inputs are rounded in turn, and the error of each is pushed onto
the inputs still to come, as far as the calibration tokens let them stand in for it. 32 inputs that share a scale
take the exponent that leaves the least error, not OCP's. The bias comes last and is not rounded, so it takes what
is left of the mean. Then each value is chosen again with all others as they are, a few times over. Knows one weight
and its statistics, neither layers nor models.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from prescreen.model.mxfp4 import BLOCK, Packed, code_values, floor_exponent, nearest_codes, pack

REACH = (0.0, -1.0, 1.0)  # exponents tried around OCP's; the first wins a tie, so that stored values stay stored
DAMPING = 0.03  # of the mean squared activation; what keeps rarely seen inputs near their nearest value
SWEEPS = 3  # each leaves less error than the one before
FEW_TOKENS = 32  # fewer say nothing about an expert


class Rounded(NamedTuple):
    """One expert's weight as stored, [1, ...], and the bias that goes with it, [out]."""

    packed: Packed
    bias: Tensor


class Statistics(NamedTuple):
    """What the calibration tokens of one expert say about one weight.

    `gram` [in + 1, in + 1]: sum of x x', where x ends in a constant 1 for the bias. `shift` likewise: sum of
    x (x0 - x)', where x0 is what the unrounded model sees there and x what the model sees whose earlier weights are
    already rounded.
    """

    gram: Tensor
    shift: Tensor
    tokens: int


def gather_statistics(seen: Tensor, meant: Tensor) -> Statistics:
    """seen, meant [n, in]: inputs with and without earlier rounding."""
    ones = seen.new_ones(len(seen), 1)
    x = torch.cat([seen, ones], 1).double()
    off = torch.cat([meant - seen, 0 * ones], 1).double()
    return Statistics(x.T @ x, x.T @ off, len(seen))


def round_nearest(weight: Tensor) -> Packed:
    """Each value to the nearest of its block's grid, at the exponent of least squared error. weight [in, out]."""
    grouped = weight.T.float().unflatten(1, (-1, BLOCK))  # [out, in/32, 32]
    exponents = _candidates(grouped)
    scale = torch.exp2(exponents)[..., None]
    codes = nearest_codes(grouped / scale)
    error = (code_values(codes) * scale - grouped).square().sum(-1)
    best = error.argmin(0, keepdim=True)
    chosen = codes.gather(0, best[..., None].expand(1, *grouped.shape))
    return pack(chosen, exponents.gather(0, best))


def round_compensated(weight: Tensor, bias: Tensor, statistics: Statistics) -> Rounded:
    """weight [in, out] and bias [out] -> what leaves the least error in the outputs of the calibration tokens."""
    size = len(weight)
    if statistics.tokens < FEW_TOKENS:
        return Rounded(round_nearest(weight), bias)
    gram = statistics.gram.clone()
    gram.diagonal().add_(
        DAMPING * max(1.0, size / statistics.tokens) * gram.diagonal()[:size].mean().clamp(min=1e-9)
    )
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    push = torch.linalg.cholesky(inverse, upper=True).float()
    exact = torch.cat([weight.double(), bias.double()[None]])
    exact = exact + inverse @ (statistics.shift @ exact)  # makes up for earlier rounding
    left = exact.T.float().contiguous()  # [out, in + 1]
    codes = torch.empty(left.shape[0], size, dtype=torch.uint8, device=left.device)
    exponents = left.new_empty(left.shape[0], size // BLOCK)
    for start in range(0, size, BLOCK):
        end = start + BLOCK
        found, exponents[:, start // BLOCK], errors = _round_block(left[:, start:end], push[start:end, start:end])
        codes[:, start:end] = found
        left[:, end:] -= errors @ push[start:end, end:]
    scale = torch.exp2(exponents).repeat_interleave(BLOCK, 1)
    chosen = torch.cat([code_values(codes) * scale, left[:, size:]], 1).T.double()
    codes = _sweep(chosen, exact, gram, scale.T.double())
    return Rounded(pack(codes.T.unflatten(1, (-1, BLOCK))[None], exponents[None]), chosen[size].float())


def _sweep(chosen: Tensor, exact: Tensor, gram: Tensor, scale: Tensor) -> Tensor:
    """Coordinate descent on the output error, in place: chosen, exact [in + 1, out], scale [in, out] -> codes."""
    size = len(scale)
    codes = nearest_codes(chosen[:size] / scale)
    slope = gram @ (chosen - exact)
    for start in [*range(0, size + 1, BLOCK)] * SWEEPS:
        part = slice(start, min(start + BLOCK, size + 1))
        near, before = slope[part].clone(), chosen[part].clone()
        for i in range(part.start, part.stop):
            wanted = chosen[i] - near[i - start] / gram[i, i]
            if i < size:
                codes[i] = nearest_codes(wanted / scale[i])
                wanted = code_values(codes[i]) * scale[i]
            near += gram[part, i : i + 1] * (wanted - chosen[i])
            chosen[i] = wanted
        slope += gram[:, part] @ (chosen[part] - before)
    return codes


def _round_block(block: Tensor, push: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[out, 32] -> codes, exponents [out] and scaled errors, at whichever exponent leaves the least error."""
    exponents = _candidates(block)  # [3, out]
    scale = torch.exp2(exponents)
    left = block.expand(len(exponents), *block.shape).clone()
    codes = torch.empty(left.shape, dtype=torch.uint8, device=left.device)
    errors = torch.empty_like(left)
    for i in range(BLOCK):
        codes[..., i] = nearest_codes(left[..., i] / scale)
        errors[..., i] = (left[..., i] - code_values(codes[..., i]) * scale) / push[i, i]
        left[..., i + 1 :] -= errors[..., i : i + 1] * push[i, i + 1 :]
    best = errors.square().sum(-1).argmin(0)
    at = torch.arange(len(block), device=block.device)
    return codes[best, at], exponents[best, at], errors[best, at]


def _candidates(grouped: Tensor) -> Tensor:
    """Exponents worth trying, [3, ...]."""
    floor = floor_exponent(grouped)
    return torch.stack([(floor + step).clamp(-127, 127) for step in REACH])
