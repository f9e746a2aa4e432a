"""From predictions to numbers: every metric of a system, and pairs of systems on the same cases.

Knows the shape of metrics.json. Knows nothing about where predictions come from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prescreen.clinic.case import Case
from prescreen.evals.prediction import VIEWS, Prediction, View, measure_floor
from prescreen.evals.rate import Measure, bootstrap_difference, compare_paired
from prescreen.evals.report import score_reports
from prescreen.evals.triage import LEVELS, confusion, score_triage, weighted_kappa

Scores = dict[str, Any]


def score_system(cases: Sequence[Case], predictions: Sequence[Prediction], *, seed: int = 0) -> Scores:
    """All metrics of one system on one suite, by view, with what the rule floor contributed."""
    scores: Scores = {}
    drafts = any(p.draft is not None or (p.alone is None and p.finish) for p in predictions)
    for view in VIEWS:
        if all(getattr(p, view) is None for p in predictions) and not (view == "alone" and drafts):
            continue
        answers = [p.answer(view) for p in predictions]
        measures: dict[str, Measure] = score_triage(answers, seed=seed)
        if drafts:
            measures |= score_reports(cases, predictions, view)
        elif any(p.report is not None for p in predictions):  # the rules write no report but do name red flags
            judged = score_reports(cases, predictions, view)
            measures |= {name: judged[name] for name in ("red_flag_recall", "red_flag_precision")}
        scores[view] = {name: measure.to_json() for name, measure in measures.items()}
        scores[view]["confusion"] = confusion(answers).tolist()
    if "alone" in scores:
        scores["floor"] = {name: list(ids) for name, ids in measure_floor(predictions)._asdict().items()}
    return scores


def compare_systems(
    first: Sequence[Prediction], second: Sequence[Prediction], view: View, *, seed: int = 0
) -> Scores:
    """Two systems on the same labelled cases: who was in range, who too low, the kappas' difference."""
    pairs = [(a.answer(view), b.answer(view)) for a, b in zip(first, second, strict=True) if a.gold is not None]
    both = [(a, b) for a, b in pairs if a.predicted is not None and b.predicted is not None]
    fair = compare_paired(
        [a.predicted in a.accepted for a, _ in pairs], [b.predicted in b.accepted for _, b in pairs]
    )
    low = compare_paired([a.shift < 0 for a, _ in both], [b.shift < 0 for _, b in both])
    difference = bootstrap_difference(
        [LEVELS.index(a.gold) for a, _ in both if a.gold],
        [LEVELS.index(a.predicted) for a, _ in both if a.predicted],
        [LEVELS.index(b.predicted) for _, b in both if b.predicted],
        len(LEVELS),
        weighted_kappa,
        seed=seed,
    )
    return {"in_range": fair._asdict(), "under_triage": low._asdict(), "qwk": difference._asdict()}


def read_measure(metrics: Mapping[str, Any], suite: str, system: str, view: str, metric: str) -> Measure | None:
    """One figure of a suite or a task in metrics.json, None where it was not measured; a task has no views."""
    row = metrics["suites"].get(suite, {}).get("systems", {}).get(system, {}).get(view, {}).get(metric)
    if suite in metrics.get("tasks", {}):
        row = metrics["tasks"][suite]["systems"].get(system, {}).get(metric)
    return None if row is None else Measure.from_json(row)
