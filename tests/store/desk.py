"""A store in a folder, a clock that stands where it is put, and people and visits to try acts on."""

import datetime
from pathlib import Path

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.clinic.signed import PatientLink
from prescreen.store.base import Store, Who
from prescreen.store.drafts import attach_draft
from prescreen.store.migrate import open_store
from prescreen.store.people import User
from prescreen.store.tables import Visit
from prescreen.store.visits import finish, lock_visit, open_visit, tell

NOON = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.UTC)
SERVICE = Who("worker", "service")
NURSE = Who("nurse-1", "nurse")
OTHER = Who("nurse-2", "nurse")
PHYSICIAN = Who("physician-1", "physician")
PATIENT = Who("patient", "patient")
MINUTE = datetime.timedelta(minutes=1)


class StoppedClock:
    """Tells the time it was set to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime.datetime:
        return self.now

    def pass_by(self, **amount: float) -> None:
        self.now += datetime.timedelta(**amount)


def make_store(folder: Path, url: str = "") -> Store:
    """A new store with one nurse, another, and a physician; its clock is a StoppedClock."""
    store = open_store(url or f"sqlite:///{folder / 'clinic' / 'prescreen.db'}", folder / "keys", StoppedClock())
    with store.act(SERVICE) as act:
        for who in (NURSE, OTHER, PHYSICIAN):
            name = who.id.replace("-", " ").title()
            act.session.add(
                User(id=who.id, login=who.id, name=name, role=who.role, teams=["clinic"], created=act.now)
            )
    return store


def make_case(complaint: str = "I have had a sore throat since Monday") -> Case:
    return Case(id="case", patient_id="p", source="intake", licence="clinic", complaint=complaint, age_years=40)


def make_waiting(store: Store, complaint: str = "I have had a sore throat since Monday") -> Visit:
    """A finished visit without a draft."""
    with store.act(PATIENT) as act:
        visit = open_visit(act, team="clinic", language="en", channel="phone", link=PatientLink(family="Bell"))
    with store.act(PATIENT) as act:
        tell(act, visit.id, before=None, interview="{}", said=complaint, case=make_case(complaint))
    with store.act(PATIENT) as act:
        return finish(act, visit.id, floor=None, unasked=["fever"], draft_by=MINUTE)


def make_drafted(store: Store, complaint: str = "I have had a sore throat since Monday") -> tuple[Visit, Report]:
    """A waiting visit with the rules' draft."""
    visit = make_waiting(store, complaint)
    report = finalise(make_case(complaint), None, "no model in this test")
    with store.act(SERVICE) as act:
        locked = lock_visit(act, visit.id)
        attach_draft(act, locked, report, None)
    return locked, report


def signed_as(report: Report, level: Acuity) -> Report:
    return report.model_copy(update={"acuity": level})
