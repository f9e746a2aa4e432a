"""A page with one sentence: what was refused, is not there, or does not work now."""

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.responses import Response

from prescreen.service.house import house_of


def show_message(request: Request, status: int, sentence: str) -> Response:
    """The page, or JSON for who asked for that."""
    if "text/html" not in request.headers.get("accept", "text/html"):
        return JSONResponse({"error": sentence}, status)
    closed = request.path_params.get("visit_id", "") if status == 404 else ""
    page: HTMLResponse = house_of(request).render(request, "message.html", status, sentence=sentence, closed=closed)
    return page
