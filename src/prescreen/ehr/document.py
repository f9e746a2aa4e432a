"""What was signed and who made it, as R4 resources: the Composition, the model's proposal, its Device, Provenance
and the review Task.

The signed report is the Composition; of the unsigned draft one thing leaves, its level, in a RiskAssessment that
says it was made by AI. Pure functions of a signed visit; knows no Bundle and no wire.
"""

from collections.abc import Iterator
from typing import Final

from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel, SignedVisit
from prescreen.ehr import codes
from prescreen.ehr.codes import Resource
from prescreen.ehr.labels import (
    clean_text,
    join_items,
    narrative,
    write_inline,
    write_list,
    write_paragraph,
)
from prescreen.ehr.resources import Names, own_id

_PERCENT: Final = {"unit": "%", "system": codes.UCUM, "code": "%"}
# No probability is known. An absent one fails ras-2 at Medplum, whose FHIRPath takes an empty answer for a false
# one; "between 0 and 100 percent" says the same and passes everywhere.
_UNKNOWN: Final = {"low": {"value": 0, **_PERCENT}, "high": {"value": 100, **_PERCENT}}


def write_device(model: ModelLabel) -> Resource:
    """The model as it was when it wrote; another version is another Device."""
    versions = [("model", model.version), ("engine", model.engine), ("weights sha-256", model.weights)]
    versions.append(("gate verdict", model.verdict))
    known = [(kind, clean_text(value)) for kind, value in versions if clean_text(value)]
    parts = (model.name, model.version, model.engine, model.weights, model.verdict)
    return {
        "resourceType": "Device",
        "identifier": [codes.identifier(codes.model_id(*parts))],
        "status": "active",
        "deviceName": [{"name": clean_text(model.name) or "model", "type": "model-name"}],
        "type": {"text": "language model that drafts triage reports"},
    } | ({"version": [{"type": {"text": kind}, "value": value} for kind, value in known]} if known else {})


def write_proposal(visit: SignedVisit, names: Names, basis: list[str]) -> Resource | None:
    """The model's own level, before rules and people; None when it made none."""
    if visit.draft is None or visit.model is None or visit.draft.model_acuity is None:
        return None
    level = visit.draft.model_acuity.value
    return {
        "resourceType": "RiskAssessment",
        "meta": {"security": [dict(codes.AI_ASSERTED)]},
        "identifier": [names.identifier("proposal")],
        "status": "preliminary",
        "code": {"text": "Proposed triage acuity, not reviewed"},
        "subject": names.patient,
        "encounter": names.encounter,
        "performer": names.ref("device"),
        "basis": [names.ref(key) for key in basis],
        "prediction": [{"qualitativeRisk": codes.coded(codes.ACUITY, level, level), "probabilityRange": _UNKNOWN}],
    }


def write_composition(visit: SignedVisit, names: Names, entries: dict[str, list[str]]) -> Resource:
    """The report as signed; `entries` names the resources that stand behind a section."""
    model = [names.ref("device")] if visit.model else []
    composition: Resource = {
        "resourceType": "Composition",
        "identifier": codes.identifier(str(names.signature)),
        "status": "amended" if visit.corrects else "final",
        "type": codes.coded(codes.LOINC, codes.TRIAGE_NOTE, "Triage note"),
        "subject": names.patient,
        "encounter": names.encounter,
        "date": codes.instant(visit.signed),
        "author": [*model, names.signer],
        "title": "Triage report",
        "attester": [{"mode": "professional", "time": codes.instant(visit.signed), "party": names.signer}],
    }
    if visit.corrects:
        replaced = codes.identifier(str(codes.parse_id(visit.corrects)))
        composition["relatesTo"] = [{"code": "replaces", "targetIdentifier": replaced}]
    composition["section"] = [
        {"title": title, "text": text}
        | ({"entry": [names.ref(key) for key in entries[title]]} if entries.get(title) else {})
        for title, text in _sections(visit)
        if text
    ]
    return composition


def _sections(visit: SignedVisit) -> Iterator[tuple[str, Resource | None]]:
    """The report section by section; an empty one is left out."""
    final = visit.final
    yield (
        "Acuity",
        narrative(
            write_paragraph(final.acuity.value, "Level"),
            write_paragraph(final.rationale, "Rationale"),
            write_paragraph(visit.reason, "Reason for the change"),
        ),
    )
    yield "Red flags", narrative(write_list(final.red_flags))
    yield "Summary", narrative(write_paragraph(final.summary))
    yield "Findings", narrative(join_items(list(_findings(final))))
    yield (
        "History",
        narrative(
            write_list(final.history.conditions, "Conditions"),
            write_list(final.history.medications, "Medications"),
            write_list(final.history.allergies, "Allergies"),
        ),
    )
    yield "Considerations", narrative(join_items(list(_considerations(final))))
    yield "Next steps", narrative(write_list(final.next_steps))
    yield "Open questions", narrative(write_list(final.open_questions))
    yield "Note", narrative(write_paragraph(visit.note))


def _findings(final: Report) -> Iterator[str]:
    for finding in final.findings:
        told = f" <q>{write_inline(finding.evidence)}</q>" if clean_text(finding.evidence) else ""
        yield f"{write_inline(finding.name)}: {finding.status}{told}"


def _considerations(final: Report) -> Iterator[str]:
    for candidate in final.differential:
        sides = (write_list(candidate.supports, "for"), write_list(candidate.against, "against"))
        yield write_inline(candidate.condition) + "".join(sides)


def write_task(visit: SignedVisit, names: Names) -> Resource:
    """The review, done."""
    signed = codes.instant(visit.signed)
    return {
        "resourceType": "Task",
        "identifier": [names.identifier("task")],
        "status": "completed",
        "intent": "proposal",
        "priority": codes.TASK_PRIORITY[visit.level],
        "code": {"text": "review of a triage report"},
        "focus": names.ref("composition"),
        "for": names.patient,
        "encounter": names.encounter,
        "executionPeriod": {"start": codes.instant(visit.finished), "end": signed},
        "authoredOn": codes.instant(visit.finished),
        "lastModified": signed,
        "owner": names.signer,
    } | ({"requester": names.ref("device")} if visit.model else {})


def write_signing(visit: SignedVisit, names: Names) -> Resource:
    """Who signed what they saw."""
    seen = {"system": codes.SEEN, "value": clean_text(visit.seen) or "unknown"}
    return {
        "resourceType": "Provenance",
        "id": own_id(names, "signing"),
        "target": [names.ref("composition")],
        "occurredDateTime": codes.instant(visit.signed),
        "recorded": codes.instant(visit.signed),
        "agent": [{"type": codes.coded(codes.PARTICIPANT, "verifier"), "who": names.signer}],
        "entity": [{"role": "source", "what": {"identifier": seen, "display": "what the signer saw"}}],
    }


def write_drafting(visit: SignedVisit, names: Names, *, proposed: bool) -> Resource | None:
    """Which model wrote the draft from whose words; None when none did."""
    if visit.model is None:
        return None
    return {
        "resourceType": "Provenance",
        "id": own_id(names, "drafting"),
        "target": [names.ref("composition"), *([names.ref("proposal")] if proposed else [])],
        "recorded": codes.instant(visit.signed),
        "reason": [{"coding": [dict(codes.AI_ASSERTED)]}],
        "agent": [{"type": codes.coded(codes.PARTICIPANT, "author"), "who": names.ref("device")}],
        "entity": [{"role": "source", "what": names.ref("answers")}],
    }
