"""Losses from hidden states: only labelled positions meet the vocabulary, a chunk at a time.

gpt-oss has 201,088 logits a token (785 KB in fp32); a whole row of them is never materialised. Knows nothing
about models or data.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

IGNORE = -100


def shift_labels(labels: Tensor, documents: Tensor) -> Tensor:
    """Next-token targets for packed rows: position i is scored on token i+1 of the same document.

    labels [N] with IGNORE where untrained; documents [D] lengths. The last token of a document predicts nothing.
    """
    shifted = torch.cat([labels[1:], labels.new_full((1,), IGNORE)])
    shifted[torch.cumsum(documents, 0) - 1] = IGNORE
    return shifted


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of token losses; gradients are computed in the forward, so no logits are kept."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int) -> Tensor:
        d_hidden = torch.zeros_like(hidden)
        d_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        total = hidden.new_zeros((), dtype=torch.float32)
        for start in range(0, len(labels), chunk):
            part = slice(start, start + chunk)
            logits = (hidden[part] @ weight.T).float()
            target = labels[part, None]
            normaliser = logits.logsumexp(-1, keepdim=True)
            total += (normaliser - logits.gather(1, target)).sum()
            gradient = (logits - normaliser).exp_().scatter_add_(1, target, -torch.ones_like(normaliser))
            gradient = gradient.to(hidden.dtype)
            d_hidden[part] = gradient @ weight
            if d_weight is not None:
                d_weight += gradient.T @ hidden[part]
        ctx.save_for_backward(d_hidden, d_weight)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        d_hidden, d_weight = ctx.saved_tensors
        scale = gradients[0]
        return scale * d_hidden, None if d_weight is None else scale * d_weight, None, None


def sum_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int = 1024) -> Tensor:
    """Summed cross-entropy over labelled positions. hidden [N, h], weight [V, h], targets [N] (IGNORE skipped)."""
    labelled = targets != IGNORE
    return _LinearCrossEntropy.apply(hidden[labelled], weight, targets[labelled], chunk)


def token_logprobs(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int = 1024) -> Tensor:
    """Log-probability of each target, 0 where IGNORE. Shapes as above -> [N] in fp32; recomputed in backward."""

    def score(part: Tensor, target: Tensor) -> Tensor:
        return -F.cross_entropy((part @ weight.T).float(), target, reduction="none")

    labelled = (targets != IGNORE).nonzero().squeeze(1)
    scored = [checkpoint(score, hidden[rows], targets[rows], use_reentrant=False) for rows in labelled.split(chunk)]
    out = torch.zeros(len(targets), dtype=torch.float32, device=hidden.device)
    return out.index_put((labelled,), torch.cat(scored)) if scored else out
