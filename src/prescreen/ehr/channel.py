"""A way to the record system: what the outbox needs of one, whatever speaks behind it. Knows no format."""

import datetime
from typing import NamedTuple, Protocol

from prescreen.clinic.contact import Later
from prescreen.clinic.signed import PatientLink, SignedVisit
from prescreen.config import Strict
from prescreen.errors import PrescreenError


class DeliveryError(PrescreenError):
    """The record system did not take it. `lasting` means that trying again as it stands will not help."""

    def __init__(self, message: str, *, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


class Receipt(NamedTuple):
    """Where the record system keeps it, e.g. "Composition/17/_history/1", or a file's name."""

    reference: str
    at: datetime.datetime


class History(Strict):
    """What the record knows of a patient before the visit. None: the record was not asked or cannot tell."""

    patient: PatientLink
    age_years: float | None = None
    pregnant: bool | None = None
    conditions: tuple[str, ...] | None = None
    medications: tuple[str, ...] | None = None
    allergies: tuple[str, ...] | None = None


class Channel(Protocol):
    """`deliver` stores a signature exactly once however often it is called; DeliveryError otherwise."""

    name: str

    def deliver(self, visit: SignedVisit) -> Receipt: ...

    def find(self, signature: str) -> Receipt | None:
        """The receipt of a signature by its id, None where the record does not hold it (for reconciliation)."""

    def read_history(self, reference: str) -> History:
        """The history behind a patient reference such as "Patient/123"; DeliveryError where it cannot be read."""

    def read_aftermath(self, signature: str, reference: str | None, since: datetime.datetime) -> Later | None:
        """The worst that came within 72 hours of `since` to the patient of a signature, None where nothing did;
        DeliveryError where that cannot be known."""
