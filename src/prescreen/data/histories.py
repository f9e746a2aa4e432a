"""Synthetic health records (Synthea) as history-review rows.

A record's "conditions" mix diagnoses with social findings and tasks: only diagnoses are kept, and active
medicines and all allergies are never dropped.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from prescreen.clinic.case import Case
from prescreen.data.dialogues import read_json_lines
from prescreen.data.records import Reject, Row
from prescreen.model.harmony import Message
from prescreen.model.prompt import task_messages

KIND = re.compile(r"\s*\(([a-z /]+)\)\s*$")
CLINICAL_FINDING = re.compile(r"pain|obesity|pregnancy|diabetes|headache|suicide|distress|spasticity", re.I)
MAX_MEDICINES = 12


def read_histories(folder: Path) -> Iterator[Row | Reject]:
    """One row a patient: the record as listed, and its summary."""
    for record in read_json_lines(folder / "patient_histories.jsonl"):
        name = record["patient_id"]
        case = history_case(record)
        if record["deceased"]:
            yield Reject("synthea_sample", name, "the patient has died: no pre-screening can follow")
        elif not case.conditions and not case.medications:
            yield Reject("synthea_sample", name, "no diagnosis and no medicine on record")
        elif len(case.medications or ()) > MAX_MEDICINES:
            yield Reject("synthea_sample", name, "more medicines than a report holds; none may be dropped")
        else:
            answer: Message = {"role": "assistant", "content": summarise_history(case)}
            messages = (*task_messages("history", case), answer)
            yield Row(f"{name}-history", name, name, "history", case.source, case.licence, messages)


def history_case(record: dict) -> Case:
    """The record's clinical part. Status decides what is current; an allergy is always current."""
    conditions = [c["text"] for c in record["conditions"] if c["status"] == "active" and is_diagnosis(c["text"])]
    medicines = [m["text"] for m in record["medications"] if m["status"] == "active"]
    return Case(
        id=record["patient_id"],
        patient_id=record["patient_id"],
        source="synthea_sample",
        licence="Apache-2.0",
        sex=record["gender"] if record["gender"] in ("female", "male") else None,
        conditions=tuple(dict.fromkeys(KIND.sub("", c) for c in conditions)),
        medications=tuple(dict.fromkeys(medicines)),
        allergies=tuple(dict.fromkeys(KIND.sub("", a["text"]) for a in record["allergies"])),
        complaint="History review before the visit.",
    )


def is_diagnosis(text: str) -> bool:
    """True for a disorder or a clinical finding; false for jobs, schooling, housing, tasks and situations."""
    kind = KIND.search(text)
    if kind is None or kind[1] not in ("disorder", "finding"):
        return False
    return kind[1] == "disorder" or bool(CLINICAL_FINDING.search(text))


def summarise_history(case: Case) -> str:
    """The record in three short lines; what was asked and is empty is said to be none."""
    unasked = "not asked"
    lines = {"Conditions": case.conditions, "Medications": case.medications, "Allergies": case.allergies}
    return "\n".join(
        f"{name}: {unasked if items is None else '; '.join(items) or 'none known'}" for name, items in lines.items()
    )
