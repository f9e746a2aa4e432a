"""A fine-tuned token classifier as a finder of entities, from a folder on disk and never from a network.

Reads long texts in windows that overlap, joins tokens of one label, whatever the scheme of prefixes (BIO, BIOES,
none). Knows tokens and labels; what a label means is the caller's.
"""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch

from prescreen.errors import WeightsError

WINDOW: Final = 512  # tokens read at once, fewer where the model takes fewer
OVERLAP: Final = 64  # tokens that two windows share
_PREFIX: Final = re.compile(r"^[BIESLU]-", re.I)


class Found(NamedTuple):
    """`text[start:end]` carries a label, without its prefix."""

    start: int
    end: int
    label: str


class TokenClassifier:
    """The model of a folder that transformers can load; the label `O` marks nothing."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        if not (folder / "config.json").is_file():
            raise WeightsError(f"{folder}: holds no model; name the folder of a token classifier")
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: Any = AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError) as error:
            raise WeightsError(f"{folder}: is no token classifier ({type(error).__name__})") from None
        if not self._tokenizer.is_fast:
            raise WeightsError(f"{folder}: its tokenizer tells no positions; save a fast one")
        most = getattr(self._model.config, "max_position_embeddings", WINDOW)
        self._window = min(WINDOW, most)

    @torch.inference_mode()
    def find(self, text: str) -> list[Found]:
        """Every labelled stretch, in order; what two windows both see stands once."""
        windows = self._tokenizer(
            text, truncation=True, max_length=self._window, stride=min(OVERLAP, self._window // 4),
            return_overflowing_tokens=True, return_offsets_mapping=True, return_special_tokens_mask=True,
        )  # fmt: skip
        marks: list[Found] = []
        for ids, offsets, special in zip(
            windows["input_ids"], windows["offset_mapping"], windows["special_tokens_mask"], strict=True
        ):
            chosen = self._model(input_ids=torch.tensor([ids])).logits[0].argmax(-1).tolist()
            for number, (start, end), aside in zip(chosen, offsets, special, strict=True):
                label = self._model.config.id2label[number]
                if not aside and end > start and label != "O":
                    marks.append(Found(start, end, _PREFIX.sub("", label)))
        return join_marks(marks)


def join_marks(marks: list[Found]) -> list[Found]:
    """Neighbouring and overlapping marks of one label as one; a single character may lie between."""
    joined: list[Found] = []
    for mark in sorted(marks):
        if joined and mark.label == joined[-1].label and mark.start <= joined[-1].end + 1:
            joined[-1] = joined[-1]._replace(end=max(joined[-1].end, mark.end))
        else:
            joined.append(mark)
    return joined
