"""Words in FHIR R4: questionnaires, messages and notes as turns and sections.

Who spoke is taken from the resource, never from the wording. Knows nothing of contacts and times beyond each
resource's own date.
"""

import re
from collections.abc import Iterator
from typing import Any

from prescreen.records.fhir_codes import COMPLAINTS, HISTORIES
from prescreen.records.fhir_values import (
    LOINC,
    Span,
    Unreadable,
    as_number,
    as_object,
    as_objects,
    as_text,
    find_contained,
    read_attachment,
    read_codes,
    read_label,
    read_reference,
    read_span,
    reference_type,
    strip_narrative,
)

Read = tuple[Span | None, dict[str, Any]] | None
MAX_DEPTH = 50
_COMPLAINT = re.compile(
    r"chief.?complaint|presenting.?(?:complaint|problem)|main (?:problem|concern|complaint)|how can we help"
    r"|reason for (?:your |the |this )?(?:visit|contact|call|coming)|what brings you",
    re.I,
)
_COMPLAINT_TITLE = re.compile(r"(?:chief|presenting) complaint|reason for visit", re.I)
_HISTORY_TITLE = re.compile(r"past medical history|family history|social history", re.I)


def read_sender(resource: dict[str, Any], value: Any) -> tuple[str, str]:
    """Reference and resource type of who spoke; the type is empty where only the whole export can tell."""
    reference = read_reference(value)
    kind = reference_type(value)
    if reference.startswith("#"):
        kind = as_text(find_contained(resource, reference).get("resourceType"))
    return reference, kind


def read_language(resource: dict[str, Any]) -> str:
    """The language the resource says it is written in, such as es; empty where it does not say."""
    primary = as_text(resource.get("language")).lower().split("-")[0]
    return primary if re.fullmatch(r"[a-z]{2,3}", primary) else ""


def read_questionnaire(resource: dict[str, Any]) -> Read:
    """Questions and answers in order; the complaint where a question asks for it."""
    if as_text(resource.get("status")) == "entered-in-error":
        return None
    sender, kind = read_sender(resource, resource.get("source"))
    turns, complaint = [], ""
    for asked, told, free in _read_answers(resource, 0):
        turns.append([asked, told])
        about = " ".join((as_text(free.get("linkId")), asked))
        if not complaint and (_COMPLAINT.search(about) or any(code in about for code in COMPLAINTS)):
            complaint = told
    data = {"answers": turns, "complaint": complaint, "sender": sender, "type": kind}
    return (read_span(resource.get("authored")), data | {"language": read_language(resource)}) if turns else None


def _read_answers(parent: dict[str, Any], depth: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if depth > MAX_DEPTH:
        raise Unreadable("questions are nested more than 50 deep")
    for item in as_objects(parent.get("item")):
        answers = as_objects(item.get("answer"))
        if told := "; ".join(filter(None, map(_read_answer, answers))):
            yield as_text(item.get("text")), told, item
        for answer in answers:
            yield from _read_answers(answer, depth + 1)
        yield from _read_answers(item, depth + 1)


def _read_answer(answer: dict[str, Any]) -> str:
    for name in ("valueString", "valueDate", "valueDateTime", "valueTime", "valueUri"):
        if found := as_text(answer.get(name)):
            return found
    if isinstance(truth := answer.get("valueBoolean"), bool):
        return "yes" if truth else "no"
    for name in ("valueInteger", "valueDecimal"):
        if (number := as_number(answer.get(name))) is not None:
            return f"{number:g}"
    quantity = as_object(answer.get("valueQuantity"))
    if (number := as_number(quantity.get("value"))) is not None:
        return f"{number:g} {as_text(quantity.get('unit')) or as_text(quantity.get('code'))}".strip()
    return read_label(answer.get("valueCoding")) or read_attachment(answer.get("valueAttachment"))


def read_communication(resource: dict[str, Any]) -> Read:
    """A message: its texts and who sent it."""
    if as_text(resource.get("status")) in ("entered-in-error", "not-done"):
        return None
    texts = []
    for part in as_objects(resource.get("payload")):
        texts.append(as_text(part.get("contentString")) or read_attachment(part.get("contentAttachment")))
    sender, kind = read_sender(resource, resource.get("sender"))
    to_patient = any(reference_type(who) == "Patient" for who in as_objects(resource.get("recipient")))
    if not sender and not kind and to_patient:
        kind = "Practitioner"  # to the patient and from nobody named: the clinic's side
    told = "\n".join(filter(None, texts))
    moment = resource.get("sent") if resource.get("sent") is not None else resource.get("received")
    data = {"message": told, "sender": sender, "type": kind, "language": read_language(resource)}
    return (read_span(moment), data) if told else None


def read_document(resource: dict[str, Any]) -> Read:
    """A note's inline text, as one section whose use its type decides."""
    wrong = ("entered-in-error", "superseded")
    if as_text(resource.get("status")) in wrong or as_text(resource.get("docStatus")) in wrong[:1]:
        return None
    context = next(iter(as_objects(resource.get("context"))), {})
    texts = [read_attachment(content.get("attachment")) for content in as_objects(resource.get("content"))]
    told = "\n".join(dict.fromkeys(filter(None, texts)))
    if not told:
        return None
    encounter = next((r for e in as_objects(context.get("encounter")) if (r := read_reference(e))), "")
    date = resource.get("date")
    moment = read_span(date if date is not None else as_object(context.get("period")).get("end"))
    own = read_codes(resource.get("type"), LOINC)
    return moment, {"sections": [[section_use(own, ""), told]], "encounter": encounter}


def read_composition(resource: dict[str, Any]) -> Read:
    """The sections of a document, each with its use; without sections, its own narrative."""
    if as_text(resource.get("status")) == "entered-in-error":
        return None
    sections = [list(found) for found in _read_sections(resource, 0)]
    if not sections and (told := _read_narrative(resource)):
        sections = [["other", told]]
    return (read_span(resource.get("date")), {"sections": sections}) if sections else None


def _read_sections(parent: dict[str, Any], depth: int) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        raise Unreadable("sections are nested more than 50 deep")
    for section in as_objects(parent.get("section")):
        title = as_text(section.get("title"))
        if told := _read_narrative(section):
            use = section_use(read_codes(section.get("code"), LOINC), title)
            yield use, told if use == "complaint" or not title else f"{title}: {told}"
        yield from _read_sections(section, depth + 1)


def _read_narrative(resource: dict[str, Any]) -> str:
    return strip_narrative(as_text(as_object(resource.get("text")).get("div")))


def section_use(codes: set[str], title: str) -> str:
    """What a section may be used for at its own contact: complaint, history or other (nothing)."""
    if codes & COMPLAINTS or (not codes and _COMPLAINT_TITLE.fullmatch(title)):
        return "complaint"
    return "history" if codes & HISTORIES or (not codes and _HISTORY_TITLE.fullmatch(title)) else "other"
