"""A clinic's import as material: labelled cases to learn and test triage from, texts to read.

Knows the rows of a `records` run and what guards them. A patient stands in one part only; texts of test patients
are read by nobody.
"""

from prescreen.clinic.case import Case
from prescreen.custody import CASES, read_withdrawn, require_audit
from prescreen.data.gather import Gathered, place_clinic
from prescreen.data.records import Reject, Text
from prescreen.data.split import assign_part
from prescreen.run import Run

FEWEST_WORDS = 20  # of a text worth reading
SPOKEN = {"patient": "Patient", "relative": "Relative", "assistant": "Clinician", "nurse": "Nurse"}


def gather_imported(found: Gathered, run: Run) -> None:
    """Add an import: cases with a level as the clinic's own, all long enough as texts; the withdrawn not at all."""
    require_audit(run)
    withdrawn = read_withdrawn(getattr(run.recipe, "vault"))  # noqa: B009
    with (run.folder / CASES).open(encoding="utf-8") as handle:
        for line in handle:
            case = Case.model_validate_json(line)
            if case.patient_id in withdrawn:
                found.rejects.append(Reject(case.source, case.id, "the patient has withdrawn"))
                continue
            if case.label is not None and case.complaint.strip():
                place_clinic(found, case)
            part, text = assign_part(case.patient_id), write_text(case)
            if part != "test" and len(text.split()) >= FEWEST_WORDS:
                found.texts[part].append(Text(f"{case.id}-text", text, case.source, case.licence, "medical"))


def write_text(case: Case) -> str:
    """What a record tells, as a person would read it."""
    lists = (("Conditions", case.conditions), ("Medications", case.medications), ("Allergies", case.allergies))
    known = [f"{name}: {', '.join(items)}." for name, items in lists if items]
    spoken = any(turn.text == case.complaint for turn in case.turns)
    said = [f"{SPOKEN[turn.speaker]}: {turn.text}" for turn in case.turns]
    parts = ["" if spoken else case.complaint, case.history_text, "\n".join(known), "\n".join(said)]
    return "\n\n".join(part for part in parts if part.strip())
