"""Harmony, gpt-oss's conversation format: rendering with a loss mask, encoding, and reading a turn back.

Rendered as a list of pieces, control tokens apart from content, so that nothing a patient types can become a
control token; `trained` marks exactly what the model itself must produce. Format: openai/harmony. Torch-free;
knows messages, not cases.
"""

from collections.abc import Sequence
from typing import NamedTuple, NotRequired, TypedDict

from tokenizers import Tokenizer

PINNED_DATE = "2026-01-01"  # training, evaluation and serving must see the same system block
IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."


class Message(TypedDict):
    """One chat message; `thinking` is an assistant's analysis channel."""

    role: str
    content: str
    thinking: NotRequired[str]


class Piece(NamedTuple):
    """A stretch of a rendered prompt: a control token or plain text, and whether it is trained."""

    text: str
    control: bool
    trained: bool


class Tokens(NamedTuple):
    """Token ids and, for each, whether the loss counts it. Equal lengths."""

    ids: list[int]
    mask: list[bool]


def _block(role: str, content: str, stop: str, channel: str = "", trained: bool = False) -> list[Piece]:
    """One Harmony message. A trained block trains all it contains, header and stop token included."""
    pieces = [Piece("<|start|>", True, trained), Piece(role, False, trained)]
    if channel:
        pieces += [Piece("<|channel|>", True, trained), Piece(channel, False, trained)]
    return [
        *pieces,
        Piece("<|message|>", True, trained),
        Piece(content, False, trained),
        Piece(stop, True, trained),
    ]


def _answer(message: Message) -> list[Piece]:
    """The last assistant turn as the model must produce it, after the supplied `<|start|>assistant`."""
    pieces = _block("assistant", message["content"], "<|return|>", "final", trained=True)
    if thinking := message.get("thinking"):
        pieces = _block("assistant", thinking, "<|end|>", "analysis", trained=True) + pieces
    return [piece._replace(trained=False) for piece in pieces[:2]] + pieces[2:]


def render_prompt(
    messages: Sequence[Message], *, date: str = PINNED_DATE, effort: str = "low", open_turn: bool = True
) -> list[Piece]:
    """System block, then the messages; `open_turn` ends with the header the model continues from.

    Earlier assistant turns keep only their final channel and end in `<|end|>`, as at inference.
    """
    system = (
        f"{IDENTITY}\nKnowledge cutoff: 2024-06\nCurrent date: {date}\n\nReasoning: {effort}\n\n"
        "# Valid channels: analysis, commentary, final. Channel must be included for every message."
    )
    pieces = _block("system", system, "<|end|>")
    for message in messages:
        role, content = message["role"], message["content"]
        if role == "developer":
            content = f"# Instructions\n\n{content}"
        pieces += _block(role, content, "<|end|>", "final" if role == "assistant" else "")
    return pieces + ([Piece("<|start|>", True, False), Piece("assistant", False, False)] if open_turn else [])


def render_turns(messages: Sequence[Message], **system: str) -> list[list[Piece]]:
    """One training example per assistant turn, each with its own analysis and `<|return|>`.

    Rendering a whole dialogue at once would train the earlier turns without analysis and without the stop
    token, and so teach the model to skip its reasoning and not to stop.
    """
    return [
        render_prompt(messages[:i], open_turn=False, **system) + _answer(message)  # type: ignore[arg-type]
        for i, message in enumerate(messages)
        if message["role"] == "assistant"
    ]


def encode_pieces(pieces: Sequence[Piece], tokenizer: Tokenizer) -> Tokens:
    """Token ids and loss mask. Content is encoded as plain text: a typed `<|return|>` stays text."""
    ids: list[int] = []
    mask: list[bool] = []
    for text, control, trained in pieces:
        new = [tokenizer.token_to_id(text)] if control else encode_plain(text, tokenizer)
        ids += new
        mask += [trained] * len(new)
    return Tokens(ids, mask)


def encode_plain(text: str, tokenizer: Tokenizer) -> list[int]:
    """Ids of plain text, control-token lookalikes included."""
    tokenizer.encode_special_tokens = True
    return tokenizer.encode(text, add_special_tokens=False).ids


def split_channels(ids: Sequence[int], tokenizer: Tokenizer) -> tuple[str, str]:
    """Read a generated turn back into (thinking, final text), whatever was left out."""
    names = {tokenizer.token_to_id(n): n for n in ("<|channel|>", "<|message|>", "<|start|>")}
    stops = {tokenizer.token_to_id(n) for n in ("<|end|>", "<|return|>", "<|call|>", "<|endoftext|>")}
    channels: dict[str, str] = {}
    channel, state, start = "final", "", 0
    for i, token in enumerate([*ids, -1]):
        name = names.get(token, "")
        if name or token in stops or token == -1:
            text = tokenizer.decode(list(ids[start:i]), skip_special_tokens=False)
            if state == "<|channel|>":
                channel = text.strip()
            elif state == "<|message|>":
                channels[channel] = channels.get(channel, "") + text
            state, start = name, i + 1
    return channels.get("analysis", ""), channels.get("final", "")
