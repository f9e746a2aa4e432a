"""A whole list of resources out of a FHIR R4 record, page by page; half a list is an error. Knows no kind."""

from urllib.parse import urlsplit

from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.codes import Resource
from prescreen.ehr.wire import PASSING, Wire

PAGES, ROWS = 10, 100


def read_pages(wire: Wire, kind: str, query: str) -> list[Resource] | None:
    """Every resource that fits; None for a type or a question this record, or our rights, do not hold."""
    found: list[Resource] = []
    path, query = kind, f"{query}&_count={ROWS}"
    for page in range(PAGES):
        reply = wire.send("GET", path, query=query)
        if page == 0 and reply.status in (400, 403, 404):
            return None
        if reply.status != 200:
            lasting = reply.status not in PASSING
            raise DeliveryError(f"the record system does not show {kind} (status {reply.status})", lasting=lasting)
        bundle = reply.read()
        rows = [entry.get("resource", {}) for entry in bundle.get("entry", [])]
        found += [row for row in rows if row.get("resourceType") == kind]
        following = [link.get("url", "") for link in bundle.get("link", []) if link.get("relation") == "next"]
        if not following:
            if bundle.get("total", 0) > len(found):
                raise DeliveryError(f"the record system shows only a part of {kind}", lasting=True)
            return found
        path, query = _next_page(following[0], kind)
    raise DeliveryError(f"the record holds more {kind} than {PAGES} pages; it was not read", lasting=True)


def _next_page(url: str, kind: str) -> tuple[str, str]:
    """The next page below our own base, whatever host the link names: the token goes nowhere else."""
    parts = urlsplit(url)
    if not parts.query:
        raise DeliveryError("the record system's link to the next page has no query", lasting=True)
    path = parts.path.rstrip("/").rpartition("/")[2]
    return (kind if path == kind else ""), parts.query
