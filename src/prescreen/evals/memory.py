"""An engine that remembers: the same question to the same weights is answered from a file.

A second evaluation, or an interrupted one, asks only what is new, however many turns a task takes. A crash is not
remembered. Knows questions and answers, not what they are for.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prescreen.config import digest
from prescreen.errors import GuardError
from prescreen.evals.drafting import hash_model_code
from prescreen.model.harmony import PINNED_DATE
from prescreen.run import write_lines

if TYPE_CHECKING:
    from prescreen.model.engine import Completion, Engine, Opening, Probed, Progress
    from prescreen.model.harmony import Message

PIECE = 320  # questions between two saves: whole batches of the usual sizes


@cache
def _hash_asking() -> str:
    """The pinned date and the code between a question and its answer."""
    return digest([PINNED_DATE, hash_model_code()])


class RememberingEngine:
    """Answers from `folder` what these weights have answered before; `load` makes the engine when it is needed.

    Each `part` of what a model is asked has a file of its own, so that parts may be asked at the same time.
    """

    def __init__(
        self,
        folder: Path,
        weights: str,
        settings: Mapping[str, Any],
        load: "Callable[[], Engine]",
        part: str = "levels",
    ) -> None:
        self.name = weights[:16]
        self.path = folder / f"replies-{self.name}-{part}.jsonl"
        self.settings, self._load = dict(settings), load
        self._engine: Engine | None = None
        self.rows: dict[str, list[Any]] = {}
        self._unsaved = False
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                key, *row = json.loads(line)
                self.rows[key] = row

    def generate(
        self,
        prompts: "Sequence[list[Message]]",
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 640,
        progress: "Progress | None" = None,
    ) -> "list[Completion]":
        from prescreen.model.engine import Completion

        about = [schema, max_tokens, self.settings, _hash_asking()]
        keys = [digest([messages, *about]) for messages in prompts]
        answers = {key: Completion(*self.rows[key]) for key in keys if key in self.rows}
        if progress:
            progress(sum(key in answers for key in keys))
        new = list({key: i for i, key in enumerate(keys) if key not in answers}.values())
        for start in range(0, len(new), PIECE):
            piece = new[start : start + PIECE]
            found = self._ask([prompts[i] for i in piece], schema, max_tokens, progress)
            answers.update(zip((keys[i] for i in piece), found, strict=True))
            self._keep({keys[i]: answers[keys[i]] for i in piece})
        return [answers[key] for key in keys]

    def score_endings(self, opening: "Opening", endings: Sequence[str]) -> list[float]:
        """The log-probability of each ending."""
        return self._recall(
            ["score", opening, list(endings)], lambda engine: engine.score_endings(opening, endings)
        )

    def draw_endings(self, opening: "Opening", max_tokens: int, draws: int, seed: int) -> list[str]:
        """The likeliest ending, then `draws` random ones."""
        return self._recall(
            ["draw", opening, max_tokens, draws, seed],
            lambda engine: engine.draw_endings(opening, max_tokens, draws, seed),
        )

    def save(self) -> None:
        """Write down what probes found; answers are written as they come."""
        if self._unsaved:
            self._keep({})

    def _recall(self, asked: list[Any], ask: "Callable[[Probed], list[Any]]") -> list[Any]:
        key = digest([asked, _hash_asking()])
        if key not in self.rows:
            self.rows[key], self._unsaved = ask(self._probed()), True
        return self.rows[key]

    def _probed(self) -> "Probed":
        from prescreen.model.engine import Probed

        engine = self._loaded()
        if not isinstance(engine, Probed):
            raise GuardError(f"{engine.name} gives no probabilities, which the task asks for; leave the task out")
        return engine

    def _loaded(self) -> "Engine":
        if self._engine is None:
            self._engine = self._load()
        return self._engine

    def _ask(self, prompts: Any, schema: Any, max_tokens: int, progress: "Progress | None") -> "list[Completion]":
        return self._loaded().generate(prompts, schema=schema, max_tokens=max_tokens, progress=progress)

    def _keep(self, new: "Mapping[str, Completion]") -> None:
        self.rows.update({key: list(answer) for key, answer in new.items() if answer.finish != "error"})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with write_lines(self.path) as handle:
            handle.writelines(json.dumps([key, *row], ensure_ascii=False) + "\n" for key, row in self.rows.items())
