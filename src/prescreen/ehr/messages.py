"""Writer of HL7 v2.5.1 messages: a signed visit as a document (MDM) or as results (ORU).

The same visit always gives the same bytes: times come from the visit, ids from the signature. Knows no connection.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from prescreen.clinic.signed import PatientLink, Person, SignedVisit
from prescreen.config import Strict
from prescreen.ehr.er7 import (
    MARKS,
    NOTHING,
    Encoded,
    clean,
    composite,
    line,
    mark,
    moment,
    number,
    pieces,
    segment,
    whole,
)
from prescreen.ehr.sections import (
    CONSCIOUSNESS,
    LEVEL,
    OWN,
    REPORT,
    Code,
    Section,
    read_measures,
    write_sections,
    write_vitals,
)

Kind = Literal["MDM", "ORU"]
_OURS: Final = Encoded("PRESCREEN")
_SEX: Final = {"female": Encoded("F"), "male": Encoded("M"), "other": Encoded("O"), None: NOTHING}
_COMPLETION: Final = {"nurse": Encoded("AU"), "physician": Encoded("LA")}  # table 0271: authenticated, legally so


class Route(Strict):
    """Names an interface engine sends by: MSH-3 to MSH-6, and MSH-11 (P production, T training, D debugging)."""

    application: str = "PRESCREEN"  # MSH-3
    facility: str = ""  # MSH-4
    to_application: str = ""  # MSH-5
    to_facility: str = ""  # MSH-6
    processing: Literal["P", "T", "D"] = "P"  # MSH-11: production, training, debugging


ROUTE: Final = Route()


def control_id(visit: SignedVisit, kind: Kind) -> str:
    """MSH-10: one for each signature and kind of message, the same at every attempt: a receiver can tell."""
    return mark(f"{kind}:{visit.id}")


def write_mdm(visit: SignedVisit, route: Route = ROUTE) -> str:
    """MDM^T02, or T10 where the visit replaces an earlier signature; the document's number stands in TXA-12.

    Every text begins with its heading, for most receivers show the values of a document and not their codes.
    """
    event = Encoded("T10" if visit.corrects else "T02")
    kind = composite(Encoded("MDM"), event, Encoded("MDM_T02"))
    sections = [Section(LEVEL, visit.level.value), *write_vitals(visit.case.vitals), *write_sections(visit)]
    headed = [Section(s.code, f"{s.code.words}:{_join(s.text)}{s.text}") for s in sections if clean(s.text)]
    return "".join(
        [
            _header(visit, "MDM", kind, route),
            segment("EVN", {2: moment(visit.signed), 5: _person(visit.signer), 6: moment(visit.signed)}),
            _patient(visit),
            _visit(visit),
            _document(visit),
            *_observations(_texts(headed), visit),
        ]
    )


def write_oru(visit: SignedVisit, route: Route = ROUTE) -> str:
    """ORU^R01: vital signs as numbers, the level as a code, the report as text; a correction has status C."""
    kind = composite(Encoded("ORU"), Encoded("R01"), Encoded("ORU_R01"))
    vitals = visit.case.vitals
    rows = [{2: Encoded("NM"), 3: _ce(m.code), 5: number(m.value), 6: _ce(m.unit)} for m in read_measures(vitals)]
    if vitals.consciousness is not None:
        rows.append(_coded(CONSCIOUSNESS, Code(vitals.consciousness, vitals.consciousness, OWN)))
    rows += [_coded(LEVEL, Code(visit.level.value, visit.level.value, OWN)), *_texts(write_sections(visit))]
    order = {
        1: Encoded("1"),
        3: mark(visit.visit_id),  # a visit has one report, so a correction takes the place of what it corrects
        4: _ce(REPORT),
        7: moment(visit.opened),
        8: moment(visit.finished),
        22: moment(visit.signed),
        25: _status(visit),
    }
    parts = [_header(visit, "ORU", kind, route), _patient(visit), _visit(visit), segment("OBR", order)]
    return "".join([*parts, *_observations(rows, visit)])


def _header(visit: SignedVisit, kind: Kind, type_: Encoded, route: Route) -> str:
    fields = {
        2: MARKS,
        3: composite(line(route.application), limit=227),
        4: composite(line(route.facility), limit=227),
        5: composite(line(route.to_application), limit=227),
        6: composite(line(route.to_facility), limit=227),
        7: moment(visit.signed),
        9: type_,
        10: Encoded(control_id(visit, kind)),
        11: Encoded(route.processing),
        12: Encoded("2.5.1"),
        18: Encoded("UNICODE UTF-8"),
    }
    return segment("MSH", fields)


def _patient(visit: SignedVisit) -> str:
    link = visit.patient
    fields = {
        1: Encoded("1"),
        3: _patient_number(link, visit.visit_id),
        5: composite(line(link.family, 50), line(link.given, 30)),
        7: Encoded(f"{link.birth_date:%Y%m%d}") if link.birth_date else NOTHING,
        8: _SEX[link.sex],
        15: composite(line(visit.language, 20), NOTHING, Encoded("ISO639")),
    }
    return segment("PID", fields)


def _patient_number(link: PatientLink, visit_id: str) -> Encoded:
    """The record's own number; without one, a number of ours, which no record knows: its engine asks a person whose
    it is. A FHIR reference goes out whole ("Patient/123"), for its digits alone may be another patient's number."""
    if link.identifier and clean(link.identifier):
        system = link.identifier_system or ""
        authority: Encoded | tuple[Encoded, ...] = line(system)
        if system.startswith("urn:oid:"):
            authority = (NOTHING, line(system.removeprefix("urn:oid:")), Encoded("ISO"))
        elif ":" in system:
            authority = (NOTHING, line(system), Encoded("URI"))
        return composite(whole(link.identifier), NOTHING, NOTHING, authority, Encoded("MR"))
    if link.reference and clean(link.reference):
        return composite(whole(link.reference), NOTHING, NOTHING, Encoded("FHIR"), Encoded("U"))
    return composite(mark(visit_id), NOTHING, NOTHING, _OURS, Encoded("U"))


