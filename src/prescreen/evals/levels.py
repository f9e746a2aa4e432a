"""Cases in, levels out: the first field of a draft alone, for tasks that need no report.

The level is the first thing a draft says, so it is that of the whole report for a fraction of the time. Knows
engines and cases, no metric.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.floor import WITHOUT_DRAFT
from prescreen.clinic.redflags import recall_rules, rule_acuity
from prescreen.config import Strict
from prescreen.evals.prediction import Prediction, record_case
from prescreen.model.prompt import task_messages

if TYPE_CHECKING:
    from prescreen.model.engine import Completion, Engine, Progress

MAX_TOKENS = 160  # a short thought and the level


class _Level(Strict):
    """The beginning of a draft."""

    acuity: Acuity


SCHEMA: dict[str, Any] = _Level.model_json_schema()


def ask_levels(engine: "Engine", cases: Sequence[Case], progress: "Progress | None" = None) -> list[Prediction]:
    """A prediction without a report for each case, in order; served behind the rules like any draft."""
    prompts = [task_messages("report", case) for case in cases]
    answers = engine.generate(prompts, schema=SCHEMA, max_tokens=MAX_TOKENS, progress=progress)
    return [record_answer(case, answer) for case, answer in zip(cases, answers, strict=True)]


def record_answer(case: Case, answer: "Completion") -> Prediction:
    """One answer behind the rule floor; without a readable level the case goes to the nurse by rules."""
    level, reason = None, answer.error
    if answer.finish != "error":
        try:
            level = _Level.model_validate_json(answer.text).acuity
        except ValidationError:
            reason = "the model gave no level"
    hits = recall_rules(case)  # of a case that several models are asked about
    rules = rule_acuity(hits)
    served = max(each for each in (level, rules, None if level else WITHOUT_DRAFT) if each is not None)
    return Prediction.model_validate(
        {
            **record_case(case),
            "alone": level,
            "served": served,
            "rules": rules,
            "reason": "" if level else reason,
            "error": (answer.error or "the engine failed") if answer.finish == "error" else "",
            "finish": answer.finish,
            "fired": tuple(hit.rule.id for hit in hits),
        }
    )
