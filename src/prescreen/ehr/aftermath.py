"""What a FHIR R4 record tells of a patient's next 72 hours: seen again, admitted, died. Knows no store.

Only what surely happened to this patient counts, and what cannot be placed in time is an error: "nothing happened"
is said of a record that was read to its end, and of no other. Kind, time and urgency are kept; no word of the rest.
"""

import datetime
from collections.abc import Iterator
from typing import Final

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import FOLLOWED, USUAL, Later, LaterKind, choose_worst
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.codes import Resource, check_reference
from prescreen.ehr.moments import Span, read_span
from prescreen.ehr.paging import read_pages
from prescreen.ehr.wire import PASSING, Wire

NOT_MET: Final = frozenset({"planned", "cancelled", "entered-in-error"})  # states of an encounter
# v3 ActCode and HL7 table 0004; a class that is none of these is a contact as any other
KINDS: Final[dict[str, LaterKind]] = {
    "EMER": "emergency visit", "E": "emergency visit",
    "IMP": "admission", "ACUTE": "admission", "NONAC": "admission", "OBSENC": "admission", "SS": "admission",
    "I": "admission",
}  # fmt: skip
NO_CONTACT: Final = frozenset({"PRENC", "P"})  # a pre-admission is paper work
URGENCY: Final[dict[str, Acuity]] = {
    "EM": Acuity.EMERGENCY, "S": Acuity.EMERGENCY,
    "UR": Acuity.HIGH, "A": Acuity.HIGH, "T": Acuity.HIGH,
    "R": Acuity.LOW, "EL": Acuity.LOW,
}  # fmt: skip
NAMES: Final = 3  # of one patient, merged twice


def read_aftermath(wire: Wire, reference: str, since: datetime.datetime, own: str | None = None) -> Later | None:
    """The worst of the 72 hours after `since`, None where nothing happened; `own` is the visit's encounter."""
    known, patient = _find_patient(wire, reference)
    first = since.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    events = list(_read_death(patient, since))
    for name in known:
        encounters = read_pages(wire, "Encounter", f"patient={name}&date=ge{first}")
        if encounters is None:
            raise DeliveryError("the record system shows no encounters by patient and date", lasting=True)
        for encounter in encounters:
            if encounter["status"] not in NOT_MET and _is_of(encounter, known):
                events += _read_encounter(encounter, since, is_own=f"Encounter/{encounter.get('id')}" == own)
    return choose_worst(events)


def local_reference(told: object, kind: str) -> str | None:
    """ "Patient/1" out of a reference that may name the server; None where it is of another kind."""
    parts = str(told.get("reference") or "").split("/") if isinstance(told, dict) else []
    if len(parts) >= 4 and parts[-2] == "_history":
        parts = parts[:-2]
    if len(parts) < 2 or parts[-2] != kind:
        return None
    return check_reference("/".join(parts[-2:]), kind)


def _find_patient(wire: Wire, reference: str) -> tuple[list[str], Resource]:
    """What the record calls the patient, and who that is now: one merged into another is followed there."""
    known: list[str] = []
    while reference not in known and len(known) < NAMES:
        reply = wire.send("GET", check_reference(reference, "Patient"))
        if reply.status != 200:
            lasting, said = reply.status not in PASSING, f"does not show the patient (status {reply.status})"
            raise DeliveryError(f"the record system {said}", lasting=lasting)
        patient = reply.read()
        known.append(reference)
        links = [link["other"] for link in patient.get("link", []) if link["type"] == "replaced-by"]
        if not links:
            return known, patient
        reference = local_reference(links[0], "Patient") or reference
    raise DeliveryError("the patient was merged over and over in the record; look there", lasting=True)


def _is_of(encounter: Resource, known: list[str]) -> bool:
    """A server that overlooks a filter must not make another's stay this patient's."""
    return local_reference(encounter.get("subject"), "Patient") in known


def _read_encounter(encounter: Resource, since: datetime.datetime, *, is_own: bool) -> Iterator[Later]:
    """What began in the time, the encounter or a class of it: who came in before may be admitted after."""
    told = encounter["class"]
    moves = [(move["class"], move.get("period")) for move in encounter.get("classHistory", [])]
    if not is_own and told.get("code") not in [move.get("code") for move, _ in moves]:
        moves.append((told, encounter.get("period")))
    for told, period in moves:
        code = str(told.get("code") or "")
        kind = KINDS.get(code, "came again")
        if code in NO_CONTACT or (is_own and kind == "came again"):
            continue
        start = read_span(period.get("start") if isinstance(period, dict) else None)
        if start is None:
            raise DeliveryError("the record system does not say when an encounter began", lasting=True)
        after = start.low if kind == "came again" else start.high  # the contact itself may be noted by its day
        if after > since and start.low <= since + FOLLOWED:
            level = _read_urgency(encounter.get("priority")) or USUAL[kind]
            yield Later(kind=kind, at=max(start.low, since), level=level)


def _read_urgency(priority: object) -> Acuity | None:
    """The urgency as the record has it; our own four levels stand in its text."""
    if not isinstance(priority, dict):
        return None
    own = next((level for level in Acuity if level.value == priority.get("text")), None)
    codes = [str(coding.get("code")) for coding in priority.get("coding", [])]
    return own or next((URGENCY[code] for code in codes if code in URGENCY), None)


def _read_death(patient: Resource, since: datetime.datetime) -> Iterator[Later]:
    """A death that is told without its time came after the signature: it counts, at the end of the time."""
    until = since + FOLLOWED
    died: Span | None = Span(until, until) if patient.get("deceasedBoolean") is True else None
    if "deceasedDateTime" in patient:
        died = read_span(patient["deceasedDateTime"])
        if died is None:
            raise DeliveryError("the record system does not say readably when the patient died", lasting=True)
    if died is not None and died.high > since and died.low <= until:
        yield Later(kind="died", at=max(died.low, since), level=USUAL["died"])
