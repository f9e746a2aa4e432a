"""A signed visit: all that leaves for the record system, and nothing that has not been signed.

Pure data: the review makes one at the signature, `ehr` turns it into a Bundle or a message. Knows neither.
"""

import datetime
from typing import Literal

from pydantic import AwareDatetime

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.report import Report
from prescreen.config import Strict


class PatientLink(Strict):
    """Who the patient is in the record system. `reference` ("Patient/123") wins over `identifier`; with neither a
    Patient is made from the names. `encounter` ("Encounter/45") is the visit where the record has begun one."""

    reference: str | None = None
    encounter: str | None = None
    identifier_system: str | None = None
    identifier: str | None = None
    family: str = ""
    given: str = ""
    birth_date: datetime.date | None = None
    sex: Literal["female", "male", "other"] | None = None


class Person(Strict):
    """A member of staff; `reference` is e.g. "Practitioner/7" where the record system knows them."""

    id: str
    name: str
    role: Literal["nurse", "physician"]
    reference: str | None = None


class ModelLabel(Strict):
    """What wrote the draft: shown beside it, written into Device and Provenance. `weights` is their SHA-256,
    `verdict` that of the gate's manifest; both are empty where an endpoint cannot tell. `trial` marks a candidate
    that nothing has promoted yet."""

    name: str
    version: str
    engine: str
    weights: str = ""
    verdict: str = ""
    trial: Literal["", "shadow", "canary"] = ""


class SignedVisit(Strict):
    """One signature. `id` (a random UUID) is the signature's own: sending it twice must store it once.

    `draft` and `model` are None when the rules alone drafted or nobody did; `corrects` is the id of the signature
    this one replaces (an addendum). `seen` is the SHA-256 of exactly what the signer had before them.
    `measured_by` says who took the vital signs; None where nobody wrote it down.
    """

    id: str
    visit_id: str
    corrects: str | None = None
    patient: PatientLink
    language: str = "en"
    opened: AwareDatetime
    finished: AwareDatetime
    signed: AwareDatetime
    case: Case
    draft: Report | None
    model: ModelLabel | None
    final: Report
    reason: str = ""
    note: str = ""
    signer: Person
    seen: str
    measured_by: Literal["patient", "staff"] | None = None

    @property
    def level(self) -> Acuity:
        """The acuity as signed."""
        return self.final.acuity
