"""The smallest report there is."""

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.report import Draft, HistoryReview

DRAFT = Draft(
    summary="Chest pain for an hour.",
    history=HistoryReview(conditions=["hypertension"], medications=[], allergies=[]),
    findings=[], red_flags=[], differential=[], acuity=Acuity.HIGH, rationale="r", next_steps=[],
    open_questions=[], uncertainty="low",
)  # fmt: skip
