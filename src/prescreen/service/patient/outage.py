"""What a person is shown while the database is away, full or busy: a calm page, and when to try again.

Patients read it in every language the clinic offers, for which is theirs stands in the database. Needs no store.
"""

from typing import Final

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from prescreen.errors import StoreError
from prescreen.intake.languages import LANGUAGES, direction, say
from prescreen.service.house import house_of
from prescreen.service.message import show_message
from prescreen.service.patient.frame import make_page, preferred

AGAIN_S: Final = 10


def show_outage(request: Request, error: StoreError) -> Response:
    """503: nothing of this request was kept, all that was kept before still is."""
    response = _page(request, error)
    response.headers["retry-after"] = str(AGAIN_S)
    return response


def _page(request: Request, error: StoreError) -> Response:
    route = request.scope.get("route")
    name = route.name if route is not None else ""
    if "text/html" not in request.headers.get("accept", "text/html"):
        return JSONResponse({"error": str(error)}, 503)
    if name != "start" and not name.startswith("patient-"):
        return show_message(request, 503, error.sentence)
    first = preferred(request)
    others = [code for code in house_of(request).settings.clinic.languages if code in LANGUAGES and code != first]
    told = [(code, direction(code), lambda key, code=code, **blanks: say(code, key, **blanks)) for code in others]
    where = "/p/step" if request.method != "GET" else request.url.path
    return make_page(request, "patient/outage.html", first, status=503, others=told, where=where)
