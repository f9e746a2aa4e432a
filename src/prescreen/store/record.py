"""What the record knows of a patient, beside what was told: added for rules and model, taken back by nothing.

Reads the sealed history by its field names. Knows no record system.
"""

from pydantic import BaseModel, ConfigDict

from prescreen.clinic.case import Case
from prescreen.store.base import Act
from prescreen.store.tables import Visit

Items = tuple[str, ...] | None


class _Person(BaseModel):
    model_config = ConfigDict(extra="ignore")
    sex: str | None = None


class _Known(BaseModel):
    """The fields of a history that a case has too."""

    model_config = ConfigDict(extra="ignore")
    patient: _Person = _Person()
    age_years: float | None = None
    pregnant: bool | None = None
    conditions: Items = None
    medications: Items = None
    allergies: Items = None


def set_record(act: Act, visit: Visit, history: str) -> None:
    """Keep what the record knows of the patient, as JSON."""
    visit.record = act.seal(visit.patient_id, _place(visit), history)
    visit.version += 1
    act.log("visit.record", visit.id)


def add_record(act: Act, visit: Visit, case: Case) -> Case:
    """The case with what the record knows besides: a rule that asks for a condition fires when either names it."""
    if visit.record is None:
        return case
    known = _Known.model_validate_json(act.unseal(visit.patient_id, _place(visit), visit.record))
    return Case.model_validate(
        {
            **dict(case),
            "conditions": _join(case.conditions, known.conditions),
            "medications": _join(case.medications, known.medications),
            "allergies": _join(case.allergies, known.allergies),
            "age_years": known.age_years if case.age_years is None else case.age_years,
            "sex": case.sex or known.patient.sex,
            "pregnant": case.pregnant or known.pregnant or case.pregnant,
        }
    )


def _join(told: Items, known: Items) -> Items:
    """Both lists, each item once; None only where neither was asked."""
    if told is None or known is None:
        return told if known is None else known
    held = {item.casefold() for item in told}
    return (*told, *(item for item in known if item.casefold() not in held))


def _place(visit: Visit) -> str:
    return f"visits|record|{visit.id}"
