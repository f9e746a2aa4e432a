"""The two objectives: cross-entropy and DPO, both from hidden states of packed rows.

Each returns a sum; the trainer divides by the items of the whole step. Knows nothing about the loop.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prescreen.model.loss import IGNORE, sum_cross_entropy, token_logprobs
from prescreen.model.split import unwrap
from prescreen.train.sharding import gather

Batch = dict[str, Tensor]


def hidden_states(model: nn.Module, batch: Batch, rows: Tensor | None = None) -> Tensor:
    """Final hidden states of one packed row, [N, h], or of some of its positions, [rows, h]; no vocabulary yet."""
    output = unwrap(model).model(
        input_ids=batch["input_ids"],
        position_ids=batch["position_ids"],
        documents=batch["documents"].tolist(),
        parents=batch["parents"].tolist(),
        rows=rows,
        use_cache=False,
    )
    return output.last_hidden_state[0]


def scored_states(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Hidden states [n, h] and targets [n] of the positions that predict a trained token."""
    scored = batch["scored"]
    return hidden_states(model, batch, scored), batch["targets"][0].index_select(0, scored)


def head_weight(model: nn.Module) -> Tensor:
    """The vocabulary head, [V, h]."""
    return gather(unwrap(model).lm_head.weight)


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Summed negative log-likelihood of the trained tokens."""
    states, targets = scored_states(model, batch)
    return sum_cross_entropy(states, head_weight(model), targets)


def count_tokens(batch: Batch) -> int:
    """Trained tokens of a row."""
    return int((batch["targets"] != IGNORE).sum())


def document_logprobs(model: nn.Module, batch: Batch) -> Tensor:
    """Log-probability of the trained tokens of each document that has any, in row order."""
    states, targets = scored_states(model, batch)
    return _by_document(batch, token_logprobs(states, head_weight(model), targets))


def _by_document(batch: Batch, scores: Tensor) -> Tensor:
    """Sums of the scored positions' scores [n] over each document that trains any token, in row order."""
    scored = batch["scored"]
    owner = torch.repeat_interleave(torch.arange(len(batch["documents"]), device=scores.device), batch["documents"])
    owner = owner.index_select(0, scored)
    summed = torch.zeros(len(batch["documents"]), device=scores.device).index_add(0, owner, scores)
    return summed[owner[batch["targets"][0].index_select(0, scored) != IGNORE].unique()]


def count_pairs(batch: Batch) -> int:
    """Preference pairs of a row."""
    return len(batch["units"])


def dpo(beta: float, reference: Tensor, sft_weight: float = 0.0) -> Callable[[nn.Module, Batch], Tensor]:
    """Rafailov et al. 2023, eq. 7. `reference` [pairs, 2]: log-probs of chosen and rejected before training.

    With `sft_weight` the chosen answer's mean loss per token is added (Pang et al. 2024, eq. 2): plain DPO lowers
    both answers' chances as long as the rejected one falls faster.
    """

    def objective(model: nn.Module, batch: Batch) -> Tensor:
        policy = document_logprobs(model, batch).reshape(-1, 2)
        gains = policy - reference.to(policy.device)[batch["units"]]
        loss = -F.logsigmoid(beta * (gains[:, 0] - gains[:, 1])).sum()
        if sft_weight:
            tokens = _by_document(batch, torch.ones_like(batch["scored"], dtype=torch.float)).reshape(-1, 2)
            loss = loss - sft_weight * (policy[:, 0] / tokens[:, 0]).sum()
        return loss

    return objective


def kto_answers(beta: float, reference: Tensor, wanted: Tensor) -> Callable[[nn.Module, Batch], Tensor]:
    """Ethayarajh et al. 2024 over single answers, wanted or not; the reference point is the row's mean gain.

    `reference` [answers, 1]. Both sides weigh as much in sum, however many answers each has.
    """
    share = wanted.float().mean().clamp(min=1e-6, max=1 - 1e-6)
    signed = torch.where(wanted, 0.5 / share, -0.5 / (1 - share))

    def objective(model: nn.Module, batch: Batch) -> Tensor:
        policy = document_logprobs(model, batch)
        units = batch["units"]
        gains = policy - reference.to(policy.device)[units, 0]
        return judge_answers(gains, signed.to(policy.device)[units], beta)

    return objective


def judge_answers(gains: Tensor, signed: Tensor, beta: float) -> Tensor:
    """The summed loss of answers by their gains; the sign of a weight says whether an answer is wanted."""
    point = gains.detach().mean().clamp(min=0)
    return (signed.abs() * (1 - torch.sigmoid(beta * signed.sign() * (gains - point)))).sum()


def kto(beta: float, reference: Tensor) -> Callable[[nn.Module, Batch], Tensor]:
    """Ethayarajh et al. 2024 with the reference point of the step's own pairs.

    Chosen and rejected are judged apart: each is pushed above or below the mean gain of the row, not of its
    twin, so that a pair whose rejected answer is merely clumsy does not dominate.
    """

    def objective(model: nn.Module, batch: Batch) -> Tensor:
        policy = document_logprobs(model, batch).reshape(-1, 2)
        gains = policy - reference.to(policy.device)[batch["units"]]
        point = gains.detach().mean().clamp(min=0)
        losses = (1 - torch.sigmoid(beta * (gains[:, 0] - point))) + (
            1 - torch.sigmoid(beta * (point - gains[:, 1]))
        )
        return losses.sum()

    return objective
