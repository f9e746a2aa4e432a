"""Decoding that cannot leave Harmony or the schema.

A turn is free until the final channel opens; the JSON inside it follows the schema token by token (llguidance,
which keeps control tokens out of strings); then the turn must stop. An analysis that runs over its budget is
closed for the model, and a turn that only repeats itself is ended. Knows tokens, not models.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import llguidance
import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from prescreen.model.harmony import encode_plain
from prescreen.model.tokenizer import RETURN

LOOP_LENGTH, LOOP_VARIETY = 64, 10  # so many tokens with so few different ones are a loop, not a report
COMPACT: Any = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}


@lru_cache(maxsize=2)
def read_vocabulary(tokenizer: Tokenizer, size: int) -> llguidance.LLTokenizer:
    """The tokenizer as llguidance knows it, with room for all `size` rows of a model's vocabulary."""
    stop = tokenizer.token_to_id(RETURN)
    return llguidance.LLTokenizer(tokenizer.to_str(), n_vocab=size, eos_token=stop)


class Grammar:
    """A JSON schema compiled for one vocabulary; `vocab_size` is the model's, which exceeds the tokenizer's."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, schema: Mapping[str, Any]) -> None:
        self.tokenizer, self.vocab_size = tokenizer, vocab_size
        self.source = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=COMPACT)

    @lru_cache(maxsize=512)  # noqa: B019  (a grammar lives as long as one call of an engine)
    def spell(self, text: bytes) -> int | None:
        """The first token of fixed text as the model was taught to write it; None when it may yet run on."""
        ids = encode_plain(text.decode(errors="ignore"), self.tokenizer)
        return ids[0] if len(ids) > 1 else None

    @cached_property
    def _compiled(self) -> llguidance.LLMatcher:
        matcher = llguidance.LLMatcher(read_vocabulary(self.tokenizer, self.vocab_size), self.source)
        if matcher.is_error():
            raise ValueError(f"the schema cannot be compiled: {matcher.get_error()}")
        return matcher

    def match(self) -> llguidance.LLMatcher:
        """A matcher at the start of the document."""
        return self._compiled.deep_copy()


class TurnState:
    """Where one generated turn stands: in analysis, in the final channel, or forced along."""

    def __init__(self, grammar: Grammar | None, budget: int, marks: Mapping[str, list[int]]) -> None:
        self.grammar, self.budget, self.marks = grammar, budget, marks
        self.matcher: llguidance.LLMatcher | None = None
        self.opened = False
        self.tokens: list[int] = []
        self.forced: list[int] = []

    def consume(self, token: int) -> None:
        """Advance by one generated token."""
        self.tokens.append(token)
        if self.forced:
            self.forced.pop(0)
        if self.is_stuck():
            self.matcher, self.opened, self.forced = None, True, [self.marks["stops"][0]]
        elif self.matcher is not None:
            self.matcher.consume_token(token)
            if self.matcher.is_stopped():  # the document is whole; nothing may follow it
                self.matcher, self.forced = None, [self.marks["stops"][0]]
        elif not self.opened and self.tokens[-len(self.marks["open"]) :] == self.marks["open"]:
            self.opened = True
            self.matcher = self.grammar.match() if self.grammar else None
        elif not self.opened and not self.forced and len(self.tokens) >= self.budget:
            closing = self.marks["close"] if self.marks["message"][0] in self.tokens else []
            self.forced = [*closing, *self.marks["open"]]

    def is_stuck(self) -> bool:
        """A greedy model can repeat itself for ever; such a turn is ended and will read as no report."""
        recent = self.tokens[-LOOP_LENGTH:]
        return len(recent) == LOOP_LENGTH and len(set(recent)) <= LOOP_VARIETY

    def choose(self, scores: Tensor, likeliest: int) -> int:
        """The next token by its scores [vocabulary]; all that are allowed are only looked for where need be."""
        if self.forced:
            return self.forced[0]
        fixed = self.matcher.compute_ff_bytes() if self.matcher is not None else b""
        # llguidance spells fixed text by merging behind a sentinel; a trimmed vocabulary lacks those merges
        first = self.grammar.spell(fixed) if fixed and self.grammar is not None else None
        if first is not None and self.allows(first):
            return first
        if not fixed and self.allows(
            likeliest
        ):  # fixed text may be spelt otherwise, but the model never learned so
            return likeliest
        return int(find_likeliest(scores.masked_fill(~self.allowed(len(scores)).to(scores.device), float("-inf"))))

    def allows(self, token: int) -> bool:
        """Whether it may come next. A turn may not end before its final channel opened."""
        if self.matcher is not None:
            return self.matcher.validate_tokens([token]) == 1
        return self.opened or token not in self.marks["stops"]

    def allowed(self, size: int) -> Tensor:
        """The same of every token, [size] booleans; of text that is fixed only the usual spelling."""
        if self.matcher is not None:
            bits = np.frombuffer(self.matcher.compute_bitmask(), np.uint8)
            return torch.from_numpy(np.unpackbits(bits, count=size, bitorder="little").view(bool))
        allowed = torch.ones(size, dtype=torch.bool)
        if not self.opened:
            allowed[self.marks["stops"]] = False
        return allowed


class TurnConstraint:
    """What comes next in each turn of a batch, one state per turn; see `decode.Chooser`."""

    def __init__(self, turns: int, tokenizer: Tokenizer, grammar: Grammar | None, budget: int) -> None:
        marks = turn_marks(tokenizer)
        self.states = [TurnState(grammar, budget, marks) for _ in range(turns)]

    def keep(self, turns: Sequence[int]) -> None:
        self.states = [self.states[i] for i in turns]

    def choose(self, scores: Tensor) -> list[int]:
        tokens = find_likeliest(scores).tolist()
        for i, state in enumerate(self.states):
            tokens[i] = state.choose(scores[i], tokens[i])
            state.consume(tokens[i])
        return tokens


def find_likeliest(scores: Tensor) -> Tensor | np.ndarray:
    """Indices of the highest scores [..., vocabulary], the first of equals."""
    if scores.device.type == "cpu" and scores.dtype == torch.float32:
        return scores.numpy().argmax(-1)  # in a twentieth of the time that torch takes on a CPU
    return scores.argmax(-1)


def turn_marks(tokenizer: Tokenizer) -> dict[str, list[int]]:
    """Token sequences that steer a turn."""

    def ids(*parts: str) -> list[int]:
        return [
            i
            for part in parts
            for i in ([tokenizer.token_to_id(part)] if part.startswith("<|") else encode_plain(part, tokenizer))
        ]

    return {
        "open": ids("<|channel|>", "final", "<|message|>"),
        "close": ids("<|end|>", "<|start|>", "assistant"),
        "message": ids("<|message|>"),
        "stops": ids("<|return|>", "<|call|>", "<|endoftext|>"),
    }
