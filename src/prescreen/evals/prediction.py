"""Prediction: what one system said about one case, in the three ways it is judged.

alone: the model's own priority. served: after the rule floor and the no-draft route, as a nurse would get it.
rules: the red-flag rules' part. Knows files and drafts; knows no metric.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.redflags import recall_rules
from prescreen.clinic.report import Draft, Report
from prescreen.config import Strict
from prescreen.evals.triage import Answer
from prescreen.run import read_jsonl, write_lines

if TYPE_CHECKING:
    from prescreen.model.draft import Drafted

View = Literal["alone", "served", "rules"]
VIEWS: tuple[View, ...] = ("alone", "served")


class Prediction(Strict):
    """One row of a predictions file: enough to recompute every metric and to show the case to a reader."""

    case_id: str
    source: str
    condition: str | None = None
    said: str = ""
    gold: Acuity | None = None
    accepted: tuple[Acuity, ...] = ()
    alone: Acuity | None = None
    served: Acuity | None = None
    rules: Acuity | None = None
    reason: str = ""
    error: str = ""
    finish: str = ""
    seconds: float = 0.0
    draft: Draft | None = None
    report: Report | None = None
    fired: tuple[str, ...] = ()

    @property
    def rules_fired(self) -> tuple[str, ...]:
        """Ids of the rules that fired: the report's, or those kept where only a level was asked."""
        return tuple(self.report.rules) if self.report else self.fired

    def answer(self, view: View) -> Answer:
        """This prediction as one view judges it; a crash of the model is no fault of the rules."""
        predicted: Acuity | None = getattr(self, view)
        return Answer(self.case_id, self.gold, self.accepted, predicted, self.error if predicted is None else "")


class FloorEffect(NamedTuple):
    """What the rule floor and the no-draft route did to a system's own priorities."""

    raised: tuple[str, ...]
    rescued: tuple[str, ...]
    overdone: tuple[str, ...]
    undrafted: tuple[str, ...]


def record_case(case: Case) -> dict[str, object]:
    """The fields of a prediction that the case itself decides."""
    label = case.label
    return {
        "case_id": case.id,
        "source": case.source,
        "condition": label.condition if label else None,
        "said": case.spoken,
        "gold": label.acuity if label else None,
        "accepted": label.accepted if label else (),
    }


def record_draft(case: Case, drafted: "Drafted") -> Prediction:
    """A model's drafted report as a prediction; `error` only when the engine failed, not on a bad answer."""
    report = drafted.report
    return Prediction.model_validate(
        {
            **record_case(case),
            "alone": report.model_acuity,
            "served": report.acuity,
            "rules": report.rule_acuity,
            "reason": report.no_draft_reason,
            "error": (drafted.error or "the engine failed") if drafted.finish == "error" else "",
            "finish": drafted.finish,
            "seconds": round(drafted.seconds, 3),
            "draft": drafted.model,
            "report": report,
        }
    )


def record_rules(case: Case) -> Prediction:
    """The rules without any model: the route a case takes when there is no draft."""
    report = finalise(case, None, "rules only", recall_rules(case))
    return Prediction.model_validate(
        {
            **record_case(case),
            "served": report.acuity,
            "rules": report.rule_acuity,
            "reason": report.no_draft_reason,
            "report": report,
        }
    )


def record_level(case: Case, level: Acuity, rules: Acuity | None) -> Prediction:
    """A comparator that gives a level and no report; served behind the same rules as any model."""
    served = level if rules is None else max(level, rules)
    return Prediction.model_validate(
        {**record_case(case), "alone": level, "served": served, "rules": rules, "finish": "stop"}
    )


def measure_floor(predictions: Sequence[Prediction]) -> FloorEffect:
    """Which cases the floor raised, which of those it rescued from too low, and which it made too high."""
    raised, rescued, overdone, undrafted = [], [], [], []
    for prediction in predictions:
        if prediction.alone is None:
            undrafted.append(prediction.case_id)
        elif prediction.served is not None and prediction.served > prediction.alone:
            raised.append(prediction.case_id)
            if prediction.gold is not None:
                before, after = prediction.answer("alone").shift, prediction.answer("served").shift
                rescued += [prediction.case_id] * (before < 0 <= after)
                overdone += [prediction.case_id] * (after > max(0, before))
    return FloorEffect(tuple(raised), tuple(rescued), tuple(overdone), tuple(undrafted))


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> Path:
    """One JSON line each, whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_lines(path) as handle:
        for prediction in predictions:
            handle.write(prediction.model_dump_json() + "\n")
    return path


def read_predictions(path: Path) -> list[Prediction]:
    """Read `write_predictions` back."""
    return [Prediction.model_validate(row) for row in read_jsonl(path)]
