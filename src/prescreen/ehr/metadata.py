"""What the embedded record can do, as a CapabilityStatement. Knows no store."""

from prescreen.ehr.codes import Resource
from prescreen.ehr.questions import DATED

WRITTEN = (
    "Composition", "DetectedIssue", "Device", "Encounter", "Observation", "Patient", "Provenance",
    "QuestionnaireResponse", "RiskAssessment", "Task",
)  # fmt: skip
READ = ("AllergyIntolerance", "Condition", "Medication", "MedicationRequest", "MedicationStatement", "Practitioner")
KINDS = frozenset((*WRITTEN, *READ))
_ACTS = ("read", "vread", "create", "update", "search-type", "history-instance")
_SEARCHES = {"_id": "token", "_lastUpdated": "date", "identifier": "token", "patient": "reference"}
_NO_IDENTIFIER = frozenset({"Provenance"})
_NO_PATIENT = frozenset({"Patient", "Device", "Medication", "Practitioner", "Provenance"})


def describe_desk() -> Resource:
    """The CapabilityStatement."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-26",
        "kind": "instance",
        "implementation": {"description": "prescreen, embedded record"},
        "software": {"name": "prescreen"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "resource": [_describe(kind) for kind in sorted(KINDS)],
                "interaction": [{"code": "transaction"}],
            }
        ],
    }


def _describe(kind: str) -> Resource:
    left_out = ({"identifier"} if kind in _NO_IDENTIFIER else set()) | (
        {"patient"} if kind in _NO_PATIENT else set()
    )
    searches = _SEARCHES | ({"date": "date"} if kind in DATED else {})
    return {
        "type": kind,
        "interaction": [{"code": act} for act in _ACTS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalUpdate": True,
        "searchParam": [{"name": n, "type": t} for n, t in searches.items() if n not in left_out],
    }
