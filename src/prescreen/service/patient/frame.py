"""What all pages of a patient share: the language, the frame around a page, whose visit it is. Knows no route."""

from typing import Any

from fastapi import HTTPException, Request
from starlette.responses import Response

from prescreen.intake.languages import LANGUAGES, direction, names, say
from prescreen.service.door.identity import CurrentPatient, doors_of
from prescreen.service.house import house_of
from prescreen.service.patient import flow as patient_flow


def make_page(
    request: Request, template: str, language: str, csrf: str = "", status: int = 200, **values: Any
) -> Response:
    """A page in the patient's language. `t` says a key; `number` is the emergency number as a link can dial it."""
    house = house_of(request)
    offered = {code: name for code, name in names().items() if code in house.settings.clinic.languages}

    def t(key: str, **told: object) -> str:
        return say(language, key, **told)

    return house.render(
        request,
        template,
        status,
        t=t,
        lang=language,
        dir=direction(language),
        csrf=csrf,
        languages=offered,
        number=house.settings.clinic.emergency_number,
        idle_min=doors_of(request).settings.patient_idle_min,
        **values,
    )


def place_of(request: Request, caller: CurrentPatient) -> patient_flow.Place:
    return patient_flow.find_place(house_of(request), visit_of(caller))


def visit_of(caller: CurrentPatient) -> str:
    assert caller.visit_id is not None
    return caller.visit_id


def known(language: str) -> str:
    if language not in LANGUAGES:
        raise HTTPException(404)
    return language


def preferred(request: Request) -> str:
    """The first language of the browser that the clinic offers."""
    offered = house_of(request).settings.clinic.languages
    told = request.headers.get("accept-language", "").split(",")
    wished = [part.split(";")[0].strip()[:2].lower() for part in told]
    return next((language for language in wished if language in offered and language in LANGUAGES), offered[0])
