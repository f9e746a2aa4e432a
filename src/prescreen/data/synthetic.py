"""The synthesizer's cases and texts, placed into parts.

Knows which frames and conditions belong to which part: training and validation share both, the template suite
has its own frames, the condition suite its own conditions as well. What a case is made of is `synthesize`'s.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from prescreen.data import synthesize
from prescreen.data.gather import Gathered
from prescreen.data.records import Kind, Part, Text

Prose = Callable[[int, int, Literal["train", "test"]], Iterator[dict[str, str]]]
MAX_REPEATS = 100
VALID_SEED = 7919  # added to the seed: validation draws its own patients from the training frames


def gather_synthetic(found: Gathered, seed: int, *, train: int, valid: int, template: int, condition: int) -> None:
    """Add as many synthetic cases to each part."""
    make = synthesize.synthesize_cases
    for name, cases in (
        ("train", make(seed, train, "train", "seen")),
        ("valid", make(seed + VALID_SEED, valid, "train", "seen")),
        ("template", make(seed, template, "test", "seen")),
        ("condition", make(seed, condition, "test", "held_out")),
    ):
        found.cases[name].extend(cases)


def medical_prose(seed: int, part: Part, num_characters: int, taken: set[str]) -> list[Text]:
    """About so many characters of our own medical text."""
    return _collect(synthesize.medical_texts, seed, part, "medical", num_characters, taken)


def general_replay(seed: int, part: Part, medical: Sequence[Text], share: float, taken: set[str]) -> list[Text]:
    """Everyday text that makes up `share` of all characters, so that plain speech is not forgotten."""
    learned = sum(len(text.text) for text in medical)
    needed = round(learned * share / (1 - share))
    return _collect(synthesize.general_texts, seed, part, "general", needed, taken)


def _collect(make: Prose, seed: int, part: Part, kind: Kind, num_characters: int, taken: set[str]) -> list[Text]:
    """Texts not yet taken until there are enough characters; where only repeats come, it ends short."""
    texts: list[Text] = []
    total = repeats = 0
    frames: Literal["train", "test"] = "test" if part == "test" else "train"
    drawn = make(seed + (VALID_SEED if part == "valid" else 0), num_characters, frames)
    while total < num_characters and repeats < MAX_REPEATS:
        record = next(drawn)
        repeats = repeats + 1 if record["text"] in taken else 0
        if not repeats:
            name = f"{part}-{record['id']}"
            texts.append(Text(name, record["text"], synthesize.SOURCE, synthesize.LICENCE, kind))
            taken.add(record["text"])
            total += len(record["text"])
    return texts
