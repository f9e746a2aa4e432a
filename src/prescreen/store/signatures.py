"""Signatures that stand, of patients who let their visits train the next version: read, in order, and noted.

A signature that was taken back, corrected since, can still be undone or is of a visit opened again is not read; nor
is anything of a patient whose key was destroyed, or of a visit that became a test case. Knows no training.
"""

import datetime
import hashlib
import json
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Select, func, select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.signed import SignedVisit
from prescreen.store.base import Act
from prescreen.store.loop_tables import IncidentRow
from prescreen.store.record import add_record
from prescreen.store.reviews import read_signed
from prescreen.store.tables import Patient, Review, Visit
from prescreen.store.visits import LEVELS

Moments = tuple[datetime.datetime | None, datetime.datetime | None]


class Opinion(NamedTuple):
    """A level somebody signed on a visit before the signature that stands."""

    signer: str
    level: Acuity


class Signature(NamedTuple):
    """A signature that stands. The case is as the model read it, the record's knowledge included.

    `blind` is the level the signer chose before seeing the draft; `shown` the level the visit had then.
    """

    patient: str
    team: str
    channel: str
    signed: SignedVisit
    seconds: float
    blind: Acuity | None
    shown: Acuity | None
    rules: Acuity | None
    earlier: tuple[Opinion, ...]


def read_signatures(act: Act, between: Moments = (None, None)) -> Iterator[Signature]:
    """Signatures between two moments (the second excluded), oldest first; one line of the log says how many."""
    count = 0
    for review, visit in act.session.execute(_standing(act, between)):
        count += 1
        signed = read_signed(act, review)
        yield Signature(
            patient=visit.patient_id,
            team=visit.team,
            channel=visit.channel,
            signed=signed.model_copy(update={"case": add_record(act, visit, signed.case)}),
            seconds=review.seconds,
            blind=None if review.blind_level is None else LEVELS[review.blind_level],
            shown=None if review.level_before is None else LEVELS[review.level_before],
            rules=None if visit.level_rules is None else LEVELS[visit.level_rules],
            earlier=_earlier(act, review),
        )
    act.log("training.read", signatures=count)


def mark_signatures(act: Act, between: Moments = (None, None)) -> str:
    """Changes with what `read_signatures` would give: a signature more, one corrected, a consent withdrawn."""
    found = [review.id for review, _ in act.session.execute(_standing(act, between))]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _standing(act: Act, between: Moments) -> Select[Review, Visit]:
    since, until = between
    later = select(Review.corrects).where(Review.state == "signed", Review.corrects.is_not(None))
    judging = select(IncidentRow.visit_id).where(IncidentRow.case_id.is_not(None))
    query = (
        select(Review, Visit)
        .join(Visit, Visit.id == Review.visit_id)
        .join(Patient, Patient.id == Visit.patient_id)
        .where(
            Review.state == "signed",
            Review.undo_until <= act.now,
            Review.id.not_in(later),
            Visit.id.not_in(judging),
            Visit.state == "signed",
            Patient.training.is_(True),
            Patient.sealed_key.is_not(None),
        )
        .order_by(Review.at, Review.id)
    )
    if since is not None:
        query = query.where(Review.at >= since)
    return query if until is None else query.where(Review.at < until)


def _earlier(act: Act, review: Review) -> tuple[Opinion, ...]:
    query = select(Review).where(
        Review.visit_id == review.visit_id, Review.state == "signed", Review.at < review.at, Review.id != review.id
    )
    return tuple(Opinion(one.signer, LEVELS[one.level]) for one in act.session.scalars(query.order_by(Review.at)))


def read_first(act: Act) -> dict[str, datetime.datetime]:
    """When each patient was first signed for, whether or not that may be learned from."""
    query = (
        select(Visit.patient_id, func.min(Review.at))
        .join(Review, Review.visit_id == Visit.id)
        .where(Review.state == "signed")
        .group_by(Visit.patient_id)
    )
    return {patient: at for patient, at in act.session.execute(query)}
