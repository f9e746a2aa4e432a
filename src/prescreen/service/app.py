"""The web application put together: pages, shell, errors as pages. Knows no page's inside."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from prescreen.errors import ConflictError, PrescreenError, RefusedError, StoreError
from prescreen.service.door.identity import Doors, guard
from prescreen.service.house import House, house_of
from prescreen.service.message import show_message
from prescreen.service.patient.outage import show_outage
from prescreen.service.shell import Shell
from prescreen.service.worker import Worker
from prescreen.store.base import Who

STATIC: Final = Path(__file__).with_name("static")
# The framework's own telemetry sends paths, messages of exceptions and typed words where the environment says: off
SILENT: Final = dict.fromkeys(("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False)
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_SAID: Final = {
    403: "This page is for others, or its form is too old. Open the page again.",
    404: "There is nothing here, or it is not yours to see.",
    405: "That cannot be done here.",
    422: "That could not be read; go back and try again.",
}

plain = APIRouter()


def make_app(house: House, doors: Doors, routers: Sequence[APIRouter], *, works: bool = True) -> FastAPI:
    """The application; `works` False leaves drafting and sending to another process."""

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        worker = Worker(house) if works else None
        if worker:
            worker.start()
        yield
        if worker:
            worker.stop()

    app = FastAPI(
        title="prescreen",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=live,
        telemetry=SILENT,  # type: ignore[arg-type]
        dependencies=[Depends(guard)],
    )
    app.state.house, app.state.doors = house, doors
    app.state.static = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.is_file()}
    versions = {name: hashlib.sha256(data).hexdigest()[:12] for name, data in app.state.static.items()}
    house.pages.globals["static"] = lambda name: f"/static/{name}?v={versions[name]}"
    app.add_middleware(Shell, web=house.settings.web)  # type: ignore[arg-type]
    app.add_exception_handler(PrescreenError, _show_error)
    app.add_exception_handler(HTTPException, _show_status)
    app.add_exception_handler(RequestValidationError, _show_unread)
    for router in (plain, *routers):
        app.include_router(router)
    return app


@plain.get("/live", name="live")
def tell_live() -> Response:
    """The process answers."""
    return JSONResponse({"live": True})


@plain.get("/ready", name="ready")
def tell_ready(request: Request) -> Response:
    """The store answers too."""
    house = house_of(request)
    with house.store.look(Who("ready", "service")):
        return JSONResponse({"ready": True, "drafts": "rules" if house.label is None else "model"})


@plain.get("/static/{name}", name="static")
def send_static(request: Request, name: str) -> Response:
    """One of our own files; its address changes with its content, so it may be kept."""
    data = request.app.state.static.get(name)
    kind = _TYPES.get(Path(name).suffix)
    if data is None or kind is None:
        raise HTTPException(404)
    return Response(data, media_type=kind, headers={"cache-control": "public, max-age=31536000, immutable"})


def _show_error(request: Request, error: Exception) -> Response:
    match error:
        case ConflictError():
            return show_message(request, 409, error.sentence)
        case RefusedError():
            return show_message(request, 422, error.sentence)
        case StoreError():  # full, locked or away: nothing was half done, and it passes
            return show_outage(request, error)
    raise error


def _show_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = show_message(request, error.status_code, _SAID.get(error.status_code, "That did not work."))
    response.headers.update(error.headers or {})
    return response


def _show_unread(request: Request, error: Exception) -> Response:
    return show_message(request, 422, _SAID[422])  # what was sent is not repeated: it may be a patient's
