"""Doses in a report that neither the record nor the patient names.

A dose is an amount with a medicine's unit; a concentration such as mg/dL is none. Knows numbers and units, no drug.
"""

import re
from collections.abc import Iterator

from prescreen.clinic.case import Case
from prescreen.clinic.numerals import NUMBERS
from prescreen.clinic.report import Draft

_UNITS = {
    "mg": "mg|milligrams?",
    "mcg": "mcg|µg|μg|ug|micrograms?",
    "g": "g|grams?",
    "ml": "ml|millilit(?:re|er)s?",
    "unit": "units?|iu",
    "tablet": "tablets?|tabs?|pills?|capsules?",
    "puff": "puffs?",
    "drop": "drops?",
    "spoon": "(?:tea|table)?spoon(?:s|ful)?",
}
_AMOUNT = rf"\d+(?:[.,]\d+)*|{'|'.join(NUMBERS)}"
_DOSE = re.compile(
    rf"(?<![\w.])({_AMOUNT})\s*-?\s*(?:{'|'.join(f'(?P<{n}>{p})' for n, p in _UNITS.items())})(?!\w|\s*/\s*d?l\b)",
    re.IGNORECASE,
)


def find_doses(text: str) -> Iterator[str]:
    """Every dose as amount and unit, written one way: `500 mg`, `2 tablet`."""
    for match in _DOSE.finditer(text):
        amount = match[1].lower()
        amount = str(NUMBERS[amount]) if amount in NUMBERS else amount.replace(",", "")
        yield f"{float(amount):g} {match.lastgroup}"


def uncharted_doses(draft: Draft, case: Case) -> list[str]:
    """Doses anywhere in the report's text that the case does not hold, without doubles."""
    known = set(find_doses(case.recorded))
    return list(dict.fromkeys(dose for dose in find_doses(draft_words(draft)) if dose not in known))


def draft_words(draft: Draft) -> str:
    """All text a model wrote in a report, a line each."""
    parts = [draft.summary, draft.rationale, *draft.red_flags, *draft.next_steps, *draft.open_questions]
    history = draft.history
    parts += [*history.conditions, *history.medications, *history.allergies]
    for finding in draft.findings:
        parts += [finding.name, finding.evidence]
    for each in draft.differential:
        parts += [each.condition, *each.supports, *each.against]
    return "\n".join(parts)
