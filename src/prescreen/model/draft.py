"""Cases in, reports out: prompt, engine, parse, rule floor. The one path training's judge and service share.

Whatever the model does, each case gets a report a nurse can work from. Knows no metric and no queue.
"""

import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Draft, Report
from prescreen.errors import DraftError
from prescreen.model.engine import Completion, Engine, Progress
from prescreen.model.prompt import parse_draft, task_messages

MAX_TOKENS = 640


class Drafted(NamedTuple):
    """A case's report as the nurse sees it, the model's own draft if it gave one, and why not otherwise."""

    report: Report
    model: Draft | None
    error: str
    finish: Literal["stop", "length", "error"]
    seconds: float


def draft_reports(engine: Engine, cases: Sequence[Case], progress: Progress | None = None) -> list[Drafted]:
    """Draft all cases in the order given; `seconds` is the batch's wall time shared evenly."""
    begun = time.monotonic()
    prompts = [task_messages("report", case) for case in cases]
    completions = engine.generate(
        prompts, schema=Draft.model_json_schema(), max_tokens=MAX_TOKENS, progress=progress
    )
    share = (time.monotonic() - begun) / max(1, len(cases))
    return [read_completion(case, completion, share) for case, completion in zip(cases, completions, strict=True)]


def read_completion(case: Case, completion: Completion, seconds: float = 0.0) -> Drafted:
    """One completion behind the rule floor."""
    draft, error = None, completion.error
    if completion.finish == "length":
        error = "the model's answer was cut off before its end"
    elif completion.finish == "stop":
        try:
            draft = parse_draft(completion.text)
        except DraftError as problem:
            error = str(problem)
    return Drafted(finalise(case, draft, error), draft, error, completion.finish, seconds)
