"""Report: the structured preliminary draft a nurse reviews, and its JSON Schema.

The order of fields is the order of thought: what was said, then what it may mean, then how urgent it is.
A model writes a `Draft`; `prescreen.clinic.floor` turns it into the `Report` a nurse sees.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from prescreen.clinic.acuity import Acuity
from prescreen.config import Strict

REPORT_VERSION: Final = "1"
Line = Annotated[str, Field(max_length=240)]


class Finding(Strict):
    """One symptom or sign. `evidence` is a verbatim span of the patient's words, empty when not asked."""

    name: Line
    status: Literal["present", "denied", "not asked"]
    evidence: Line = ""


class HistoryReview(Strict):
    """The relevant history in the record's or the patient's words."""

    conditions: list[Line] = Field(max_length=12)
    medications: list[Line] = Field(max_length=12)
    allergies: list[Line] = Field(max_length=12)


class Consideration(Strict):
    """One candidate condition with what speaks for and against it."""

    condition: Line
    supports: list[Line] = Field(max_length=4)
    against: list[Line] = Field(max_length=4)


class Draft(Strict):
    """What the model writes, in this order: its thought ends in the level, so the level stands next to it."""

    acuity: Acuity
    summary: Annotated[str, Field(max_length=600)]
    history: HistoryReview
    findings: list[Finding] = Field(max_length=12)
    red_flags: list[Line] = Field(max_length=6)
    differential: list[Consideration] = Field(max_length=4)
    rationale: Annotated[str, Field(max_length=400)]
    next_steps: list[Line] = Field(max_length=5)
    open_questions: list[Line] = Field(max_length=5)
    uncertainty: Literal["low", "moderate", "high"]


class Report(Draft):
    """A draft after the rule floor: what the nurse sees. Versioned; never shown to a patient.

    `model_acuity` is None when there is no usable model answer; `rule_acuity` is None when no rule fired.
    """

    report_version: Literal["1"] = REPORT_VERSION
    case_id: str
    model_acuity: Acuity | None
    rule_acuity: Acuity | None
    rules: list[str] = []
    unsupported: list[str] = []
    no_draft_reason: str = ""
    status: Literal["draft for nurse review"] = "draft for nurse review"


class SeedEntry(Strict):
    """The request's own data entry, verbatim keys."""

    history: str
    symptoms: str
    diagnosis_report: str
    triage_priority: str
