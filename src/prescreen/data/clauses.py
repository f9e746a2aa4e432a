"""A clinic's own short texts, split into clauses: a training target from a filled-in form.

Splits on punctuation and "and" only, keeps every word as it was written, and knows no medicine beyond a few
words that tell a medicine from a diagnosis and a recommendation from an impression.
"""

import re

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Consideration, Draft, Finding, HistoryReview
from prescreen.clinic.vitals import describe_vitals
from prescreen.data.ktas import NEXT_STEPS

MAX_LINE = 240
SENTENCE = re.compile(r"(?<=[.!?;])\s+")
CLAUSE = re.compile(r"\s*(?:[.;,\n]+|\band\b|\bwith\b|\bbut\b)\s*", re.I)
LEAD = re.compile(
    r"^(?:(?:the )?(?:patient|pt|he|she|client)\b\s*)?(?:(?:has|have|had|is|reports?|complain(?:s|ed|ing) of|"
    r"presents?|presenting|c/o|known|history of|h/o|hx of|pmh:?|a history of|suffers from)\b:?\s*)*", re.I
)  # fmt: skip
DENIED = re.compile(r"^(?:no|not|denies|denied|without|nil|never)\b\s*(?:any\s+)?", re.I)
ALLERGY = re.compile(r"allerg|\bnkda\b|intoleran", re.I)
MEDICINE = re.compile(
    r"\b(?:takes?|taking|on|medications?|medicines?|tablets?|inhalers?|insulin|\d+ ?m[cg]g?)\b", re.I
)
ADVICE = re.compile(
    r"\b(recommend|refer|advise|urgent|consult|arrange|order|start|monitor|follow|call|send|admit|review)",
    re.I,
)
MAYBE = re.compile(
    r"\b(possible|possibly|probable|probably|likely|suspected|suspect|suggests?|query|rule out)\b", re.I
)


def split_clauses(text: str) -> list[str]:
    """Clauses in order, each a verbatim span of the text."""
    return [clause for part in CLAUSE.split(text) if (clause := part.strip())]


def review_history(text: str) -> HistoryReview:
    """Conditions, medicines and allergies of a free history, in its own words."""
    found: dict[str, list[str]] = {"conditions": [], "medications": [], "allergies": []}
    for clause in split_clauses(text):
        said = LEAD.sub("", clause).strip()[:MAX_LINE]
        if ALLERGY.search(clause):
            found["allergies"].append(said)
        elif MEDICINE.search(clause):
            found["medications"].append(said)
        elif said and not DENIED.match(said):
            found["conditions"].append(said)
    return HistoryReview(**{name: items[:12] for name, items in found.items()})


def read_findings(symptoms: str) -> list[Finding]:
    """One finding a clause, its evidence the clause itself; `no fever` is denied."""
    findings = []
    for clause in split_clauses(symptoms):
        said = LEAD.sub("", clause).strip()
        name = DENIED.sub("", said).strip().lower()
        if name and len(clause) <= MAX_LINE:
            status = "denied" if DENIED.match(said) else "present"
            findings.append(Finding(name=name, status=status, evidence=clause))  # type: ignore[arg-type]
    return findings[:12]


def draft_entry(case: Case, report: str, acuity: Acuity) -> Draft:
    """The clinic's report as a draft: advice as next steps, the rest as rationale.

    Where the clinic wrote no report, the level stands on the complaint and the vital signs, as at the door.
    """
    sentences = [s.strip() for s in SENTENCE.split(report) if s.strip()]
    advice = [s for s in sentences if ADVICE.search(s)]
    rest = [s for s in sentences if s not in advice]
    findings = read_findings(case.complaint)
    guesses = [s.rstrip(".") for s in rest if MAYBE.search(s) and len(s) <= MAX_LINE]
    named = [MAYBE.sub("", s).strip() or s for s in guesses]
    present = [f.evidence for f in findings if f.status == "present"]
    signs = "; ".join(describe_vitals(case.vitals)) or "no measured vital sign is far out of range"
    return Draft(
        summary=case.complaint[:600],
        history=review_history(case.history_text),
        findings=findings,
        red_flags=[],
        differential=[Consideration(condition=c, supports=present[:4], against=[]) for c in named[:4]],
        acuity=acuity,
        rationale=(" ".join(rest) or report or f"Complaint: {case.complaint.rstrip('. ')}; {signs}.")[:400],
        next_steps=[s[:MAX_LINE] for s in advice[:5]] if sentences else NEXT_STEPS[acuity],
        open_questions=[],
        uncertainty="moderate" if named else "high",
    )
