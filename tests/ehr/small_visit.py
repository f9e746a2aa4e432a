"""One signed visit of an invented patient, and ways to change it."""

import datetime
from typing import Any

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.clinic.report import Consideration, Finding, HistoryReview, Report
from prescreen.clinic.signed import ModelLabel, PatientLink, Person, SignedVisit

AT = datetime.datetime(2026, 3, 4, 9, 30, tzinfo=datetime.UTC)
SIGNATURE = "6f1f6a0e-6b4b-4a55-9d0f-0c7c8d7a1b22"
MODEL = ModelLabel(name="twin", version="7", engine="scripted")


def make_report(**changes: Any) -> Report:
    """A signed report; a test changes what it looks at."""
    values: dict[str, Any] = {
        "acuity": Acuity.HIGH,
        "summary": "Chest pressure for an hour.",
        "history": HistoryReview(conditions=["asthma"], medications=["salbutamol"], allergies=["penicillin: rash"]),
        "findings": [Finding(name="chest pain", status="present", evidence="a weight on my chest")],
        "red_flags": ["chest pressure"],
        "differential": [Consideration(condition="angina", supports=["pressure"], against=["age 34"])],
        "rationale": "Pressure with sweating.",
        "next_steps": ["ECG now"],
        "open_questions": ["Family history?"],
        "uncertainty": "moderate",
        "case_id": "c1",
        "model_acuity": Acuity.MEDIUM,
        "rule_acuity": Acuity.HIGH,
        "rules": ["chest-pain-pressure"],
    }
    return Report(**{**values, **changes})


def make_visit(**changes: Any) -> SignedVisit:
    """A signed visit; `case`, `patient`, `final` and all others may be given whole."""
    case = Case(
        id="c1",
        patient_id="p1",
        source="intake",
        licence="clinic",
        complaint="There is a weight on my chest\nsince eight | it is <bad> & I sweat",
        vitals=Vitals(heart_rate=104, temperature=37.25, spo2=97, systolic=142, consciousness="alert"),
        turns=(Turn(speaker="patient", text="TURNTEXT"),),
    )
    values: dict[str, Any] = {
        "id": SIGNATURE,
        "visit_id": "0b9d0c5e-95b3-4c2e-8a37-3a8f1d3c9e10",
        "patient": PatientLink(
            identifier_system="urn:oid:1.2.36.146",
            identifier="MR-0042",
            family="O'Testa",
            given="Ana^Maria",
            birth_date=datetime.date(1991, 2, 3),
            sex="female",
        ),
        "opened": AT - datetime.timedelta(minutes=40),
        "finished": AT - datetime.timedelta(minutes=30),
        "signed": AT,
        "case": case,
        "draft": make_report(summary="DRAFTED WORDS", acuity=Acuity.MEDIUM),
        "model": MODEL,
        "final": make_report(),
        "reason": "rule",
        "note": "Seen at once.\nSon is with her.",
        "signer": Person(id="n7", name="Nora Nurse", role="nurse"),
        "seen": "a" * 64,
    }
    return SignedVisit(**{**values, **changes})
