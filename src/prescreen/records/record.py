"""One contact as a clinic's export tells it, before anything is taken out of it.

Readers make these from FHIR, HL7 v2, tables and transcripts; de-identification turns them into cases. Everything
here may hold a person's name: it is never written to a run, a log or an error message. Knows no format.
"""

import datetime
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from prescreen.clinic.case import Turn, Vitals
from prescreen.config import Strict


class Source(Strict):
    """Where a record comes from, for the chain of custody: nothing here names a patient but the file's own name."""

    file: str
    place: int  # line, message or entry number, from 1
    sha256: str  # of the record's own bytes
    reader: str  # name and version, such as fhir/1


class Identifiers(Strict):
    """What the record itself knows to identify the patient; searched for in every text of that patient."""

    names: tuple[str, ...] = ()  # each part apart: given names, family names, former names, of relatives too
    birth_date: datetime.date | None = None
    numbers: tuple[str, ...] = ()  # record number, insurance, national number, account
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()  # lines: street, town, postcode each apart
    others: tuple[str, ...] = ()  # employer, URLs, devices


class Outcome(Strict):
    """What the record says became of the patient; each as the clinic wrote it, None where it does not say."""

    acuity: str | None = None  # the nurse's level, in the clinic's own words
    scale: str | None = None  # of that level: esi, mts, ktas, ... as in clinic/acuity.yaml
    disposition: str | None = None
    diagnosis: str | None = None  # the first one given within 72 hours


class Record(Strict):
    """One contact. Lists are None where the export is silent and empty where it says there are none."""

    source: Source
    patient: str  # the export's own key: joins a patient's records, never leaves this stage
    identifiers: Identifiers = Identifiers()
    when: datetime.datetime | None = None
    age_years: float | None = None  # at the contact
    sex: str | None = None  # female, male or other
    pregnant: bool | None = None
    conditions: tuple[str, ...] | None = None
    medications: tuple[str, ...] | None = None
    allergies: tuple[str, ...] | None = None
    history_text: str = ""
    complaint: str = ""
    turns: tuple[Turn, ...] = ()
    vitals: Vitals = Vitals()
    outcome: Outcome = Outcome()
    consent: str | None = None  # basis or licence, where the export names one
    language: str = "en"


class Reject(NamedTuple):
    """What could not be read: file, place and a reason that quotes nothing of the record."""

    file: str
    place: int
    reason: str


class Reader(Protocol):
    """Reads one file as a stream, in memory that does not grow with the file. Never raises for its content."""

    name: str  # with version, such as fhir/1

    def read(self, path: str, start: int = 1) -> Iterator[Record | Reject]:
        """Everything from place `start` on, in the file's order."""
        ...
