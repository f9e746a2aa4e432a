"""Emergency-department triage records labelled on the Korean scale (KTAS) as cases.

Reads only what is known at the door: complaint, age, sex, vitals, pain, alertness. The nurse's own level, the
diagnosis and the disposition come later and are never read. The expert level is the label.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from prescreen.clinic.acuity import Acuity, Level, read_level
from prescreen.clinic.case import Case, Label, Vitals
from prescreen.clinic.report import Draft, Finding, HistoryReview
from prescreen.clinic.vitals import describe_vitals
from prescreen.data.records import Part, Reject
from prescreen.data.split import assign_part

FILE = "ktas_dev.csv"
SHARES: dict[Part, float] = {"train": 0.6, "valid": 0.1, "test": 0.3}
CONSCIOUSNESS = {"1": "alert", "2": "voice", "3": "pain", "4": "unresponsive"}
SEX = {"1": "female", "2": "male"}
COLUMNS = {
    "heart_rate": ("HR", 20, 250),
    "respiratory_rate": ("RR", 4, 70),
    "systolic": ("SBP", 40, 280),
    "diastolic": ("DBP", 20, 180),
    "temperature": ("BT", 30, 43),
    "spo2": ("Saturation", 50, 100),
}  # field: column and the range outside which a value is a slip of the pen, not a measurement
NEXT_STEPS = {
    Acuity.EMERGENCY: ["See at once; a doctor to the bedside.", "Monitor vital signs continuously."],
    Acuity.HIGH: ["See within minutes; tell the doctor.", "Repeat vital signs within 30 minutes."],
    Acuity.MEDIUM: ["See in turn within the hour.", "Repeat vital signs if anything changes."],
    Acuity.LOW: ["Can wait safely; explain when to call for help.", "Offer comfort and simple advice."],
}


def ktas_part(case_id: str) -> Part:
    """The part of a record, by hash of its id: stable for ever."""
    return assign_part(case_id, SHARES, key="ktas")


def read_ktas(folder: Path) -> Iterator[Case | Reject]:
    """Cases of the staged file; a complaint lost to encoding is rejected, not guessed."""
    with (folder / FILE).open(encoding="utf-8-sig", newline="") as handle:
        for number, record in enumerate(csv.DictReader(handle), 2):
            complaint = record["Chief_complain"].strip()
            if sum(letter.isalpha() for letter in complaint) < 2:
                where = f"{FILE}, line {number}"
                yield Reject("ktas_ed", where, "complaint lost to encoding", record["case_id"])
            else:
                yield read_record(record, "ktas_ed", "CC-BY-4.0")


def read_record(record: dict[str, str], source: str, licence: str) -> Case:
    """One row of KTAS columns as a case with its gold draft."""
    complaint = record["Chief_complain"].strip()
    level = read_level(record["KTAS_expert"], "ktas")
    case = Case(
        id=record["case_id"],
        patient_id=record.get("patient_id") or record["case_id"],
        source=source,
        licence=licence,
        age_years=_number(record.get("Age", ""), 0, 120),
        sex=SEX.get(record.get("Sex", "")),  # type: ignore[arg-type]
        complaint=complaint,
        vitals=read_vitals(record),
    )
    return case.model_copy(update={"label": _label(case, level)})


def read_vitals(record: dict[str, str]) -> Vitals:
    """Measured vitals; an impossible or missing value is None. No pain is a pain score of 0."""
    values: dict[str, object] = {
        field: _number(record.get(column, ""), low, high) for field, (column, low, high) in COLUMNS.items()
    }
    pain = _number(record.get("NRS_pain", ""), 0, 10)
    values["pain"] = 0.0 if pain is None and record.get("Pain") == "0" else pain
    values["consciousness"] = CONSCIOUSNESS.get(record.get("Mental", ""))
    return Vitals.model_validate(values)


def draft_record(case: Case, acuity: Acuity) -> Draft:
    """The report a nurse could write from the door alone; nothing is said that the record does not hold."""
    abnormal = describe_vitals(case.vitals)
    who = " ".join(w for w in (f"{case.age_years:.0f}-year-old" if case.age_years else "", case.sex or "") if w)
    words = "; ".join(abnormal) if abnormal else "no measured vital sign is far out of range"
    missing = case.vitals.spo2 is None
    return Draft(
        summary=f"{who or 'Patient'} with {case.complaint}.",
        history=HistoryReview(conditions=[], medications=[], allergies=[]),
        findings=[Finding(name=case.complaint.lower()[:240], status="present", evidence=case.complaint[:240])],
        red_flags=abnormal[:6] if acuity >= Acuity.HIGH else [],
        differential=[],
        acuity=acuity,
        rationale=f"Complaint: {case.complaint}; {words}."[:400],
        next_steps=NEXT_STEPS[acuity],
        open_questions=["Oxygen saturation was not measured."] if missing else [],
        uncertainty="moderate" if case.vitals.measured else "high",
    )


def _label(case: Case, level: Level) -> Label:
    return Label(
        acuity=level.acuity,
        accepted=level.accepted,
        origin="KTAS level agreed by three experts",
        draft=draft_record(case, level.acuity),
    )


def _number(text: str, low: float, high: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if low <= value <= high else None
