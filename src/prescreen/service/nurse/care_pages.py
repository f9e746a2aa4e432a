"""What a nurse does about a visit besides signing it: ask, measure, raise, hand over, reopen, invite."""

import datetime
import re

import segno
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from prescreen.clinic.signed import PatientLink
from prescreen.errors import RefusedError
from prescreen.service.message import show_message
from prescreen.service.nurse.clock import tell_day
from prescreen.service.nurse.measuring import add_measured
from prescreen.service.nurse.review_pages import do, read_level
from prescreen.service.nurse.viewer import At, Form, Nurse, Posted
from prescreen.service.record.histories import fetch_history
from prescreen.store.base import Act
from prescreen.store.holding import add_facts, ask_patient, assign, raise_now
from prescreen.store.incidents import report
from prescreen.store.notices import invite
from prescreen.store.reviewing import open_correction
from prescreen.store.visits import lock_visit, read_case

_REFERENCE = re.compile(r"Patient/[A-Za-z0-9.-]{1,64}")

care_pages = APIRouter()


@care_pages.post("/visits/{visit_id}/level", name="visit-level")
def raise_visit(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Raise a visit at once; lowering it takes a signature."""
    return do(request, house, viewer, visit_id, form, lambda act: raise_now(act, visit_id, read_level(form)))


@care_pages.post("/visits/{visit_id}/ask", name="visit-ask")
def ask(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Put one more question to the patient, written or chosen."""

    def put(act: Act) -> None:
        question = form.text("question", 500) or form.text("suggested", 500)
        if not question:
            raise RefusedError("write a question or choose one")
        ask_patient(act, visit_id, form.number("version"), question)

    return do(request, house, viewer, visit_id, form, put)


@care_pages.post("/visits/{visit_id}/assign", name="visit-assign")
def hand_over(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Give the visit to a colleague, or escalate it to a physician."""

    def give(act: Act) -> None:
        escalate, note = bool(form.text("escalate", 1)), form.text("note", 1_000)
        if escalate and not note:
            raise RefusedError("write in a sentence why you escalate")
        assign(act, visit_id, form.text("to", 64), escalate=escalate, note=note)

    return do(request, house, viewer, visit_id, form, give, then="/queue")


@care_pages.post("/visits/{visit_id}/facts", name="visit-facts")
def measure(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Keep what was measured or told; the rules read it before anything else happens."""

    def keep(act: Act) -> None:
        case, told = add_measured(read_case(act, lock_visit(act, visit_id, "waiting", "asked")), form)
        add_facts(act, visit_id, case, told, house.draft_by)

    return do(request, house, viewer, visit_id, form, keep)


@care_pages.post("/visits/{visit_id}/reopen", name="visit-reopen")
def correct(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Open a signed visit for a correction."""
    return do(request, house, viewer, visit_id, form, lambda act: open_correction(act, visit_id))


@care_pages.post("/visits/{visit_id}/incident", name="visit-incident")
def report_incident(request: Request, visit_id: str, house: At, viewer: Nurse, form: Form) -> Response:
    """Report that something went wrong; the visit itself stays as it is."""

    def keep(act: Act) -> None:
        report(act, visit_id, form.text("kind", 64), form.text("severity", 64), form.text("what", 4_000))

    return do(request, house, viewer, visit_id, form, keep)


@care_pages.post("/invitations", name="visit-invite")
def invite_patient(request: Request, house: At, viewer: Nurse, form: Form) -> Response:
    """Make an invitation: a link and its picture, shown this once."""
    team, language = form.text("team", 64) or next(iter(viewer.teams), ""), form.text("language", 20)
    if team not in viewer.teams or language not in house.settings.clinic.languages:
        return show_message(request, 422, "Choose one of your teams and one of the clinic's languages.")
    with house.store.act(viewer.who) as act:
        made = invite(act, team=team, language=language, link=_read_link(form))
    url = f"{house.settings.web.base_url.rstrip('/')}/i/{made.code}"
    picture = segno.make(url, error="m").svg_data_uri(scale=6, border=4, dark="#000", light="#fff")
    until = tell_day(made.ends, house.settings.clinic.time_zone)
    fault = fetch_history(house, made.visit.id)
    return house.render(request, "invitation.html", url=url, picture=picture, until=until, fault=fault)


def _read_link(form: Posted) -> PatientLink:
    birth, reference = form.text("birth_date", 10), form.text("reference", 80)
    if reference and not _REFERENCE.fullmatch(reference):
        raise RefusedError("reference: write it as the record system does, for example Patient/123")
    try:
        return PatientLink(
            reference=reference or None,
            family=form.text("family", 80),
            given=form.text("given", 80),
            birth_date=datetime.date.fromisoformat(birth) if birth else None,
        )
    except (ValidationError, ValueError):
        raise RefusedError("date of birth: write it as year-month-day, for example 1984-05-31") from None
