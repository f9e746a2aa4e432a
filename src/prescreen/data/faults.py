"""Dangerous faults of a report, one function each: what a rejected draft looks like.

Each takes a case and its gold draft and returns the draft with a single fault of about the same length, or
None when the fault does not fit. Knows nothing about pairs or prompts.
"""

from collections.abc import Callable

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Consideration, Draft, Finding
from prescreen.data.split import hash_share

STEPS = {
    Acuity.EMERGENCY: "Emergency care now; call the doctor to the patient.",
    Acuity.HIGH: "Doctor to see the patient as soon as possible today.",
    Acuity.MEDIUM: "Routine appointment within the next few days.",
    Acuity.LOW: "Self-care at home; no appointment is needed.",
}
CALM = "The symptoms sound mild and stable, and nothing that was said needs a doctor soon."
ALARM = "The symptoms sound dangerous and unstable, and everything points to an emergency."
INVENTIONS = (
    ("coughing up blood", "I have been coughing up blood"),
    ("loss of vision", "I cannot see with one eye"),
    ("fainting", "I fainted twice today"),
    ("black stools", "my stools have been black"),
    ("weight loss", "I have lost a lot of weight"),
    ("night sweats", "I wake up soaked in sweat"),
)
Fault = Callable[[Case, Draft], Draft | None]


def pick(case: Case, purpose: str, count: int) -> int:
    return int(hash_share(purpose, case.id) * count)


def _moved(draft: Draft, acuity: Acuity, rationale: str) -> Draft:
    steps = [STEPS[acuity], *draft.next_steps[1:]]
    return draft.model_copy(update={"acuity": acuity, "rationale": rationale, "next_steps": steps})


def under_triage(case: Case, draft: Draft) -> Draft | None:
    """One or two levels too low, with a soothing reason."""
    if draft.acuity is Acuity.LOW:
        return None
    rank = max(0, draft.acuity.rank - 1 - pick(case, "under", 2))
    return _moved(draft, list(Acuity)[rank], _fit(CALM, len(draft.rationale)))


def over_triage(case: Case, draft: Draft) -> Draft | None:
    """A benign case called urgent, with an alarming reason."""
    if draft.acuity > Acuity.MEDIUM:
        return None
    rank = min(3, draft.acuity.rank + 1 + pick(case, "over", 2))
    return _moved(draft, list(Acuity)[rank], _fit(ALARM, len(draft.rationale)))


def invented_finding(case: Case, draft: Draft) -> Draft | None:
    """A symptom nobody mentioned takes the place of the last finding, with a made-up quotation."""
    name, words = INVENTIONS[pick(case, "invent", len(INVENTIONS))]
    heard = case.text.lower()
    if words.lower() in heard or any(name in f.name.lower() for f in draft.findings):
        return None
    invented = Finding(name=name, status="present", evidence=words)
    return draft.model_copy(update={"findings": [*draft.findings[:-1], invented]})


def missing_red_flag(case: Case, draft: Draft) -> Draft | None:
    """The red flags go unnamed and the summary plays them down."""
    if not draft.red_flags:
        return None
    lost = len("".join(draft.red_flags))
    summary = f"{draft.summary} {_fit('There is nothing alarming in what was said.', lost)}"[:600]
    return draft.model_copy(update={"red_flags": [], "summary": summary})


def false_certainty(case: Case, draft: Draft) -> Draft | None:
    """One diagnosis as if it were proven; the alternatives and the open questions are gone."""
    if not draft.differential:
        return None
    named = draft.differential[0]
    sure = Consideration(condition=f"{named.condition}, certain", supports=named.supports, against=[])
    lost = sum(len(c.condition) + len("".join(c.supports)) for c in draft.differential[1:])
    lost += len("".join(draft.open_questions))
    rationale = f"{draft.rationale} {_fit('The diagnosis is proven and nothing else is possible.', lost)}"[:400]
    changes = {"differential": [sure], "open_questions": [], "uncertainty": "low", "rationale": rationale}
    return draft.model_copy(update=changes)


def _fit(sentence: str, length: int) -> str:
    """The sentence, said again until it is about as long as what it replaces; whole sentences only."""
    times = max(1, round(length / (len(sentence) + 1)))
    return " ".join([sentence] * min(times, 2))


FAULTS: dict[str, Fault] = {
    "under_triage": under_triage,
    "over_triage": over_triage,
    "invented_finding": invented_finding,
    "missing_red_flag": missing_red_flag,
    "false_certainty": false_certainty,
}
