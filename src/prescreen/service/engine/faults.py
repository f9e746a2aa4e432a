"""An engine that fails on purpose, in a set order or drawn by seed: for tests, load and a demo of failing.

What it writes when it is fine is a whole draft of the lowest level, so that a floor that leaks is seen at once.
Knows the shape of a draft and nothing about the service.
"""

import json
import os
import random
import threading
from collections.abc import Sequence
from typing import Any, Final, Literal

from prescreen.config import Strict
from prescreen.model.engine import Completion, Progress
from prescreen.model.harmony import Message

Behaviour = Literal[
    "fine", "slow", "hang", "crash", "die", "empty", "prose", "wrong_json", "wrong_schema", "strange_key",
    "truncated", "wrong_language", "leak", "loud_error", "no_answer",
]  # fmt: skip
QUESTIONS: Final = (
    "When did it start?",
    "How strong is it from 0 to 10?",
    "Is there anything that makes it better or worse?",
    "Which medicines do you take?",
    "Have you had this before?",
)
DRAFT: Final[dict[str, Any]] = {
    "acuity": "low", "summary": "Written by a script.",
    "history": {"conditions": [], "medications": [], "allergies": []},
    "findings": [], "red_flags": [], "differential": [], "rationale": "A script judges nothing.",
    "next_steps": [], "open_questions": ["When did it start?"], "uncertainty": "high",
}  # fmt: skip
ABROAD: Final = {**DRAFT, "summary": "Escrito por un programa.", "rationale": "Un programa no juzga nada."}


class Script(Strict):
    """What happens call by call, the last again and again; with `rates` the next is drawn instead.

    A hang ends after `hang_s`, so that a test leaves no thread behind. `die` ends the whole process: only for a
    host's.
    """

    behaviours: tuple[Behaviour, ...] = ("fine",)
    rates: dict[Behaviour, float] = {}
    seed: int = 0
    slow_s: float = 0.5
    hang_s: float = 3600.0


class FaultyEngine:
    """Answers by its script; `calls` counts what it was asked, `seen` keeps the instructions it was given."""

    def __init__(self, script: Script, name: str = "a script") -> None:
        self.script, self.name, self.calls = script, name, 0
        self.seen: list[str] = []
        self.released = threading.Event()
        self._random = random.Random(script.seed)
        self._lock = threading.Lock()

    def generate(
        self,
        prompts: Sequence[list[Message]],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 640,
        progress: Progress | None = None,
    ) -> list[Completion]:
        answers = [self._answer(messages, schema) for messages in prompts]
        if progress:
            progress(len(answers))
        return [answer for answer in answers if answer is not None]

    def _next(self, messages: list[Message]) -> tuple[Behaviour, int]:
        with self._lock:
            number, self.calls = self.calls, self.calls + 1
            self.seen.append(messages[0]["content"])
            if rates := self.script.rates:
                return self._random.choices(list(rates), list(rates.values()))[0], number
            return self.script.behaviours[min(number, len(self.script.behaviours) - 1)], number

    def _answer(self, messages: list[Message], schema: dict[str, Any] | None) -> Completion | None:
        behaviour, number = self._next(messages)
        said = messages[-1]["content"]
        whole = json.dumps(DRAFT) if schema else QUESTIONS[number % len(QUESTIONS)]
        match behaviour:
            case "slow":
                self.released.wait(self.script.slow_s)
            case "hang":
                self.released.wait(self.script.hang_s)
            case "crash":
                raise RuntimeError(f"no memory left while reading: {said}")
            case "die":
                os._exit(9)
            case "loud_error":
                return Completion("", finish="error", error=f"HTTP 500: cannot read {said}")
            case "no_answer":
                return None
            case "truncated":
                return Completion(whole[: len(whole) // 2], finish="length")
        return Completion(write(behaviour, whole, said), thinking=f"I think about: {said}")


def write(behaviour: Behaviour, whole: str, said: str) -> str:
    """The text of an answer that came in time."""
    texts = {
        "empty": "",
        "prose": f"The patient says: {said}",
        "wrong_json": '{"acuity": "low", ',
        "wrong_schema": json.dumps({**DRAFT, "acuity": "none"}),
        "strange_key": json.dumps({**DRAFT, said: 1}),
        "wrong_language": json.dumps(ABROAD) if whole.startswith("{") else "¿Cuándo empezó?",
        "leak": f"analysis<|message|>{said}<|end|>{whole}",
    }
    return texts.get(behaviour, whole)
