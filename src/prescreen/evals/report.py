"""Report metrics: is the draft whole, grounded in what was said, readable, and does it leave nothing critical out.

Compares a draft with the case and with its gold draft, item by item. Knows nothing about priorities. Items of
one case are not independent, so intervals over items are a little too short; the cases to look at are listed.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from prescreen.clinic.case import Case
from prescreen.clinic.report import Draft, Finding
from prescreen.evals.concept import find_same, is_quoted, says_nothing_known
from prescreen.evals.doses import uncharted_doses
from prescreen.evals.prediction import Prediction, View
from prescreen.evals.rate import Measure, Rate, bootstrap_mean
from prescreen.evals.reading import grade_text

HISTORY = ("conditions", "medications", "allergies")


class Item(NamedTuple):
    """One judged item: the metric it counts for, and whether it is a hit."""

    metric: str
    hit: bool


SUCCESSES = (
    "schema_valid",
    "complete",
    "red_flag_recall",
    "red_flag_precision",
    "evidence_verbatim",
    "findings_supported",
    "findings_recalled",
)
HARMS = (
    "findings_contradicted",
    "findings_invented",
    "unasked_denied",
    "denied_unasked",
    "doses_uncharted",
    *(f"omitted_{kind}" for kind in HISTORY),
    "history_invented",
)
METRICS = (*SUCCESSES, *HARMS)


def score_reports(cases: Sequence[Case], predictions: Sequence[Prediction], view: View) -> dict[str, Measure]:
    """All report metrics of one system; a case without a draft fails what only a draft can give."""
    counts: dict[str, dict[bool, int]] = {name: {True: 0, False: 0} for name in METRICS}
    failures: dict[str, dict[str, None]] = defaultdict(dict)
    errored = 0
    for case, prediction in zip(cases, predictions, strict=True):
        assert case.id == prediction.case_id, "predictions are in the order of their cases"
        errored += bool(prediction.error)
        for metric, hit in judge_case(case, prediction, view):
            counts[metric][hit] += 1
            if hit is (metric in HARMS):
                failures[metric][case.id] = None
    measures = {}
    for name, by_hit in counts.items():
        apart = errored if name == "schema_valid" else 0
        rate = Rate(by_hit[True], by_hit[False] - apart, errored=apart)
        measures[name] = Measure(rate, tuple(failures[name]))
    return measures | {"reading_grade": grade_reports(predictions, view)}


def grade_reports(predictions: Sequence[Prediction], view: View) -> Measure:
    """The mean school grade of what a nurse reads as prose: summary, rationale and next steps."""
    shown = [p.report if view == "served" else p.draft for p in predictions]
    prose = [". ".join((draft.summary, draft.rationale, *draft.next_steps)) for draft in shown if draft]
    return Measure(bootstrap_mean([grade for text in prose if (grade := grade_text(text)) is not None]))


def judge_case(case: Case, prediction: Prediction, view: View) -> Iterator[Item]:
    """Every judged item of one case."""
    draft = prediction.draft
    yield Item("schema_valid", draft is not None)
    yield Item("complete", draft is not None and is_complete(draft))
    yield from _judge_flags(case, prediction, view)
    shown = prediction.report if view == "served" else draft  # the floor drops unsaid findings, restores history
    if shown is not None:
        yield from _judge_findings(case, shown)
        yield from _judge_history(case, shown)
        yield Item("doses_uncharted", bool(uncharted_doses(shown, case)))


def is_complete(draft: Draft) -> bool:
    """Every part a nurse reads first says something, and every stated finding has its quote."""
    stated = [f for f in draft.findings if f.status != "not asked"]
    parts = (draft.summary, draft.findings, draft.rationale, draft.next_steps)
    return all(parts) and all(f.evidence.strip() for f in stated)


def _judge_flags(case: Case, prediction: Prediction, view: View) -> Iterator[Item]:
    """Gold flags named, and named flags that are gold; only where the gold draft or label speaks of flags."""
    if case.label is None or (case.label.draft is None and not case.label.red_flags):
        return
    gold = case.label.red_flags or tuple(case.label.draft.red_flags if case.label.draft else ())
    source = prediction.report if view == "served" else prediction.draft
    named = source.red_flags if source else []
    for flag in gold:
        yield Item("red_flag_recall", find_same(flag, named) is not None)
    for flag in named:
        yield Item("red_flag_precision", find_same(flag, gold) is not None)


def _judge_findings(case: Case, draft: Draft) -> Iterator[Item]:
    """Quotes that exist, and findings against the gold draft with their polarity."""
    for finding in draft.findings:
        if finding.status != "not asked":
            yield Item("evidence_verbatim", is_quoted(finding.evidence, case.text))
    if case.label is None or case.label.draft is None:
        return
    gold = {f.name: f for f in case.label.draft.findings}
    for finding in draft.findings:
        yield from _judge_finding(case, finding, gold)
    stated = {f.name: f.status for f in draft.findings}
    for name, truth in gold.items():
        same = find_same(name, stated)
        status = stated[same] if same is not None else None
        if truth.status == "not asked":
            yield Item("unasked_denied", status == "denied")
            continue
        yield Item("findings_recalled", status == truth.status)
        if truth.status == "denied":
            yield Item("denied_unasked", status == "not asked")


def _judge_finding(case: Case, finding: Finding, gold: dict[str, Finding]) -> Iterator[Item]:
    """Supported: in the gold, same status. Contradicted: the opposite one. Invented: neither gold nor quoted.

    What was never asked counts in `unasked_denied` where it is denied, and may be invented where it is present.
    """
    if finding.status == "not asked":
        return
    same = find_same(finding.name, gold)
    truth = gold[same].status if same is not None else None
    unknown = truth is None or (truth == "not asked" and finding.status == "present")
    yield Item("findings_supported", truth == finding.status)
    yield Item("findings_contradicted", {truth, finding.status} == {"present", "denied"})
    yield Item("findings_invented", unknown and not is_quoted(finding.evidence, case.text))


def _judge_history(case: Case, draft: Draft) -> Iterator[Item]:
    """Known history that was left out, and listed history that nobody recorded or said."""
    for kind in HISTORY:
        known = _known_history(case, kind)
        listed: list[str] = getattr(draft.history, kind)
        for entry in known:
            yield Item(f"omitted_{kind}", not _is_listed(entry, listed))
        for entry in listed:
            grounded = find_same(entry, known) is not None or is_quoted(entry, case.text)
            yield Item("history_invented", not grounded and not says_nothing_known(entry))


def _known_history(case: Case, kind: str) -> list[str]:
    """What the record holds, and what the reference report found in the conversation."""
    recorded: tuple[str, ...] = getattr(case, kind) or ()
    reference = case.label.draft if case.label else None
    told: list[str] = getattr(reference.history, kind) if reference else []
    return [*recorded, *(entry for entry in told if find_same(entry, recorded) is None)]


def _is_listed(entry: str, listed: Sequence[str]) -> bool:
    """Any wording of "no known allergies" stands for any other."""
    if says_nothing_known(entry):
        return any(says_nothing_known(other) for other in listed)
    return find_same(entry, listed) is not None
