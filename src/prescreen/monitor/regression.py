"""A regression case of an incident: the contact without identifiers, at a clinician's level, for the clinic's bank.

Fails closed: what may still identify is refused. Knows no store and no model.
"""

import datetime
import os
import secrets
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.authored import Condition, Contact
from prescreen.clinic.case import Case, Vitals
from prescreen.clinic.signed import PatientLink
from prescreen.errors import InputError, RefusedError
from prescreen.records.deid.deidentify import deidentify, find_spans
from prescreen.records.record import Identifiers, Record, Reject, Source

_LINE_ENDS: Final = dict.fromkeys((0x85, 0x2028, 0x2029), "\n")
PREFIX: Final = "clinic-"  # what `evals.bank.clinic_cases` puts before a case's id


class Levelled(NamedTuple):
    """What a clinician says who has read the contact: what it was, how urgent, why, and who says so."""

    level: Acuity
    condition: str
    why: str
    by: str
    accepted: tuple[Acuity, ...] = ()  # other levels that would be right too


def write_case(
    folder: Path, incident: str, case: Case, link: PatientLink, said: Levelled, today: datetime.date
) -> tuple[Path, str]:
    """A new file in the clinic's bank, its owner's alone, and the id by which evaluation and gate name the case."""
    text = render_case(incident, case, link, said, today)
    name = name_case(incident)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}.yaml"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise InputError("is there already; move it away first", file=path) from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return path, f"{PREFIX}{name}"


def name_case(incident: str) -> str:
    """The case's id in its file: a part of the incident's, which is random."""
    return f"incident-{incident[:12]}"


def render_case(incident: str, case: Case, link: PatientLink, said: Levelled, today: datetime.date) -> str:
    """The file's text; RefusedError where an identifier is left or the clinician's words hold one."""
    known = list_identifiers(link)
    _refuse_identifiers(said, known)
    source = Source(file="incident", place=1, sha256=secrets.token_hex(32), reader="incident/1")
    clean = deidentify(_make_record(source, case, known), secrets.token_bytes(32), "safe_harbor", licence="clinic")
    if isinstance(clean, Reject):
        raise RefusedError(f"the contact cannot become a case, {clean.reason}; write it by hand")
    told = _tell(name_case(incident), clean.case, said)
    condition = Condition(
        condition=said.condition,
        level=said.level,
        source=f"clinic incident {incident[:12]}, read and levelled by {said.by}, {today.isoformat()}",
        why=said.why,
        cases=(told,),
    )
    written = condition.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump({"conditions": [written]}, sort_keys=False, allow_unicode=True, width=110)


def list_identifiers(link: PatientLink) -> Identifiers:
    """What the store knows the patient by, for the search in their texts."""
    numbers = (link.identifier, (link.reference or "").partition("/")[2])
    return Identifiers(
        names=tuple(part for name in (link.family, link.given) for part in name.split()),
        birth_date=link.birth_date,
        numbers=tuple(number for number in numbers if number),
    )


def _make_record(source: Source, case: Case, known: Identifiers) -> Record:
    return Record(
        source=source,
        patient="incident",
        identifiers=known,
        age_years=case.age_years,
        sex=case.sex,
        pregnant=case.pregnant,
        conditions=case.conditions,
        medications=case.medications,
        allergies=case.allergies,
        history_text=case.history_text,
        complaint=case.complaint,
        turns=case.turns,
        vitals=case.vitals,
        language=case.language,
    )


def _refuse_identifiers(said: Levelled, known: Identifiers) -> None:
    """The clinician writes of the illness, not of the person: what looks like one is refused, not replaced."""
    if len(said.condition.strip()) < 3 or len(said.why.strip()) < 8 or not said.by.strip():
        raise RefusedError("name the condition, say in a sentence why this level is right, and who says so")
    source = Source(file="incident", place=1, sha256="", reader="incident/1")
    record = Record(
        source=source, patient="incident", identifiers=known, complaint=said.why, conditions=(said.condition,)
    )
    if any(find_spans(record).values()):
        raise RefusedError("--condition or --why may name a person, a place or a day; write of the illness alone")


def _plain(text: str) -> str:
    """Three rarer ends of a line as the common one: YAML reads them back as something else."""
    return text.translate(_LINE_ENDS)


def _tell(name: str, case: Case, said: Levelled) -> Contact:
    accepted = tuple(level for level in Acuity if level in {said.level, *said.accepted})
    is_range = len(accepted) > 1
    return Contact(
        id=name,
        style="relative" if any(turn.speaker == "relative" for turn in case.turns) else "patient",
        traps=("ambiguous",) if is_range else (),
        accepted=accepted if is_range else (),
        age=case.age_years,
        sex=case.sex,
        pregnant=case.pregnant,
        conditions=case.conditions,
        medications=case.medications,
        allergies=case.allergies,
        history=_plain(case.history_text),
        vitals=Vitals.model_validate(case.vitals.measured),
        language=case.language,
        complaint=_plain(case.complaint),
        turns=tuple((turn.speaker, _plain(turn.text)) for turn in case.turns),
    )
