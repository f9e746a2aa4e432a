"""Losses from hidden states: only labelled positions meet the vocabulary, a chunk at a time.

gpt-oss has 201,088 logits a token (785 KB in fp32); a whole row of them is never materialised. Knows nothing
about models or data.
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from prescreen.sizing import chunk_rows

IGNORE = -100


def shift_labels(labels: Tensor, documents: Tensor) -> Tensor:
    """Next-token targets for packed rows: position i is scored on token i+1 of the same document.

    labels [N] with IGNORE where untrained; documents [D] lengths. The last token of a document predicts nothing.
    """
    shifted = torch.cat([labels[1:], labels.new_full((1,), IGNORE)])
    shifted[torch.cumsum(documents, 0) - 1] = IGNORE
    return shifted


def _score(hidden: Tensor, weight: Tensor, targets: Tensor, with_slope: bool) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities of some targets, and their slope in the logits, target - softmax, in the hidden's dtype."""
    logits = (hidden @ weight.T).float()  # as wide as the vocabulary, so everything happens in its memory
    logits.sub_(logits.amax(-1, keepdim=True))
    stated = logits.gather(1, targets[:, None])
    total = logits.exp_().sum(-1, keepdim=True)
    scores = stated - total.log()
    if not with_slope:
        return scores[:, 0], None
    slope = logits.div_(-total).scatter_add_(1, targets[:, None], torch.ones_like(scores))
    return scores[:, 0], slope.to(hidden.dtype)


class _Logprobs(torch.autograd.Function):
    """Each target's log-probability under a frozen head; hidden's slope is found in the forward, no logits kept."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        scores = hidden.new_empty(len(targets), dtype=torch.float32)
        d_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        for start in range(0, len(targets), chunk):
            part = slice(start, start + chunk)
            scores[part], slope = _score(hidden[part], weight, targets[part], d_hidden is not None)
            if d_hidden is not None and slope is not None:
                torch.mm(slope, weight, out=d_hidden[part])
        ctx.save_for_backward(d_hidden)
        return scores

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (d_hidden,) = ctx.saved_tensors
        return (gradients[0][:, None] * d_hidden).to(d_hidden.dtype), None, None, None


class _SumForTrainedHead(torch.autograd.Function):
    """Sum of log-probabilities; the slopes of hidden and head are found in the forward, no logits kept.

    The backward scales them where they lie, so it runs once.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        d_hidden = torch.empty_like(hidden)
        d_weight = torch.empty_like(weight) if len(targets) else torch.zeros_like(weight)
        total = hidden.new_zeros((), dtype=torch.float32)
        for start in range(0, len(targets), chunk):
            part = slice(start, start + chunk)
            scores, slope = _score(hidden[part], weight, targets[part], True)
            assert slope is not None
            total += scores.sum()
            torch.mm(slope, weight, out=d_hidden[part])
            d_weight.addmm_(slope.T, hidden[part], beta=float(start > 0))
        ctx.save_for_backward(d_hidden, d_weight)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        d_hidden, d_weight = ctx.saved_tensors
        return d_hidden.mul_(gradients[0]), d_weight.mul_(gradients[0]), None, None


def sum_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int = 0) -> Tensor:
    """Summed cross-entropy over labelled positions. hidden [N, h], weight [V, h], targets [N] (IGNORE skipped).

    `chunk`: positions scored at a time; 0: as many as memory allows.
    """
    labelled = targets != IGNORE
    score = _SumForTrainedHead if torch.is_grad_enabled() and weight.requires_grad else _Logprobs
    return -score.apply(hidden[labelled], weight, targets[labelled], chunk or chunk_rows(len(weight))).sum()


def token_logprobs(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int = 0) -> Tensor:
    """Log-probability of each target, 0 where IGNORE. Shapes as above -> [N] in fp32.

    A head that trains is scored again in the backward, since each token's gradient has its own scale.
    """
    labelled = (targets != IGNORE).nonzero().squeeze(1)
    chunk = chunk or chunk_rows(len(weight))
    if torch.is_grad_enabled() and weight.requires_grad:
        again = partial(checkpoint, _cross_entropies, use_reentrant=False)
        parts = [-again(hidden[rows], weight, targets[rows]) for rows in labelled.split(chunk) if len(rows)]
        scores = torch.cat(parts) if parts else hidden.new_zeros(0, dtype=torch.float32)
    else:
        scores = _Logprobs.apply(hidden[labelled], weight, targets[labelled], chunk)
    return torch.zeros(len(targets), dtype=torch.float32, device=hidden.device).index_put((labelled,), scores)


def _cross_entropies(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy((hidden @ weight.T).float(), targets, reduction="none")
