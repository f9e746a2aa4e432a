"""A launch out of the record: the nurse opens the review from the chart. Who it is, our own sign-in decides.

What must be kept between the two steps lies sealed in a cookie for a few minutes. Knows no chart.
"""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.launch import LaunchSettings, Pending, begin_launch, complete_launch
from prescreen.ehr.wire import open_client
from prescreen.errors import InputError, RefusedError
from prescreen.service.door import cookies
from prescreen.service.door.identity import CurrentUser, doors_of
from prescreen.service.house import House, house_of
from prescreen.store.queue import find_newest

COOKIE, LASTS_S, TIMEOUT_S = "launch", 600, 10.0
_PLACE = "launch|pending"


def make_router() -> APIRouter:
    """The two steps."""
    router = APIRouter()
    router.add_api_route("/launch", start, methods=["GET"], name="launch")
    router.add_api_route("/launch/back", back, methods=["GET"], name="launch-back")
    return router


def start(
    request: Request, caller: CurrentUser, iss: Annotated[str, Query()] = "", launch: Annotated[str, Query()] = ""
) -> Response:
    """From the chart to the record's own sign-in."""
    house, settings = house_of(request), _settings(request)
    try:
        with open_client(TIMEOUT_S, None) as client:
            pending, url = begin_launch(client, iss[:512], launch, settings)
    except (InputError, DeliveryError) as error:
        raise RefusedError(str(error)) from None
    response = RedirectResponse(url, 303)
    sealed = cookies.seal_value(house.store.keys, _PLACE, pending.model_dump(mode="json"))
    cookies.put_cookie(response, COOKIE, sealed, plain=doors_of(request).plain, max_age=LASTS_S)
    return response


def back(
    request: Request, caller: CurrentUser, state: Annotated[str, Query()] = "", code: Annotated[str, Query()] = ""
) -> Response:
    """To the newest visit of the chart's patient, or to the queue where there is none."""
    house, settings, plain = house_of(request), _settings(request), doors_of(request).plain
    told = cookies.open_value(house.store.keys, _PLACE, cookies.read_cookie(request, COOKIE, plain=plain))
    if told is None:
        raise RefusedError("this took too long; open the review from the chart again")
    try:
        with open_client(TIMEOUT_S, None) as client:
            pending, now = Pending.model_validate(told), house.store.clock()
            launched = complete_launch(client, pending, state[:512], code[:4096], settings, now)
    except (InputError, DeliveryError) as error:
        raise RefusedError(str(error)) from None
    response = RedirectResponse(_find_page(house, caller, launched.patient), 303)
    cookies.drop_cookie(response, COOKIE, plain=plain)
    return response


def _find_page(house: House, caller: CurrentUser, patient: str | None) -> str:
    with house.store.act(caller.who) as act:
        visit = find_newest(act, patient) if patient else None
        act.log("launch", visit.id if visit else "")
    return f"/visits/{visit.id}" if visit else "/queue?why=no-visit"


def _settings(request: Request) -> LaunchSettings:
    settings = house_of(request).settings.launch
    if settings is None:
        raise HTTPException(404)
    return settings
