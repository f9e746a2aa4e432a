"""How far an export has moved from the model it was made of, on held-out rows.

KL per trained token with its standard error over rows, agreement of the likeliest token, and what matters to a
nurse: whether both would name the same level where an answer states it. Teacher-forced, so it is cheap and paired.
Knows two models and documents, nothing about rounding.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from prescreen.clinic.acuity import Acuity
from prescreen.model.loss import IGNORE
from prescreen.model.split import unwrap
from prescreen.train.documents import split_text, turn_documents
from prescreen.train.objectives import head_weight, scored_states
from prescreen.train.packing import PackedRows
from prescreen.train.sharing import Document
from prescreen.train.trainer import use_packed_attention

TOGETHER = 4096  # tokens of documents read at once
_LEVELS = "|".join(level.value for level in Acuity)
STATED = re.compile(
    rf'"acuity":"({_LEVELS})"|\b({_LEVELS})<\|(?:end|return)\|>'
)  # in the report, or ending a thought


class Drift(NamedTuple):
    """Sums over rows; `rows` holds one (KL, tokens) pair each."""

    rows: list[tuple[float, int]]
    same_token: int
    same_level: int
    num_levels: int

    def report(self) -> dict[str, float | int | None]:
        """Figures with their counts; `level_agreement` is none where no row states a level."""
        tokens = sum(n for _, n in self.rows)
        mean = sum(kl for kl, _ in self.rows) / tokens
        spread = sum((kl - mean * n) ** 2 for kl, n in self.rows)
        count = len(self.rows)
        return {
            "kl_per_token": mean,
            "standard_error": (spread * count / max(1, count - 1)) ** 0.5 / tokens,
            "top_token_agreement": self.same_token / tokens,
            "num_tokens": tokens,
            "level_agreement": self.same_level / self.num_levels if self.num_levels else None,
            "num_levels": self.num_levels,
            "num_rows": count,
        }


def last_documents(rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Document]:
    """The last assistant turn of each conversation, or the beginning of a text; what is longer is left out."""
    found = []
    for row in rows:
        if "messages" in row:
            found.append(turn_documents(row["messages"], tokenizer)[-1])
        elif "text" in row:
            found += split_text(row["text"], tokenizer, max_length)[:1]
    return [document for document in found if len(document.ids) <= max_length]


def level_places(document: Document, tokenizer: Tokenizer) -> list[list[int]]:
    """For each place where the trained part states a level: the indices of the tokens that spell it."""
    text, starts = "", []
    for token, label in zip(document.ids, document.labels, strict=True):
        starts.append(len(text))
        text += tokenizer.decode([token], skip_special_tokens=False) if label != IGNORE else ""
    ends = [*starts[1:], len(text)]
    spans = [match.span(match.lastindex or 0) for match in STATED.finditer(text)]
    return [
        [i for i, (a, b) in enumerate(zip(starts, ends, strict=True)) if a < end and b > start and a < b]
        for start, end in spans
    ]


@torch.inference_mode()
def measure_drift(
    before: nn.Module, after: nn.Module, tokenizer: Tokenizer, documents: Sequence[Document]
) -> Drift:
    """KL(before || after) and agreement at every trained token."""
    for model in (before, after):
        use_packed_attention(model)
        model.eval()
    rows, same_token, same_level, num_levels = [], 0, 0, 0
    states = [scored_by_document(model, documents) for model in (before, after)]
    for document, *pair in zip(documents, *states, strict=True):
        trained = [i for i, label in enumerate(document.labels) if label != IGNORE and i > 0]
        p, q = (
            (found @ head_weight(model).T).float().log_softmax(-1)
            for found, model in zip(pair, (before, after), strict=True)
        )
        rows.append((float((p.exp() * (p - q)).sum()), len(trained)))
        agree = p.argmax(-1) == q.argmax(-1)
        same_token += int(agree.sum())
        same = dict(zip(trained, agree.tolist(), strict=True))
        places = level_places(document, tokenizer)
        num_levels += bool(places)
        same_level += bool(places) and all(same[i] for place in places for i in place)
    return Drift(rows, same_token, same_level, num_levels)


def scored_by_document(model: nn.Module, documents: Sequence[Document]) -> list[Tensor]:
    """Of each document the hidden states [n, h] that predict its trained tokens; several are read in a row."""
    device = next(unwrap(model).parameters()).device
    rows = PackedRows([[document] for document in documents], max(TOGETHER, *(len(d.ids) for d in documents)), 1, 0)
    found: list[Tensor] = [torch.empty(0)] * len(documents)
    for number, members in enumerate(rows.rows):
        batch = {name: tensor.to(device) for name, tensor in rows[number].items()}
        counts = [sum(label != IGNORE for label in documents[i].labels[1:]) for i in members]
        for i, states in zip(members, scored_states(model, batch)[0].split(counts), strict=True):
            found[i] = states
    return found
