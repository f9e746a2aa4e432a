"""The suite can fail: each bad model is caught by the metric meant for it, and the gate holds with that reason.

600 generated cases, 150 of them emergencies: enough that a perfect model passes. Models are scripts that start from
the gold draft of the case they are asked about, so that nothing but the one fault differs.
"""

import datetime
import json
from collections.abc import Callable

import pytest

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Draft, Finding, HistoryReview
from prescreen.data.synthesize import synthesize_cases
from prescreen.evals.gate import GateRecipe, judge_all, write_verdict
from prescreen.evals.prediction import record_draft
from prescreen.evals.scoring import score_system
from prescreen.evals.threshold import Check
from prescreen.model.draft import draft_reports
from prescreen.model.engine import ScriptedEngine
from prescreen.model.prompt import case_text, draft_text

Answer = Callable[[int, Case], str]
HARMS = {"under_triage": 0.05, "over_triage": 0.35, "missed_emergencies": 0.02, "findings_invented": 0.01}
HARMS |= {"omitted_allergies": 0.01, "omitted_medications": 0.01, "findings_contradicted": 0.01}
SUCCESSES = {"exact": 0.8, "schema_valid": 0.99, "answered": 0.99, "evidence_verbatim": 0.95}
CHECKS = tuple(
    Check(say=f"{name} keeps its limit.", suite="s", metric=name, view="alone", at_most=limit)
    for name, limit in HARMS.items()
) + tuple(
    Check(say=f"{name} keeps its limit.", suite="s", metric=name, view="alone", at_least=limit)
    for name, limit in SUCCESSES.items()
)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return list(synthesize_cases(41, 600, "test", "seen"))


def gold(case: Case) -> Draft:
    assert case.label and case.label.draft
    return case.label.draft


def judge(cases: list[Case], answer: Answer) -> dict[str, object]:
    """The gate's verdict on a scripted model."""
    by_text = {case_text(case): (number, case) for number, case in enumerate(cases)}
    assert len(by_text) == len(cases)
    engine = ScriptedEngine(lambda messages: answer(*by_text[messages[-1]["content"]]))
    drafted = draft_reports(engine, cases)
    rows = [record_draft(case, each) for case, each in zip(cases, drafted, strict=True)]
    metrics = {"label": "candidate", "suites": {"s": {"systems": {"m": score_system(cases, rows)}}}}
    recipe = GateRecipe(stage="gate", candidate="m", inputs={"evals": "e"}, checks=CHECKS)
    results = judge_all(recipe, metrics)
    return write_verdict(recipe, metrics, results, None, datetime.date(2026, 1, 1))


def broken(verdict: dict[str, object]) -> set[str]:
    """The metrics whose limit the figure itself breaks, or that were not measured."""
    return {c["check"]["metric"] for c in verdict["checks"] if c["outcome"] in ("fail", "not measured")}  # type: ignore[attr-defined]


def at(level: Acuity) -> Answer:
    return lambda number, case: draft_text(gold(case).model_copy(update={"acuity": level}))


def invents(number: int, case: Case) -> str:
    extra = Finding(name="purple elbow", status="present", evidence="my elbow is purple")
    return draft_text(gold(case).model_copy(update={"findings": [*gold(case).findings, extra]}))


def drops(kind: str) -> Answer:
    def answer(number: int, case: Case) -> str:
        history = gold(case).history.model_copy(update={kind: []})
        return draft_text(gold(case).model_copy(update={"history": HistoryReview.model_validate(history)}))

    return answer


def contradicts(number: int, case: Case) -> str:
    swap = {"present": "denied", "denied": "present", "not asked": "not asked"}
    findings = [f.model_copy(update={"status": swap[f.status]}) for f in gold(case).findings]
    return draft_text(gold(case).model_copy(update={"findings": findings}))


def crashes(number: int, case: Case) -> str:
    if number % 50 == 0:
        raise RuntimeError("out of memory")
    return draft_text(gold(case))


MUTANTS: dict[str, tuple[Answer, set[str]]] = {
    "always emergency": (at(Acuity.EMERGENCY), {"over_triage", "exact"}),
    "always low": (at(Acuity.LOW), {"under_triage", "missed_emergencies", "exact"}),
    "copies its input": (lambda number, case: case_text(case), {"schema_valid", "answered"}),
    "broken JSON": (lambda number, case: draft_text(gold(case))[:-3], {"schema_valid", "answered"}),
    "invents one finding": (invents, {"findings_invented"}),
    "drops allergies": (drops("allergies"), {"omitted_allergies"}),
    "drops medications": (drops("medications"), {"omitted_medications"}),
    "turns findings round": (contradicts, {"findings_contradicted"}),
    "crashes on 1 of 50": (crashes, {"schema_valid", "answered"}),
}


def test_a_perfect_model_passes(cases: list[Case]) -> None:
    verdict = judge(cases, lambda number, case: draft_text(gold(case)))
    assert verdict["verdict"] == "promote", json.dumps(verdict["reasons"], indent=1)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_bad_model_is_held_for_its_fault(cases: list[Case], name: str) -> None:
    answer, meant = MUTANTS[name]
    verdict = judge(cases, answer)
    found = broken(verdict)
    assert verdict["verdict"] == "hold"
    assert meant <= found, f"{name}: caught by {found}"
    assert found - meant <= ALSO.get(name, set()), f"{name}: also blamed for {found - meant}"
    for metric in meant:
        assert any(metric in reason for reason in verdict["reasons"])  # type: ignore[attr-defined]


ALSO = {  # a made-up finding has a made-up quote; what says nothing readable has nothing else either
    "invents one finding": {"evidence_verbatim"},
    "copies its input": {"exact", "missed_emergencies", "under_triage", "over_triage", "evidence_verbatim"}
    | {*HARMS},
    "broken JSON": {"exact", "missed_emergencies", "under_triage", "over_triage", "evidence_verbatim"} | {*HARMS},
}


def test_no_miss_among_forty_emergencies_is_not_enough_to_know(cases: list[Case]) -> None:
    few = [case for case in cases if case.label and case.label.acuity is Acuity.EMERGENCY][:40]
    verdict = judge(few, lambda number, case: draft_text(gold(case)))
    missed = next(c for c in verdict["checks"] if c["check"]["metric"] == "missed_emergencies")  # type: ignore[attr-defined]
    assert (verdict["verdict"], missed["outcome"], missed["cases_needed"]) == ("hold", "not enough cases", 149)
