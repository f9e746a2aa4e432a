"""Greedy decoding of many turns at once, exact, without the waste of a general loop.

The beginning that all prompts share is read once; keys and values lie in buffers with room, so a step writes one
column and copies nothing; a finished turn leaves the batch. Token by token the same as transformers' `generate`
(tests/model/test_decode.py). Knows nothing about Harmony or schemas: a chooser is asked for every token.
"""

from collections.abc import Collection, Sequence
from copy import copy
from itertools import takewhile
from typing import Any, Protocol

import torch
from torch import Tensor

SLIDING = "sliding_attention"  # transformers' name in `config.layer_types`
TOGETHER = 16  # prompts read at a time
NOWHERE = 2**30  # the position of padding: later than every query, so nobody sees it


class Chooser(Protocol):
    """What comes next in each turn of the batch."""

    def choose(self, scores: Tensor) -> list[int]:
        """One token for each turn by its scores [turns, vocabulary]; the turns go on with them."""

    def keep(self, turns: Sequence[int]) -> None:
        """Go on with these turns, in this order."""


class KeyValues:
    """Keys and values of a batch of turns [turns, kv heads, columns, size], one pair of buffers a layer.

    `positions` [turns, columns] says which place of its turn a column holds. A layer with a window is handed only
    the columns that some turn may still look at: the window, and `gap` more where padding parts a turn.
    """

    def __init__(self, model: Any, turns: int, room: int) -> None:
        config = model.config
        self.window, self.kinds = config.sliding_window, tuple(config.layer_types)  # asked for in every step
        self.positions = torch.full((turns, room), NOWHERE, device=model.device)
        self.used = 0  # columns written before this call of the model
        self.gap = 0
        shape = (turns, config.num_key_value_heads, room, config.head_dim)
        # zeros, for a column that nobody sees is multiplied all the same
        self.buffers = [
            tuple(torch.zeros(shape, dtype=model.dtype, device=model.device) for _ in range(2))
            for _ in range(config.num_hidden_layers)
        ]

    def part(self, turns: slice, first: int) -> "KeyValues":
        """Some turns from a column on, as a batch of their own in the same memory, of which nothing is used yet."""
        part = copy(self)
        part.positions, part.used = self.positions[turns, first:], 0
        part.buffers = [tuple(buffer[turns, :, first:] for buffer in pair) for pair in self.buffers]
        return part

    def begin_with(self, beginning: "KeyValues") -> None:
        """Every turn begins with what one turn has read."""
        self.used = beginning.used
        self.positions[:, : self.used] = beginning.positions
        for pair, known in zip(self.buffers, beginning.buffers, strict=True):
            for buffer, one in zip(pair, known, strict=True):
                buffer[:, :, : self.used] = one

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, ...]:
        """transformers' cache interface: remember these columns, and return all that the layer may look at."""
        end = self.used + keys.shape[2]
        for buffer, new in zip(self.buffers[layer], (keys, values), strict=True):
            buffer[: len(new), :, self.used : end] = new
        start = self.start(self.kinds[layer])
        return tuple(buffer[: len(keys), :, start:end] for buffer in self.buffers[layer])

    def start(self, kind: str) -> int:
        """The first column that this kind of layer may look at."""
        return max(0, self.used + 1 - self.window - self.gap) if kind == SLIDING else 0

    def mask(self, kind: str, positions: Tensor, end: int, dtype: torch.dtype) -> Tensor:
        """Additive mask [turns, 1, new, columns] of this kind of layer."""
        known = self.positions[:, None, None, self.start(kind) : end]
        asking = positions[:, None, :, None]
        seen = known <= asking
        if kind == SLIDING:
            seen &= known > asking - self.window
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)

    def read(self, model: Any, ids: Tensor, positions: Tensor) -> Tensor:
        """Run the model on these columns [turns, new]; scores of what follows the last, [turns, vocabulary]."""
        return self.read_all(model, ids, positions, 1)[:, -1]

    def read_all(self, model: Any, ids: Tensor, positions: Tensor, keep: int) -> Tensor:
        """The same with the scores of what follows each of the last `keep` columns, [turns, keep, vocabulary]."""
        end = self.used + ids.shape[1]
        self.positions[:, self.used : end] = positions
        masks = {kind: self.mask(kind, positions, end, model.dtype) for kind in set(self.kinds)}
        output = model(
            ids,
            attention_mask=masks,
            position_ids=positions,
            past_key_values=self,
            use_cache=True,
            rows=torch.arange(ids.shape[1] - keep, ids.shape[1], device=ids.device),
            logits_to_keep=keep,
        )
        self.used = end
        return output.logits

    def keep(self, turns: Sequence[int]) -> None:
        """Go on with these turns, in this order; only those that change place are copied."""
        new = [i for i, turn in enumerate(turns) if i != turn]
        old = [turns[i] for i in new]
        for pair in self.buffers:
            for buffer in pair:
                buffer[new, :, : self.used] = buffer[old, :, : self.used]
        self.positions[new] = self.positions[old]
        self.positions = self.positions[: len(turns)]


@torch.inference_mode()
def decode(
    model: Any, prompts: Sequence[Sequence[int]], chooser: Chooser, max_tokens: int, stops: Collection[int]
) -> list[list[int]]:
    """The token that is chosen, again and again; each turn's new tokens, its stop token included.

    A turn without a stop token reached `max_tokens`.
    """
    device = model.device
    state, scores = read_prompts(model, prompts, max_tokens)
    answers: list[list[int]] = [[] for _ in prompts]
    running = list(range(len(prompts)))
    for _ in range(max_tokens):
        tokens = chooser.choose(scores)
        for turn, token in zip(running, tokens, strict=True):
            answers[turn].append(token)
        order = close_ranks([token not in stops for token in tokens])
        if len(order) < len(running):
            state.keep(order)
            chooser.keep(order)
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


def read_turn(model: Any, ids: Sequence[int]) -> tuple[KeyValues, Tensor]:
    """One turn's keys and values, and scores [1, vocabulary] of what follows."""
    state = KeyValues(model, 1, len(ids))
    places = torch.arange(len(ids), device=model.device)[None]
    return state, state.read(model, torch.tensor([ids], device=model.device), places)


def read_prompts(model: Any, prompts: Sequence[Sequence[int]], room: int) -> tuple[KeyValues, Tensor]:
    """The prompts' keys and values, with room for more tokens, and scores [prompts, vocabulary] of what follows.

    All end in the same column. A few are read at a time, each padded to the longest of these alone.
    """
    device = model.device
    shared, width = shared_length(prompts), max(map(len, prompts))
    beginning = read_turn(model, prompts[0][:shared])[0] if shared else KeyValues(model, 1, 0)
    state = KeyValues(model, len(prompts), width + room)
    found = []
    for first in range(0, len(prompts), TOGETHER):
        some = prompts[first : first + TOGETHER]
        longest = max(map(len, some))
        pads = [longest - len(prompt) for prompt in some]
        part = state.part(slice(first, first + len(some)), width - longest)
        part.begin_with(beginning)
        state.gap = max(state.gap, *pads)
        ids = [[0] * pad + list(prompt[shared:]) for pad, prompt in zip(pads, some, strict=True)]
        places = [[NOWHERE] * pad + list(range(shared, len(p))) for pad, p in zip(pads, some, strict=True)]
        found.append(part.read(model, torch.tensor(ids, device=device), torch.tensor(places, device=device)))
    state.used = width
    return state, torch.cat(found)


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
