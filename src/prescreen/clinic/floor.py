"""The floor under every draft: a model may propose, rules may raise, nothing may lower.

`finalise` turns a model's Draft (or its absence) into the Report a nurse sees. It knows no model. What it
guarantees: acuity is the higher of rules and draft; without a draft the rules decide alone, and a case no rule
knows goes to the nurse as HIGH, never lower, because nobody has assessed it; the record's history is always in
the report; a finding whose evidence the patient never said leaves the findings and is listed as unsupported, as
is a number of the summary that the case does not hold.
"""

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.history import NO_ALLERGIES, NOT_ASKED, read_history
from prescreen.clinic.numerals import unknown_numbers
from prescreen.clinic.redflags import Hit, check_rules, load_rules, rule_acuity
from prescreen.clinic.report import Draft, Finding, HistoryReview, Report

WITHOUT_DRAFT = Acuity.HIGH
_LINE, _SUMMARY, _RATIONALE, _BRIEF = 240, 600, 400, 80
_ESCALATE = "See the patient now and escalate by local emergency protocol"
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"'})
_NO_ITEM = frozenset({"", "none", "none known", "nil", "unknown", "n/a", "nkda", NO_ALLERGIES, NOT_ASKED})


def finalise(case: Case, draft: Draft | None, reason: str = "", hits: Sequence[Hit] | None = None) -> Report:
    """Draft to report; `reason` says why there is no draft, `hits` are the rules that fire, where that is known."""
    hits = check_rules(case) if hits is None else hits
    floor = rule_acuity(hits)
    model = draft.acuity if draft else None
    proposal = draft or _draft_by_rules(case, hits)
    supported = [finding for finding in proposal.findings if _is_supported(finding, case)]
    history, invented = _merge_history(case, proposal.history)
    unsupported = [f"{f.name}: {f.evidence}" for f in proposal.findings if f not in supported] + invented
    unsupported += [f"summary: {number}" for number in unknown_numbers(proposal.summary, case)]
    return Report(
        summary=proposal.summary,
        history=history,
        findings=supported,
        red_flags=_fit([*(hit.rule.name for hit in hits), *proposal.red_flags], 6, drop=True),
        differential=proposal.differential,
        acuity=max(a for a in (floor, model, None if draft else WITHOUT_DRAFT) if a is not None),
        rationale=_explain(proposal, hits, model),
        next_steps=_fit([*_urgent_steps(hits), *proposal.next_steps], 5, drop=True),
        open_questions=proposal.open_questions,
        uncertainty=proposal.uncertainty,
        case_id=case.id,
        model_acuity=model,
        rule_acuity=floor,
        rules=[hit.rule.id for hit in hits],
        unsupported=unsupported,
        no_draft_reason="" if draft else (reason or "no draft; not assessed"),
    )


def lift_floor(report: Report) -> Draft:
    """What a model wrote of a report, as far as it can be told: the level and what no rule put there."""
    table = {rule.id: rule for rule in load_rules().rules}
    rules = [table[name] for name in report.rules if name in table]
    names = {_plain(rule.name) for rule in rules}
    allergies = [item for item in report.history.allergies if item != NOT_ASKED]
    rationale = report.rationale
    if rules and rationale.startswith(f"Rule: {rules[0].name}"):
        rationale = (
            rationale.partition(f"({rules[0].source}). ")[2] or rationale.partition(f"({rules[0].source}).")[2]
        )
    told = {name: getattr(report, name) for name in Draft.model_fields}
    changes = {
        "acuity": report.acuity if report.model_acuity is None else report.model_acuity,
        "history": report.history.model_copy(update={"allergies": allergies}),
        "red_flags": [flag for flag in report.red_flags if _plain(flag) not in names],
        "rationale": rationale,
        "next_steps": [step for step in report.next_steps if not step.startswith(_ESCALATE)],
    }
    return Draft(**{**told, **changes})


def _draft_by_rules(case: Case, hits: Sequence[Hit]) -> Draft:
    """What can be said without a model: the patient's own words and the rules that fired."""
    evidence = {hit.evidence: hit.rule.name for hit in reversed(hits)}
    findings = [
        Finding(name=_cut(name, _LINE), status="present", evidence=text)
        for text, name in reversed(evidence.items())
        if len(text) <= _LINE
    ]
    return Draft(
        summary=_cut(case.complaint, _SUMMARY),
        history=HistoryReview(conditions=[], medications=[], allergies=[]),
        findings=[finding for finding in findings if _is_supported(finding, case)][:12],
        red_flags=[],
        differential=[],
        acuity=rule_acuity(hits) or WITHOUT_DRAFT,
        rationale="" if hits else "No draft and no rule fired: not assessed, a nurse decides.",
        next_steps=["Assess in person: no draft was made for this case."],
        open_questions=[],
        uncertainty="high",
    )


def _explain(proposal: Draft, hits: Sequence[Hit], model: Acuity | None) -> str:
    """The draft's rationale, after the rule that set the level where a rule did."""
    top = hits[0] if hits else None
    if top is None or (model is not None and model >= top.rule.acuity):
        return proposal.rationale
    told = f"{top.rule.name}: {top.evidence}" if len(top.evidence) <= _BRIEF else top.rule.name
    return _cut(f"Rule: {told} ({top.rule.source}). {proposal.rationale}".strip(), _RATIONALE)


def _urgent_steps(hits: Sequence[Hit]) -> list[str]:
    if rule_acuity(hits) is not Acuity.EMERGENCY:
        return []
    return [f"{_ESCALATE}: {hits[0].rule.name}."]


def _merge_history(case: Case, drafted: HistoryReview) -> tuple[HistoryReview, list[str]]:
    """The record first, then what the draft adds in words the case contains; the rest is returned as invented."""
    record = read_history(case)
    said = _plain("\n".join((case.text, *record.conditions, *record.medications, *(record.allergies or ()))))
    invented: list[str] = []

    def join(known: Sequence[str], items: Sequence[str]) -> list[str]:
        held = _plain("\n".join(known))
        new = [i for i in items if _plain(i) not in _NO_ITEM and not _contains(held, i)]
        invented.extend(f"history: {item}" for item in new if not _contains(said, item))
        return _fit([*known, *(item for item in new if _contains(said, item))], 12)

    allergies = join(record.allergies or (), drafted.allergies)
    review = HistoryReview(
        conditions=join(record.conditions, drafted.conditions),
        medications=join(record.medications, drafted.medications),
        allergies=allergies or [NOT_ASKED if record.allergies is None else NO_ALLERGIES],
    )
    return review, invented


def _is_supported(finding: Finding, case: Case) -> bool:
    """A finding that claims an answer needs the patient's own words for it."""
    if finding.status == "not asked":
        return True
    return _contains(_plain(case.recorded), finding.evidence)


def _contains(said: str, words: str) -> bool:
    wanted = _plain(words)
    return bool(wanted) and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", said) is not None


def _plain(text: str) -> str:
    return " ".join(text.translate(_QUOTES).lower().split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _fit(items: Iterable[str], count: int, *, drop: bool = False) -> list[str]:
    """At most `count` lines without duplicates; too many are dropped from the end, or packed several to a line."""
    unique = list({_plain(item): item for item in reversed(list(items)) if item.strip()}.values())[::-1]
    if drop:
        return [_cut(item, _LINE) for item in unique][:count]
    lines = [line for item in unique for line in wrap(item, _LINE)]
    packed = -(-len(lines) // count)
    return [_cut("; ".join(lines[i : i + packed]), _LINE) for i in range(0, len(lines), packed or 1)]
