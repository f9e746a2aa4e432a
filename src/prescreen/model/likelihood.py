"""How likely a model holds given endings of a begun answer, and what endings it draws by itself.

The prompt and the answer's beginning are read once for all endings. Knows tokens and a model, no reason to ask.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from prescreen.model.decode import KeyValues, decode, read_turn
from prescreen.model.harmony import Message, Piece, encode_pieces, encode_plain, render_prompt
from prescreen.model.tokenizer import stop_ids

MOST_SCORES = 2**26  # logits held at once: 256 MiB in fp32
FINAL = (Piece("<|channel|>", True, False), Piece("final", False, False), Piece("<|message|>", True, False))


def open_answer(messages: Sequence[Message], tokenizer: Tokenizer) -> list[int]:
    """The prompt with the final channel open."""
    return encode_pieces([*render_prompt(messages), *FINAL], tokenizer).ids


@torch.inference_mode()
def score_endings(
    model: Any, tokenizer: Tokenizer, messages: Sequence[Message], begun: str, endings: Sequence[str]
) -> list[float]:
    """The summed log-probability of each ending after `begun`, tokenized as training would, in one piece."""
    words = encode_plain(begun, tokenizer)
    whole = [encode_plain(begun + ending, tokenizer) for ending in endings]
    kept = min(_common(words, ids) for ids in whole)  # where an ending changes the last token, that is scored too
    prompt = [*open_answer(messages, tokenizer), *words[:kept]]
    tails = [ids[kept:] for ids in whole]
    width = max(map(len, tails))
    size = max(1, MOST_SCORES // (width * model.config.vocab_size))
    parts = (tails[i : i + size] for i in range(0, len(tails), size))
    return [score for part in parts for score in _score(model, prompt, part)]


def _score(model: Any, prompt: list[int], tails: Sequence[list[int]]) -> list[float]:
    width, device = max(map(len, tails)), model.device
    before, first = read_turn(model, prompt)
    state = KeyValues(model, len(tails), len(prompt) + width)
    state.begin_with(before)
    scores = first[:, None].expand(len(tails), 1, -1)
    targets = torch.tensor([tail + [0] * (width - len(tail)) for tail in tails], device=device)
    if width > 1:
        places = torch.arange(len(prompt), len(prompt) + width - 1, device=device).expand(len(tails), -1)
        scores = torch.cat([scores, state.read_all(model, targets[:, :-1], places, width - 1)], dim=1)
    each = scores.float().log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    real = torch.arange(width, device=device) < torch.tensor([len(tail) for tail in tails], device=device)[:, None]
    return (each * real).sum(-1).tolist()


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


class Drawing:
    """Draws at random at temperature 1 in every turn but the first, which takes the likeliest token.

    The largest of logits with Gumbel noise is a draw from their softmax. A turn's draws do not depend on which
    other turns are still running.
    """

    def __init__(self, turns: int, seed: int) -> None:
        self.turns, self.running = turns, list(range(turns))
        self.random = torch.Generator().manual_seed(seed)

    def choose(self, scores: Tensor) -> list[int]:
        uniform = torch.rand((self.turns, scores.shape[-1]), generator=self.random).clamp_(1e-20, 1 - 1e-7)
        noise = -uniform.log_().neg_().log_()
        noise[0] = 0
        return (scores.float() + noise[self.running].to(scores.device)).argmax(-1).tolist()

    def keep(self, turns: Sequence[int]) -> None:
        self.running = [self.running[i] for i in turns]


def draw_endings(
    model: Any,
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    begun: str,
    max_tokens: int,
    *,
    draws: int,
    seed: int,
) -> list[str]:
    """What the model itself says after `begun`: the likeliest ending, then `draws` random ones."""
    prompt = [*open_answer(messages, tokenizer), *encode_plain(begun, tokenizer)]
    stops = set(stop_ids(tokenizer))
    turns = decode(model, [prompt] * (1 + draws), Drawing(1 + draws, seed), max_tokens, stops)
    return [tokenizer.decode([token for token in ids if token not in stops]) for ids in turns]
