"""What a signed report says, as headed texts for a document: one section a heading, empty ones left out.

Reads only what was signed: of the draft it asks whether there was one, never what stood in it. Knows no wire form.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Final, NamedTuple

from prescreen.clinic.case import Vitals
from prescreen.clinic.signed import SignedVisit
from prescreen.ehr.channel import DeliveryError

LOINC: Final = "LN"
OWN: Final = "99PRESCREEN"  # table 0396: a local code system


class Code(NamedTuple):
    """A code, its words and the HL7 v2 name of its system."""

    code: str
    words: str
    system: str = LOINC


class Section(NamedTuple):
    """One heading and its text."""

    code: Code
    text: str


class Measure(NamedTuple):
    """One measured vital sign in its UCUM unit."""

    code: Code
    value: float
    unit: Code


REPORT: Final = Code("54094-8", "Emergency department Triage note")
LEVEL: Final = Code("11283-9", "Acuity assessment")
CONSCIOUSNESS: Final = Code("67775-7", "Level of responsiveness")
_PER_MINUTE, _PRESSURE = Code("/min", "per minute", "UCUM"), Code("mm[Hg]", "mmHg", "UCUM")
_MEASURES: Final = {
    "heart_rate": (Code("8867-4", "Heart rate"), _PER_MINUTE),
    "respiratory_rate": (Code("9279-1", "Respiratory rate"), _PER_MINUTE),
    "systolic": (Code("8480-6", "Systolic blood pressure"), _PRESSURE),
    "diastolic": (Code("8462-4", "Diastolic blood pressure"), _PRESSURE),
    "temperature": (Code("8310-5", "Body temperature"), Code("Cel", "degree Celsius", "UCUM")),
    "spo2": (Code("2708-6", "Oxygen saturation in Arterial blood"), Code("%", "percent", "UCUM")),
    "pain": (Code("72514-3", "Pain severity - 0-10 verbal numeric rating"), Code("{score}", "score", "UCUM")),
}


def read_measures(vitals: Vitals) -> Iterator[Measure]:
    """What was measured, in declaration order, but consciousness, which is a word. What is no number stops the
    delivery, so that somebody looks."""
    for name, value in vitals:
        if name in _MEASURES and value is not None:
            if not math.isfinite(value):
                raise DeliveryError("a vital sign is not a number; correct it and sign again", lasting=True)
            yield Measure(_MEASURES[name][0], value, _MEASURES[name][1])


def write_vitals(vitals: Vitals) -> list[Section]:
    """The same, and consciousness, as one text for a reader; none where nothing was measured."""
    rows = [f"{m.code.words} {m.value:g} {m.unit.words}" for m in read_measures(vitals)]
    if vitals.consciousness is not None:
        rows.append(f"{CONSCIOUSNESS.words} {vitals.consciousness}")
    return [Section(Code("8716-3", "Vital signs"), _lines(rows))] if rows else []


def write_sections(visit: SignedVisit) -> list[Section]:
    """The signed report under its headings; the last one says who made it."""
    final = visit.final
    findings = [
        f"{item.name}: {item.status}" + (f' ("{item.evidence}")' if item.evidence else "")
        for item in final.findings
    ]
    considered = [
        item.condition
        + "".join(f"\n  for: {reason}" for reason in item.supports)
        + "".join(f"\n  against: {reason}" for reason in item.against)
        for item in final.differential
    ]
    written = [
        Section(Code("10154-3", "Chief complaint Narrative - Reported"), visit.case.complaint),
        Section(Code("SUMMARY", "Summary", OWN), final.summary),
        Section(Code("RED-FLAGS", "Red flags", OWN), _lines(final.red_flags)),
        Section(Code("RULES", "Safety rules that fired", OWN), _lines(final.rules)),
        Section(Code("FINDINGS", "Findings", OWN), _lines(findings)),
        Section(Code("11348-0", "History of Past illness Narrative"), _lines(final.history.conditions)),
        Section(Code("10160-0", "History of Medication use Narrative"), _lines(final.history.medications)),
        Section(Code("48765-2", "Allergies and adverse reactions"), _lines(final.history.allergies)),
        Section(Code("CONSIDERED", "Considered, not diagnosed", OWN), _lines(considered)),
        Section(Code("RATIONALE", "Reasons for the level", OWN), final.rationale),
        Section(Code("NEXT-STEPS", "Next steps", OWN), _lines(final.next_steps)),
        Section(Code("OPEN", "Open questions", OWN), _lines(final.open_questions)),
        Section(Code("REASON", "Reason given by the signer", OWN), visit.reason),
        Section(Code("NOTE", "Note of the signer", OWN), visit.note),
        Section(Code("AUTHORSHIP", "How this report was made", OWN), tell_authorship(visit)),
    ]
    return [section for section in written if section.text.strip()]


def tell_authorship(visit: SignedVisit) -> str:
    """What software did and what the signer did, in words; and the ids by which both can be found again."""
    who = f"{visit.signer.name} ({visit.signer.role})"
    signed = f"reviewed and signed by {who} on {visit.signed.astimezone(UTC):%Y-%m-%d at %H:%M} UTC."
    if visit.model is not None:
        model = visit.model
        told = f"Drafted by software ({model.name} {model.version}, run by {model.engine}), {signed}"
    elif visit.draft is not None:
        told = f"Drafted by software (safety rules, no language model), {signed}"
    else:
        told = f"Written without a draft by software; {signed}"
    replaced = f"\nReplaces the report of signature {visit.corrects}." if visit.corrects else ""
    return f"{told}{replaced}\nSignature {visit.id}, visit {visit.visit_id}."


def _lines(items: Iterable[str]) -> str:
    return "\n".join(items)
