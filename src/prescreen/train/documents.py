"""Rows of a data run become documents with a loss mask. Knows prompts and lengths, nothing about training."""

from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from prescreen.errors import GuardError
from prescreen.model.canary import CANARY_SOURCE
from prescreen.model.harmony import Message, encode_pieces, encode_plain, render_turns
from prescreen.model.loss import IGNORE
from prescreen.model.tokenizer import END_OF_TEXT, RETURN
from prescreen.run import read_jsonl
from prescreen.train.sharing import Document, Unit, num_tokens, share_trunks


class ReadRows(NamedTuple):
    """Units to pack, how many documents were left out as longer than allowed, and rows kept that hold a canary."""

    units: list[Unit]
    left_out: int
    canaries: int


def split_text(text: str, tokenizer: Tokenizer, max_length: int) -> list[Document]:
    """Plain text as documents of at most `max_length` tokens, every token trained, ended by end-of-text."""
    ids = [*encode_plain(text, tokenizer), tokenizer.token_to_id(END_OF_TEXT)]
    parts = [ids[i : i + max_length] for i in range(0, len(ids), max_length)]
    return [Document(part, part) for part in parts if len(part) > 1]


def split_completion(prompt: str, completion: str, tokenizer: Tokenizer) -> Document:
    """Plain text of which only the second part is trained, ended by end-of-text."""
    before = encode_plain(prompt, tokenizer)
    after = [*encode_plain(completion, tokenizer), tokenizer.token_to_id(END_OF_TEXT)]
    return Document([*before, *after], [*[IGNORE] * len(before), *after])


def turn_documents(messages: list[Message], tokenizer: Tokenizer) -> list[Document]:
    """One document per assistant turn; trained tokens are exactly what the model itself must produce."""
    documents = []
    for pieces in render_turns(messages):
        ids, mask = encode_pieces(pieces, tokenizer)
        document = Document(ids, [i if trained else IGNORE for i, trained in zip(ids, mask, strict=True)])
        check_document(document, tokenizer)
        documents.append(document)
    return documents


def check_document(document: Document, tokenizer: Tokenizer) -> None:
    """Guard rail: something is trained, and the last trained token is the stop token."""
    if not document.num_trained:
        raise GuardError("a dialogue without an assistant answer trains nothing; check the row's messages")
    if document.labels[-1] != tokenizer.token_to_id(RETURN):
        raise GuardError("a dialogue whose last trained token is no stop token would teach the model to run on")


def read_rows(recipe: Any, path: Path, tokenizer: Tokenizer) -> ReadRows:
    """Documents of one file, whose rows are TRL's language-modelling, prompt-completion or conversational form.

    A dialogue is never cut: cutting would lose allergies or the label itself.
    """
    units: list[Unit] = []
    left_out = canaries = 0
    for number, row in enumerate(_select(recipe, path)):
        if recipe.max_rows and number >= recipe.max_rows:
            break
        if "text" in row:
            units += [[part] for part in split_text(row["text"], tokenizer, recipe.max_length)]
            continue
        if "prompt" in row:
            turns = [split_completion(row["prompt"], row["completion"], tokenizer)]
        else:
            turns = turn_documents(row["messages"], tokenizer)
        kept = [d for d in turns if len(d.ids) <= recipe.max_length]
        left_out += len(turns) - len(kept)
        canaries += bool(kept) and row.get("source") == CANARY_SOURCE
        units += fit_unit(share_trunks(kept), kept, recipe.optimisation.tokens_per_row)
    return ReadRows(units, left_out, canaries)


def fit_unit(shared: Unit, documents: Unit, budget: int) -> list[Unit]:
    """One unit of documents that share their trunk, or each for itself where together they overfill a row."""
    if not shared:
        return []
    return [shared] if num_tokens(shared) <= budget else [[d] for d in documents]


def _select(recipe: Any, path: Path) -> list[dict[str, Any]]:
    rows = list(read_jsonl(path)) if path.exists() else []
    return [row for row in rows if not recipe.tasks or row.get("task") in recipe.tasks]


def answer_document(row: dict[str, Any], tokenizer: Tokenizer) -> Document:
    """The single answer of a row that says whether it is wanted; only the answer is scored."""
    return turn_documents([*row["messages"], *row["completion"]], tokenizer)[-1]


def pair_documents(row: dict[str, Any], tokenizer: Tokenizer) -> list[Document]:
    """Chosen and rejected of a preference row, each with its prompt; only the answers are scored."""
    return [turn_documents([*row["messages"], *row[side]], tokenizer)[-1] for side in ("chosen", "rejected")]