def _visit(visit: SignedVisit) -> str:
    visit_number = composite(whole(visit.visit_id), NOTHING, NOTHING, _OURS, Encoded("VN"))
    return segment("PV1", {1: Encoded("1"), 2: Encoded("O"), 19: visit_number, 44: moment(visit.opened)})


def _document(visit: SignedVisit) -> str:
    signer = _person(visit.signer)
    fields = {
        1: Encoded("1"),
        2: Encoded("PR"),  # table 0270: progress note; what kind of note, the text's own headings say
        3: Encoded("FT"),
        4: moment(visit.finished),
        5: signer,
        6: moment(visit.signed),
        9: signer,
        12: _document_number(visit.id),
        17: _COMPLETION[visit.signer.role],
        18: Encoded("U"),
        19: Encoded("AV"),
        20: Encoded("AC"),
        22: composite(signer, *[NOTHING] * 12, moment(visit.signed)),
    }
    if visit.corrects:
        fields[13] = _document_number(visit.corrects)
    return segment("TXA", fields)


def _document_number(signature: str) -> Encoded:
    return composite(mark(signature), _OURS, limit=30)


def _person(person: Person) -> Encoded:
    return composite(whole(person.id), line(person.name, 50))


def _ce(code: Code) -> Encoded:
    return composite(line(code.code), line(code.words), line(code.system))


def _status(visit: SignedVisit) -> Encoded:
    return Encoded("C" if visit.corrects else "F")


def _coded(code: Code, value: Code) -> dict[int, Encoded]:
    return {2: Encoded("CE"), 3: _ce(code), 5: _ce(value)}


def _join(text: str) -> str:
    return "\n" if "\n" in text else " "


def _texts(sections: Iterable[Section]) -> Iterator[dict[int, Encoded]]:
    for section in sections:
        parts = pieces(section.text)
        for place, text in enumerate(parts, 1):
            part = Encoded(str(place)) if len(parts) > 1 else NOTHING
            yield {2: Encoded("FT"), 3: _ce(section.code), 4: part, 5: text}


def _observations(rows: Iterable[dict[int, Encoded]], visit: SignedVisit) -> Iterator[str]:
    shared = {11: _status(visit), 14: moment(visit.finished), 16: _person(visit.signer)}
    for place, row in enumerate(rows, 1):
        yield segment("OBX", {1: Encoded(str(place)), **row, **shared})
