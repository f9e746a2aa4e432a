"""Case: one patient contact, as the nurse and the model see it.

Pure data: no torch, no web. What was never asked is None; an empty tuple means asked and none.
"""

from typing import Final, Literal

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.report import Draft
from prescreen.config import Strict

SCHEMA_VERSION: Final = "1"


class Vitals(Strict):
    """Measured values; None means not measured. Units: /min, mmHg, °C, % and 0-10."""

    heart_rate: float | None = None
    respiratory_rate: float | None = None
    systolic: float | None = None
    diastolic: float | None = None
    temperature: float | None = None
    spo2: float | None = None
    consciousness: Literal["alert", "confused", "voice", "pain", "unresponsive"] | None = None
    pain: float | None = None

    @property
    def measured(self) -> dict[str, object]:
        """Only what was measured, in declaration order."""
        return {name: value for name, value in self if value is not None}


class Turn(Strict):
    """One utterance of the conversation so far."""

    speaker: Literal["patient", "relative", "assistant", "nurse"]
    text: str


class Label(Strict):
    """What is known to be right about a case; never shown to the model.

    `acuity` is the single best level, `accepted` all levels a grader takes as right.
    """

    acuity: Acuity
    accepted: tuple[Acuity, ...]
    origin: str
    condition: str | None = None
    red_flags: tuple[str, ...] = ()
    draft: Draft | None = None


class Case(Strict):
    """One patient contact. `complaint` and `turns` are the patient's own words, verbatim."""

    schema_version: Literal["1"] = SCHEMA_VERSION
    id: str
    patient_id: str
    source: str
    licence: str
    language: str = "en"
    age_years: float | None = None
    sex: Literal["female", "male", "other"] | None = None
    pregnant: bool | None = None
    conditions: tuple[str, ...] | None = None
    medications: tuple[str, ...] | None = None
    allergies: tuple[str, ...] | None = None
    history_text: str = ""
    complaint: str
    vitals: Vitals = Vitals()
    turns: tuple[Turn, ...] = ()
    label: Label | None = None

    @property
    def spoken(self) -> str:
        """Everything the patient's side said, one utterance a line: where evidence must be found."""
        said = [self.complaint, *(t.text for t in self.turns if t.speaker in ("patient", "relative"))]
        return "\n".join(dict.fromkeys(s for s in said if s))

    @property
    def text(self) -> str:
        """All free text a rule may read: history and what was said."""
        return "\n".join(s for s in (self.history_text, self.spoken) if s)

    @property
    def recorded(self) -> str:
        """All free text and the record's lists: where what a report claims must be found."""
        lists = (self.conditions, self.medications, self.allergies)
        return "\n".join((self.text, *(item for items in lists for item in items or ())))
