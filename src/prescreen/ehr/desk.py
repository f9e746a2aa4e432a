"""The embedded record: an R4 endpoint over a shelf, as plain values in and out. Knows no web server and no rights.

read, vread, history, create, update (both also conditional, If-Match), search, transaction, /metadata. Whoever puts
it behind an address decides who may ask. An error is an OperationOutcome that names a rule, never a content.
"""

import datetime
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from prescreen.ehr.codes import Resource
from prescreen.ehr.metadata import KINDS, describe_desk
from prescreen.ehr.moments import overlaps
from prescreen.ehr.questions import MOST, Refusal, parse_condition, parse_query, read_keys
from prescreen.ehr.shelf import Found, Query, Shelf, ShelfConflict, Stored
from prescreen.ehr.transaction import Step, read_steps, settle
from prescreen.ehr.wire import FHIR_JSON, MAX_BYTES, Reply

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_VERSION = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})"')


class FhirDesk:
    """Answers FHIR requests from a shelf. `clock` tells the time of a change."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        clock: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._shelf, self._clock, self._new_id = shelf, clock, new_id

    def handle(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """One request; `path` is below the base, e.g. "Patient/1"."""
        named = {name.lower(): value for name, value in (headers or {}).items()}
        try:
            return self._route(method, tuple(part for part in path.split("/") if part), query, named, body)
        except Refusal as error:
            return refuse(error.status, error.code, str(error))
        except ShelfConflict as error:
            return refuse(409, "conflict", str(error))

    send = handle  # so that a desk is a Wire

    def _route(
        self, method: str, parts: tuple[str, ...], query: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        match method, parts:
            case "GET", ("metadata",):
                return _answer(200, describe_desk())
            case "POST", ():
                return self._transact(_parse(body))
            case _, (kind, *_) if kind not in KINDS:
                raise Refusal(404, "not-supported", "this record does not hold that type of resource")
            case "GET", (kind,):
                return self._search(parse_query(kind, query), query)
            case "POST", (kind,):
                with self._shelf.transaction():
                    step = Step("POST", kind, None, _parse(body, kind), headers.get("if-none-exist"), None)
                    return _answer_stored(*self._take(step))
            case "PUT", (kind, *rest) if len(rest) < 2:
                condition = query if not rest else None
                with self._shelf.transaction():
                    id = _check_id(rest[0]) if rest else None
                    step = Step("PUT", kind, id, _parse(body, kind), condition, headers.get("if-match"))
                    return _answer_stored(*self._take(step))
            case "GET", (kind, id):
                return _answer_stored(200, self._get(kind, _check_id(id)))
            case "GET", (kind, id, "_history"):
                return self._history(kind, _check_id(id))
            case "GET", (kind, id, "_history", version):
                if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
                    raise Refusal(404, "not-found", "there is no such version")
                return _answer_stored(200, self._get(kind, _check_id(id), int(version)))
        raise Refusal(405, "not-supported", "this record does not take that request")

    def _get(self, kind: str, id: str, version: int | None = None) -> Stored:
        if found := self._shelf.get(kind, id, version):
            return found
        raise Refusal(404, "not-found", "there is no such resource or version")

    def _history(self, kind: str, id: str) -> Reply:
        versions = self._shelf.history(kind, id)
        if not versions:
            raise Refusal(404, "not-found", "there is no such resource or version")
        entries = [{"fullUrl": f"{kind}/{id}", "resource": show(stored)} for stored in versions]
        return _answer(200, _bundle("history", entries) | {"total": len(versions)})

    def _search(self, asked: Query, query: str) -> Reply:
        total, page = search_dated(self._shelf, asked) if asked.dates else self._shelf.search(asked)
        entries = [{"fullUrl": f"{s.kind}/{s.id}", "resource": show(s), "search": {"mode": "match"}} for s in page]
        links = [{"relation": "self", "url": f"{asked.kind}?{query}"}]
        following = asked.offset + len(page)
        if page and following < total:
            kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "_offset"]
            links.append({"relation": "next", "url": f"{asked.kind}?{urlencode([*kept, ('_offset', following)])}"})
        return _answer(200, _bundle("searchset", entries) | {"total": total, "link": links})

    def _resolve(self, step: Step) -> tuple[str, bool]:
        """The id a step writes to, and whether it is there already (a conditional create then writes nothing)."""
        if step.id is not None:
            return step.id, self._shelf.get(step.kind, step.id) is not None
        if step.condition is None:
            return self._new_id(), False
        total, page = self._shelf.search(parse_condition(step.kind, step.condition))
        if total > 1:
            raise Refusal(412, "multiple-matches", f"more than one {step.kind} fits the condition")
        return (page[0].id, True) if page else (self._new_id(), False)

    def _take(self, step: Step) -> tuple[int, Stored]:
        """One write on its own."""
        id, there = self._resolve(step)
        return self._write(step, id, there, step.resource)

    def _write(self, step: Step, id: str, there: bool, resource: Resource) -> tuple[int, Stored]:
        """Status and what is stored now."""
        newest = self._shelf.get(step.kind, id) if there else None
        if step.if_match is not None:
            match = _VERSION.fullmatch(step.if_match)
            if match is None:
                raise Refusal(400, "invalid", 'If-Match must look like W/"3"')
            if newest is None or newest.version != int(match[1]):
                raise Refusal(412, "conflict", f"the {step.kind} is at another version")
        if newest and step.method == "POST":
            return 200, newest
        if resource.get("id") not in (None, id) and step.method == "PUT":
            raise Refusal(400, "invalid", f"the id of the {step.kind} is another than the address says")
        body = _strip(resource)
        if newest and newest.body == body:
            return 200, newest  # nothing changed: a replay makes no version
        stored = Stored(step.kind, id, newest.version + 1 if newest else 1, self._clock(), body)
        self._shelf.put(stored, read_keys(step.kind, id, body))
        return 200 if newest else 201, stored

    def _transact(self, bundle: Resource) -> Reply:
        steps = read_steps(bundle)
        for step in steps:
            if step.kind not in KINDS:
                raise Refusal(400, "not-supported", "this record does not hold one of the types in the Bundle")
        with self._shelf.transaction():
            targets = [self._resolve(step) for step in steps]
            settled = settle(steps, [id for id, _ in targets])
            results = [
                self._write(step, id, there, resource)
                for step, (id, there), resource in zip(steps, targets, settled, strict=True)
            ]
        entries = [{"response": _response(status, stored)} for status, stored in results]
        return _answer(200, _bundle("transaction-response", entries))


def search_dated(shelf: Shelf, asked: Query) -> Found:
    """A search by the date of what happened: all of one patient are read, for a shelf does not read a date."""
    rows: list[Stored] = []
    while len(page := shelf.search(asked._replace(dates=(), offset=len(rows), limit=MOST)).page) > 0:
        rows += page
    kept = [row for row in rows if overlaps(row.body.get("period"), asked.dates)]
    return Found(len(kept), kept[asked.offset : asked.offset + asked.limit])


def refuse(status: int, code: str, text: str) -> Reply:
    """An error as FHIR tells it."""
    issue = {"severity": "error", "code": code, "details": {"text": text}}
    return _answer(status, {"resourceType": "OperationOutcome", "issue": [issue]})


def show(stored: Stored) -> Resource:
    """A stored version as a resource."""
    meta = stored.body.get("meta", {}) | {"versionId": str(stored.version), "lastUpdated": _moment(stored)}
    return stored.body | {"id": stored.id, "meta": meta}


def _strip(resource: Resource) -> Resource:
    """Without what the store itself says of a resource."""
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    body = {k: v for k, v in resource.items() if k not in ("id", "meta")}
    return body | ({"meta": meta} if meta else {})


def _moment(stored: Stored) -> str:
    return stored.updated.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _parse(body: bytes, kind: str = "Bundle") -> Resource:
    """A resource of this type out of a request's body."""
    if len(body) > MAX_BYTES:
        raise Refusal(413, "too-long", f"a request holds at most {MAX_BYTES} bytes")
    try:
        found: Any = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(found, ensure_ascii=False).encode()  # what cannot be written again is not taken
    except (ValueError, RecursionError):
        raise Refusal(400, "structure", "the body is not JSON") from None
    if not isinstance(found, dict) or found.get("resourceType") != kind:
        raise Refusal(400, "structure", f"the body is not a {kind}")
    if not isinstance(found.get("meta", {}), dict):
        raise Refusal(400, "structure", "meta must be an object")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _check_id(id: str) -> str:
    if not _ID.fullmatch(id):
        raise Refusal(400, "value", "an id has 1 to 64 letters, digits, hyphens and points")
    return id


def _bundle(kind: str, entries: list[Resource]) -> Resource:
    return {"resourceType": "Bundle", "type": kind} | ({"entry": entries} if entries else {})


def _response(status: int, stored: Stored) -> dict[str, str]:
    where = f"{stored.kind}/{stored.id}/_history/{stored.version}"
    said = {200: "200 OK", 201: "201 Created"}[status]
    return {"status": said, "location": where, "etag": f'W/"{stored.version}"', "lastModified": _moment(stored)}


def _answer_stored(status: int, stored: Stored) -> Reply:
    headers = {"ETag": f'W/"{stored.version}"'}
    if status == 201:
        headers["Location"] = f"{stored.kind}/{stored.id}/_history/{stored.version}"
    return _answer(status, show(stored), headers)


def _answer(status: int, resource: Resource, headers: Mapping[str, str] | None = None) -> Reply:
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, {"Content-Type": f"{FHIR_JSON}; charset=utf-8", **(headers or {})}, body)
