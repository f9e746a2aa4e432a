"""Engines turn messages into completions: in-process transformers or a script; `model.endpoint` asks a server.

Every engine answers every prompt: a failure is a completion with `finish="error"`, for a human to decide. Knows
nothing about triage.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from prescreen.model.harmony import Message

PREFILL_PAIRS = 32 * 512**2  # attention scores of a batch while it reads its prompts, per head and layer
Progress = Callable[[int], None]  # called with the number of newly answered prompts


class Completion(NamedTuple):
    """One answer: the final channel's text, the analysis, why it ended and how many tokens it took."""

    text: str
    thinking: str = ""
    finish: Literal["stop", "length", "error"] = "stop"
    tokens: int = 0
    error: str = ""


class Engine(Protocol):
    """What draws completions. Answers come in the order of the prompts."""

    name: str

    def generate(
        self,
        prompts: Sequence[list[Message]],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 640,
        progress: Progress | None = None,
    ) -> list[Completion]: ...


class Opening(NamedTuple):
    """A prompt and the words its answer has begun with."""

    messages: Sequence[Message]
    begun: str


@runtime_checkable
class Probed(Protocol):
    """What says how likely an ending is, and draws endings: only a model whose weights are at hand can."""

    def score_endings(self, opening: Opening, endings: Sequence[str]) -> list[float]:
        """The log-probability of each ending."""

    def draw_endings(self, opening: Opening, max_tokens: int, draws: int, seed: int) -> list[str]:
        """The likeliest ending, then `draws` random ones."""


class ScriptedEngine:
    """Answers from a function: the fake at the seam, for tests and the demo of a failing model."""

    def __init__(self, answer: Callable[[list[Message]], str | Completion], name: str = "scripted") -> None:
        self.answer, self.name = answer, name

    def generate(
        self,
        prompts: Sequence[list[Message]],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 640,
        progress: Progress | None = None,
    ) -> list[Completion]:
        completions = []
        for messages in prompts:
            try:
                answer = self.answer(messages)
            except Exception as error:  # any fault of a model is a case for a human, never a crash of the queue
                answer = Completion("", finish="error", error=f"{type(error).__name__}: {error}")
            completions.append(answer if isinstance(answer, Completion) else Completion(answer))
            if progress:
                progress(1)
        return completions


class TransformersEngine:
    """Batched greedy decoding in this process, with the final channel held to the schema."""

    def __init__(self, model: Any, tokenizer: Any, name: str, *, batch_size: int = 32, thinking: int = 96) -> None:
        """`thinking` is the analysis budget in tokens; an analysis that runs over it is closed."""
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name
        self.batch_size, self.thinking = batch_size, thinking

    def generate(
        self,
        prompts: Sequence[list[Message]],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 640,
        progress: Progress | None = None,
    ) -> list[Completion]:
        from prescreen.model.constrain import Grammar
        from prescreen.model.harmony import encode_pieces, render_prompt

        grammar = Grammar(self.tokenizer, self.model.config.vocab_size, schema) if schema else None
        encoded = [encode_pieces(render_prompt(messages), self.tokenizer).ids for messages in prompts]
        answers: dict[int, Completion] = {}
        for batch in by_length(encoded, self.batch_size):
            completions = self._batch([encoded[i] for i in batch], grammar, max_tokens)
            answers.update(zip(batch, completions, strict=True))
            if progress:
                progress(len(batch))
        return [answers[i] for i in range(len(prompts))]

    def score_endings(self, opening: Opening, endings: Sequence[str]) -> list[float]:
        from prescreen.model.likelihood import score_endings

        return score_endings(self.model, self.tokenizer, opening.messages, opening.begun, endings)

    def draw_endings(self, opening: Opening, max_tokens: int, draws: int, seed: int) -> list[str]:
        from prescreen.model.likelihood import draw_endings

        return draw_endings(
            self.model, self.tokenizer, opening.messages, opening.begun, max_tokens, draws=draws, seed=seed
        )

    def _batch(self, prompts: list[list[int]], grammar: Any, max_tokens: int) -> list[Completion]:
        from prescreen.model.constrain import TurnConstraint
        from prescreen.model.decode import decode
        from prescreen.model.tokenizer import stop_ids

        chooser = TurnConstraint(len(prompts), self.tokenizer, grammar, self.thinking)
        turns = decode(self.model, prompts, chooser, max_tokens, stop_ids(self.tokenizer))
        return [self._read(turn) for turn in turns]

    def _read(self, ids: list[int]) -> Completion:
        from prescreen.model.harmony import split_channels
        from prescreen.model.tokenizer import stop_ids

        stops = set(stop_ids(self.tokenizer))
        end = next((i for i, token in enumerate(ids) if token in stops), None)
        used = ids if end is None else ids[:end]
        thinking, text = split_channels(used, self.tokenizer)
        return Completion(text, thinking, "length" if end is None else "stop", len(used))


def by_length(encoded: Sequence[Sequence[int]], size: int, pairs: int = PREFILL_PAIRS) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first, so that a batch pads little.

    Reading a prompt takes memory by the square of its length, so long prompts go fewer at a time: a batch has at
    most `pairs` of padded tokens, or one prompt.
    """
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
    while order:
        longest = max(len(encoded[order[0]]), 1)
        fit = min(size, max(pairs // longest**2, 1))
        yield order[:fit]
        order = order[fit:]


def load_engine(
    where: str | Path, *, batch_size: int = 32, thinking: int = 96, threads: int = 0
) -> TransformersEngine:
    """An in-process engine for `twin`, a model folder or a training run; `threads` 0 leaves torch's own choice."""
    import torch

    from prescreen.model.attention import register_cached_attention
    from prescreen.model.experts import register_experts
    from prescreen.model.last import spare_last_layer
    from prescreen.model.norms import fuse_norms
    from prescreen.model.weights import load_model

    if threads:
        torch.set_num_threads(threads)
    on_gpu = torch.cuda.is_available()
    model, tokenizer, folder = load_model(where, torch.bfloat16 if on_gpu else torch.float32)
    model.set_attn_implementation(register_cached_attention())
    if not on_gpu:
        model.set_experts_implementation(register_experts())
        fuse_norms(model)
    spare_last_layer(model)
    return TransformersEngine(
        model.to("cuda") if on_gpu else model,
        tokenizer,
        str(folder),
        batch_size=batch_size,
        thinking=thinking,
    )
