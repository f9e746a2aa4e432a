"""Drafting every case of a suite with one model, remembering what was drafted before.

Knows engines and a cache keyed by prompt, settings and weights, so a second run or an interrupted one drafts
only what is new. The rule floor is applied afresh each time: a changed rule never meets a stale report.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.redflags import recall_rules
from prescreen.clinic.report import Draft
from prescreen.config import digest
from prescreen.evals.prediction import Prediction, record_draft
from prescreen.model.files import locate_model
from prescreen.model.harmony import PINNED_DATE
from prescreen.model.prompt import task_messages
from prescreen.run import PACKAGE, Run, hash_external, hash_file, write_lines

if TYPE_CHECKING:
    from prescreen.model.draft import Drafted

PIECE = 128  # cases drafted between two saves of the cache
NOT_WEIGHTS = {".html", ".jsonl", ".md", ".png"}
Advance = Callable[[int], None]
Draw = Callable[[Sequence[Case], Advance], "list[Drafted]"]


def hash_run_weights(run: Run) -> str:
    """A model run's own outputs but the logs, and its parents': an adapter is nothing without its base."""
    manifest = run.manifest
    own = {name: sha for name, sha in manifest["outputs"].items() if Path(name).suffix not in NOT_WEIGHTS}
    parents = {name: parent["fingerprint"] for name, parent in manifest["inputs"].items()}
    return digest({"own": own, "parents": parents})


def hash_weights(where: str) -> str:
    """The same for a plain folder of weights, or the twin."""
    return hash_external(locate_model(where))


def hash_prompt(case: Case, settings: Mapping[str, Any]) -> str:
    """Everything besides the weights that decides what is drafted. The label is no part of it."""
    return digest([task_messages("report", case), dict(settings), _hash_drafting()])


@cache
def _hash_drafting() -> str:
    """The schema, the pinned date, the token limit and the code between a case and its draft."""
    from prescreen.model.draft import MAX_TOKENS

    return digest([Draft.model_json_schema(), PINNED_DATE, MAX_TOKENS, hash_model_code()])


def hash_model_code() -> str:
    """All of model/: attention, tokenizer and loading decide what is drafted as much as the prompt does."""
    return digest({path.name: hash_file(path) for path in sorted((PACKAGE / "model").glob("*.py"))})


def read_draft(row: Mapping[str, Any]) -> Draft | None:
    """The model's own draft in a remembered row."""
    return None if row["draft"] is None else Draft.model_validate(row["draft"])


class Cache:
    """Drafts of one set of weights, in one JSONL file."""

    def __init__(self, folder: Path, weights: str, settings: Mapping[str, Any]) -> None:
        self.path = folder / f"drafts-{weights[:16]}.jsonl"
        self.settings = settings
        self.rows: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self.rows[row["key"]] = row

    def recall(self, case: Case) -> dict[str, Any] | None:
        """What was remembered of a case: the model's own draft as plain fields, or why there is none."""
        return self.rows.get(hash_prompt(case, self.settings))

    def find(self, case: Case) -> "Drafted | None":
        """The remembered draft of a case, behind today's rules."""
        from prescreen.model.draft import Drafted

        row = self.recall(case)
        if row is None:
            return None
        draft = read_draft(row)
        return Drafted(
            report=finalise(case, draft, row["error"], recall_rules(case)),
            model=draft,
            error=row["error"],
            finish=row["finish"],
            seconds=row["seconds"],
        )

    def keep(self, cases: Sequence[Case], drafts: "Sequence[Drafted]") -> None:
        """Remember drafts; an engine's crash is not remembered, so that it is tried again."""
        for case, drafted in zip(cases, drafts, strict=True):
            if drafted.finish != "error":
                key = hash_prompt(case, self.settings)
                self.rows[key] = {
                    "key": key,
                    "draft": None if drafted.model is None else drafted.model.model_dump(mode="json"),
                    "error": drafted.error,
                    "finish": drafted.finish,
                    "seconds": drafted.seconds,
                }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with write_lines(self.path) as handle:
            handle.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows.values())


def draft_suite(
    cases: Sequence[Case], draw: Draw, memory: Cache, advance: Advance = lambda done: None
) -> list[Prediction]:
    """Predictions in the order of `cases`; `draw` drafts what the memory does not know."""
    known = {case.id: drafted for case in cases if (drafted := memory.find(case)) is not None}
    advance(len(known))
    new = [case for case in cases if case.id not in known]
    for start in range(0, len(new), PIECE):
        piece = new[start : start + PIECE]
        drafts = draw(piece, advance)
        memory.keep(piece, drafts)
        known.update((case.id, drafted) for case, drafted in zip(piece, drafts, strict=True))
    return [record_draft(case, known[case.id]) for case in cases]
