"""Greedy decoding of many turns at once, exact, without the waste of a general loop.

The beginning that all prompts share is read once; keys and values lie in buffers with room, so a step writes one
column and copies nothing; a finished turn leaves the batch. Token by token the same as transformers' `generate`
(tests/model/test_decode.py). Knows nothing about Harmony or schemas: a constraint is asked before every choice.
"""

from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Any, Protocol

import torch
from torch import Tensor

SLIDING = "sliding_attention"  # transformers' name in `config.layer_types`
NOWHERE = 2**30  # the position of padding: later than every query, so nobody sees it


class Constraint(Protocol):
    """What may come next in each turn of the batch."""

    def mask(self, scores: Tensor) -> Tensor:
        """Scores [turns, vocabulary] with what is forbidden at -inf."""

    def consume(self, tokens: Sequence[int]) -> None:
        """One chosen token for each turn."""

    def keep(self, turns: Sequence[int]) -> None:
        """Go on with these turns, in this order."""


class KeyValues:
    """Keys and values of a batch of turns [turns, kv heads, columns, size], one pair of buffers a layer.

    `positions` [turns, columns] says which place of its turn a column holds. A layer with a window is handed only
    the columns that some turn may still look at: the window, and `gap` more where padding parts a turn.
    """

    def __init__(self, config: Any, turns: int, room: int, gap: int, device: torch.device) -> None:
        self.config, self.gap = config, gap
        self.positions = torch.full((turns, room), NOWHERE, device=device)
        self.used = 0  # columns written before this call of the model
        self.buffers: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """transformers' cache interface: remember these columns, and return all for the turns that were asked."""
        if layer not in self.buffers:
            shape = (len(self.positions), keys.shape[1], self.positions.shape[1], keys.shape[3])
            self.buffers[layer] = (keys.new_empty(shape), keys.new_empty(shape))
        end = self.used + keys.shape[2]
        for buffer, new in zip(self.buffers[layer], (keys, values), strict=True):
            buffer[: len(self.positions), :, self.used : end] = new  # the shared beginning is written to every turn
        start = self.start(self.config.layer_types[layer])
        ours, theirs = self.buffers[layer]
        return ours[: len(keys), :, start:end], theirs[: len(keys), :, start:end]

    def start(self, kind: str) -> int:
        """The first column that this kind of layer may look at."""
        return max(0, self.used + 1 - self.config.sliding_window - self.gap) if kind == SLIDING else 0

    def mask(self, kind: str, positions: Tensor, end: int, dtype: torch.dtype) -> Tensor:
        """Additive mask [turns, 1, new, columns] of this kind of layer."""
        known = self.positions[: len(positions), None, None, self.start(kind) : end]
        asking = positions[:, None, :, None]
        seen = known <= asking
        if kind == SLIDING:
            seen &= known > asking - self.config.sliding_window
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)

    def read(self, model: Any, ids: Tensor, positions: Tensor) -> Tensor:
        """Run the model on these columns [turns or 1, new]; scores of what follows the last, [.., vocabulary]."""
        return self.read_all(model, ids, positions, 1)[:, -1]

    def read_all(self, model: Any, ids: Tensor, positions: Tensor, keep: int) -> Tensor:
        """The same with the scores of what follows each of the last `keep` columns, [.., keep, vocabulary]."""
        end = self.used + ids.shape[1]
        self.positions[:, self.used : end] = positions
        kinds = set(self.config.layer_types)
        masks = {kind: self.mask(kind, positions, end, model.dtype) for kind in kinds}
        output = model(
            ids,
            attention_mask=masks,
            position_ids=positions,
            past_key_values=self,
            use_cache=True,
            logits_to_keep=keep,
        )
        self.used = end
        return output.logits

    def keep(self, turns: Sequence[int]) -> None:
        """Go on with these turns, in this order; only those that change place are copied."""
        new = [i for i, turn in enumerate(turns) if i != turn]
        old = [turns[i] for i in new]
        for pair in self.buffers.values():
            for buffer in pair:
                buffer[new, :, : self.used] = buffer[old, :, : self.used]
        self.positions[new] = self.positions[old]
        self.positions = self.positions[: len(turns)]


@torch.inference_mode()
def decode(
    model: Any, prompts: Sequence[Sequence[int]], constraint: Constraint, max_tokens: int, stops: Collection[int]
) -> list[list[int]]:
    """The likeliest allowed token, again and again; each turn's new tokens, its stop token included.

    A turn without a stop token reached `max_tokens`.
    """
    device = model.device
    shared = shared_length(prompts)
    width = max(map(len, prompts)) - shared
    pads = [width - (len(prompt) - shared) for prompt in prompts]
    state = KeyValues(model.config, len(prompts), shared + width + max_tokens, max(pads), device)
    if shared:
        ids = torch.tensor([prompts[0][:shared]], device=device)
        state.read(model, ids, torch.arange(shared, device=device)[None])
    ids = [[0] * pad + list(prompt[shared:]) for pad, prompt in zip(pads, prompts, strict=True)]
    places = [[NOWHERE] * pad + list(range(shared, len(p))) for pad, p in zip(pads, prompts, strict=True)]
    scores = state.read(model, torch.tensor(ids, device=device), torch.tensor(places, device=device))
    answers: list[list[int]] = [[] for _ in prompts]
    running = list(range(len(prompts)))
    for _ in range(max_tokens):
        tokens = constraint.mask(scores).argmax(-1).tolist()
        constraint.consume(tokens)
        for turn, token in zip(running, tokens, strict=True):
            answers[turn].append(token)
        order = close_ranks([token not in stops for token in tokens])
        if len(order) < len(running):
            state.keep(order)
            constraint.keep(order)
            running, tokens = [running[i] for i in order], [tokens[i] for i in order]
        if not running:
            break
        next_places = [[len(prompts[turn]) + len(answers[turn]) - 1] for turn in running]
        scores = state.read(
            model,
            torch.tensor(tokens, device=device)[:, None],
            torch.tensor(next_places, device=device),
        )
    return answers


def shared_length(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all prompts begin with, leaving each at least one of its own; none for a prompt alone."""
    if len(prompts) == 1:
        return 0
    same = takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False))
    return min(sum(1 for _ in same), min(map(len, prompts)) - 1)


def close_ranks(stays: Sequence[bool]) -> list[int]:
    """Indices of what stays, with the last ones moved into the gaps: as few as possible change place."""
    count = sum(stays)
    movers = [i for i in range(count, len(stays)) if stays[i]]
    return [i if stays[i] else movers.pop() for i in range(count)]
