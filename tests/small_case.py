"""Invented contacts: one that a rule knows for an emergency, one that no rule knows."""

from prescreen.clinic.case import Case


def make_case(complaint: str = "I have crushing chest pain and I am sweating", name: str = "c1") -> Case:
    return Case(
        id=name,
        patient_id=f"p-{name}",
        source="test",
        licence="Apache-2.0 (project)",
        complaint=complaint,
        age_years=60,
    )


CALM = "My toenail looks a bit yellow"
