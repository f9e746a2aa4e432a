"""Short answers from any model, with room for a long thought only where one was begun.

A cheap first try serves models that answer at once; a turn cut off before its answer opened is asked again with
more room, so that a model which thinks longer is not taken for a silent one. Knows engines, no task.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prescreen.model.engine import Completion, Engine
    from prescreen.model.harmony import Message

ROOM = (60, 240, 720)  # tokens of a turn, thought included: the first, second and last try


def ask_briefly(
    engine: "Engine", prompts: "Sequence[list[Message]]", schema: dict[str, Any] | None = None
) -> "list[Completion]":
    """One completion for each prompt, in order: a call of the engine for all, and one more for the cut-off."""
    answers: dict[int, Completion] = {}
    left = list(range(len(prompts)))
    for room in ROOM:
        if left:
            found = engine.generate([prompts[i] for i in left], schema=schema, max_tokens=room)
            answers.update(zip(left, found, strict=True))
        left = [i for i in left if answers[i].finish == "length" and not answers[i].text.strip()]
    return [answers[i] for i in range(len(prompts))]
