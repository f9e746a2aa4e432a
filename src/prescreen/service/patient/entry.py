"""The patient's way in and out: language, consent, code, name. Works without JavaScript. Knows no interview."""

import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from prescreen.clinic.signed import PatientLink
from prescreen.intake.languages import say
from prescreen.intake.reading import clean_text
from prescreen.intake.state import LIMIT
from prescreen.service.door import cookies
from prescreen.service.door.identity import Csrf, CurrentPatient, doors_of, limits_of, store_of
from prescreen.service.house import house_of
from prescreen.service.patient import flow as patient_flow
from prescreen.service.patient.frame import known, make_page, place_of, preferred, visit_of
from prescreen.store.passes import show_code
from prescreen.store.sessions import Begun, end_session
from prescreen.store.throttle import network_of

MINUTES, NAME = 8, 80  # how long it takes, told to patients; characters


def make_router() -> APIRouter:
    """The routes of the door."""
    router = APIRouter()
    for method, path, handler, name in (
        ("GET", "/", show_start, "start"),
        ("GET", "/p/welcome/{language}", show_welcome, "patient-welcome"),
        ("GET", "/i/{code}", show_invitation, "patient-invited"),
        ("POST", "/p/begin", begin, "patient-begin"),
        ("GET", "/p/resume", show_resume, "patient-resume"),
        ("POST", "/p/resume", resume, "patient-resume-post"),
        ("GET", "/p/name", show_name, "patient-name"),
        ("POST", "/p/name", take_name, "patient-name-post"),
        ("POST", "/p/leave", leave, "patient-leave"),
    ):
        router.add_api_route(path, handler, methods=[method], name=name)
    return router


def show_start(request: Request, csrf: Csrf, why: str = "") -> Response:
    """The door: languages, going on, the staff's own door."""
    language = preferred(request)
    return csrf.put(make_page(request, "start.html", language, why=why if why in ("ended", "left") else ""))


def show_welcome(request: Request, csrf: Csrf, language: str) -> Response:
    return _welcome(request, csrf, known(language))


def show_invitation(request: Request, csrf: Csrf, code: str, language: str = "") -> Response:
    return _welcome(request, csrf, known(language) if language else preferred(request), code[:40])


def begin(
    request: Request,
    csrf: Csrf,
    language: Annotated[str, Form()],
    agree: Annotated[str, Form()] = "",
    training: Annotated[str, Form()] = "",
    invite: Annotated[str, Form()] = "",
    channel: Annotated[str, Form()] = "phone",
) -> Response:
    """Consent given, a visit begins."""
    house, language = house_of(request), known(language)
    if agree != "yes":
        return _welcome(request, csrf, language, invite[:40], problem="consent.must_agree")
    if not invite and not house.settings.web.walk_in:
        return _welcome(request, csrf, language, problem="start.invited_only")
    limits = limits_of(doors_of(request).settings)[1]
    channel, trains, invite = "tablet" if channel == "tablet" else "phone", training == "yes", invite[:40]
    if invite:
        opened = patient_flow.take_invitation(
            house, invite, language, limits, channel=channel, training=trains, address=_address(request)
        )
        if opened is None:
            return _welcome(request, csrf, language, invite, problem="error.code")
        begun, code = opened
    else:
        begun, code = patient_flow.begin_visit(house, language, limits, channel=channel, training=trains)
    page = make_page(request, "patient/code.html", language, begun.session.csrf, code=show_code(code), first=True)
    return _with_session(request, page, begun)


def show_resume(request: Request, csrf: Csrf, problem: str = "") -> Response:
    language = preferred(request)
    told = say(language, "error.code") if problem else ""
    return csrf.put(make_page(request, "patient/resume.html", language, csrf.value, problem=told))


def resume(request: Request, code: Annotated[str, Form()] = "") -> Response:
    """Go on with a code; guesses are slowed down by address."""
    limits = limits_of(doors_of(request).settings)[1]
    begun = patient_flow.resume(house_of(request), code[:40], limits, _address(request))
    if begun is None:
        return RedirectResponse("/p/resume?problem=1", 303)
    return _with_session(request, RedirectResponse("/p/step", 303), begun)


def show_name(request: Request, caller: CurrentPatient) -> Response:
    place = place_of(request, caller)
    return make_page(
        request,
        "patient/name.html",
        place.language,
        caller.csrf,
        link=place.link,
        born=_born(place.link),
        problem="",
    )


def take_name(
    request: Request,
    caller: CurrentPatient,
    given: Annotated[str, Form()] = "",
    family: Annotated[str, Form()] = "",
    day: Annotated[str, Form()] = "",
    month: Annotated[str, Form()] = "",
    year: Annotated[str, Form()] = "",
) -> Response:
    """Keep the name; it may be left empty, for a nurse can ask."""
    house, place = house_of(request), place_of(request, caller)
    birth = _read_date(day, month, year, house.store.clock().date())
    link = place.link.model_copy(
        update={
            "given": clean_text(given)[:NAME].replace("\n", " "),
            "family": clean_text(family)[:NAME].replace("\n", " "),
            "birth_date": birth,
        }
    )
    if birth is None and (day or month or year).strip():
        told = say(place.language, "error.date")
        return make_page(
            request,
            "patient/name.html",
            place.language,
            caller.csrf,
            422,
            link=link,
            born={"day": day[:2], "month": month[:2], "year": year[:4]},
            problem=told,
        )
    patient_flow.give_name(house, visit_of(caller), link)
    return RedirectResponse("/p/step", 303)


def leave(request: Request, caller: CurrentPatient) -> Response:
    """Close the page: on a tablet the next patient must not see this one."""
    with store_of(request).act(caller.who) as act:
        if caller.session is not None:
            end_session(act, caller.session.id)
    response = RedirectResponse("/?why=left", 303)
    cookies.drop_cookie(response, cookies.VISIT, plain=doors_of(request).plain)
    return response


def _welcome(request: Request, csrf: Csrf, language: str, invite: str = "", problem: str = "") -> Response:
    told = say(language, problem) if problem else ""
    page = make_page(
        request,
        "patient/welcome.html",
        language,
        csrf.value,
        422 if problem else 200,
        invite=invite,
        problem=told,
        total=LIMIT,
        minutes=MINUTES,
    )
    return csrf.put(page)


def _address(request: Request) -> str:
    return network_of(request.client.host if request.client else "")


def _with_session(request: Request, response: Response, begun: Begun) -> Response:
    cookies.put_cookie(response, cookies.VISIT, begun.token, plain=doors_of(request).plain)
    return response


def _read_date(day: str, month: str, year: str, today: datetime.date) -> datetime.date | None:
    try:
        date = datetime.date(int(year[:6]), int(month[:4]), int(day[:4]))
    except ValueError:
        return None
    return date if datetime.date(1900, 1, 1) <= date <= today else None


def _born(link: PatientLink) -> dict[str, str]:
    """A date of birth in three fields."""
    date = link.birth_date
    return {part: "" if date is None else str(getattr(date, part)) for part in ("day", "month", "year")}
