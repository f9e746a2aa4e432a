"""The embedded record over HTTP: FHIR R4 for programs with a token; a physician of all teams may read.

Knows no resource.
"""

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from prescreen.ehr.metadata import KINDS
from prescreen.service.door.identity import AnyCaller
from prescreen.service.house import house_of

_KEPT = ("content-type", "etag", "last-modified", "location")


def make_router() -> APIRouter:
    """Reading and writing below /fhir."""
    router = APIRouter()
    router.add_api_route("/fhir/{path:path}", answer, methods=["GET"], name="fhir-read")
    router.add_api_route("/fhir/{path:path}", answer, methods=["POST", "PUT"], name="fhir-write")
    router.add_api_route("/fhir", answer, methods=["POST"], name="fhir-transaction")
    return router


async def answer(request: Request, caller: AnyCaller, path: str = "") -> Response:
    """One request at the desk, with a line in the log that names kind and person, not the patient."""
    house = house_of(request)
    if house.desk is None or not any(way.kind == "embedded" for way in house.settings.record):
        raise HTTPException(404)
    if request.method != "GET" and caller.role != "service":
        raise HTTPException(403)
    if caller.user is not None and not set(house.settings.clinic.teams) <= set(caller.user.teams):
        raise HTTPException(403)  # the record knows no teams: who is not in all of them opens a visit by its glass
    desk, body = house.desk, await request.body()
    headers = {name: value for name, value in request.headers.items() if name.startswith("if-")}

    def serve() -> Response:
        reply = desk.handle(request.method, path, request.url.query, headers, body)
        with house.store.act(caller.who) as act:
            kind = path.split("/")[0]
            outcome = "done" if reply.status < 400 else "refused"
            act.log(f"fhir.{request.method.lower()}", "", outcome, kind=kind if kind in KINDS else "")
        kept = {name: value for name, value in reply.headers.items() if name.lower() in _KEPT}
        return Response(reply.body, reply.status, kept)

    return await run_in_threadpool(serve)
