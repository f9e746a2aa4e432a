"""CDS Hooks over HTTP: what is offered, and a card where an interview of the patient waits. Knows no card."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from prescreen.ehr.hooks import HookError, Waiting, answer_hook, discover
from prescreen.service.door.identity import AnyCaller
from prescreen.service.house import House, house_of
from prescreen.store.base import Who
from prescreen.store.queue import find_newest, find_signed_level


def make_router() -> APIRouter:
    """Discovery, and the services."""
    router = APIRouter()
    router.add_api_route("/cds-services", tell, methods=["GET"], name="hooks")
    router.add_api_route("/cds-services/{service}", answer, methods=["POST"], name="hooks-call")
    return router


def tell(request: Request) -> Response:
    if house_of(request).settings.hooks is None:
        raise HTTPException(404)
    return JSONResponse(discover())


async def answer(request: Request, caller: AnyCaller, service: str) -> Response:
    """The cards of one call."""
    house, body = house_of(request), await request.body()
    hooks = house.settings.hooks
    if hooks is None:
        raise HTTPException(404)

    def serve() -> Response:
        try:
            cards = answer_hook(
                body,
                lambda reference: find_waiting(house, caller.who, reference),
                service=service,
                fhir_server=hooks.fhir_server,
            )
        except HookError as error:
            return JSONResponse({"error": str(error)}, error.status)
        return JSONResponse(cards)

    return await run_in_threadpool(serve)


def find_waiting(house: House, who: Who, reference: str) -> Waiting | None:
    """The newest visit of a patient the record names; only a signed level is told."""
    with house.store.act(who) as act:
        visit = find_newest(act, reference)
        act.log("hook.ask", visit.id if visit else "")
        if visit is None:
            return None
        signed = find_signed_level(act, visit)
        link = f"{house.settings.web.base_url.rstrip('/')}/visits/{visit.id}"
        return Waiting(link, visit.level_rules is not None and signed is None, signed)
