"""A channel to any FHIR R4 server: a signature stored once, found again, and a patient's history read.

Speaks over a `Wire`, so the same code serves an HTTP server and the desk in this process. How a signature arrives
exactly once is told in `bundle`. Errors name types and states, never what stands in a resource.
"""

import datetime
import json
from typing import Any

from prescreen.clinic.contact import Later
from prescreen.clinic.signed import SignedVisit
from prescreen.ehr import codes
from prescreen.ehr.aftermath import local_reference, read_aftermath
from prescreen.ehr.bundle import WAITING, Staged, place, stage_bundle, update_entry, write_bundle
from prescreen.ehr.channel import DeliveryError, History, Receipt
from prescreen.ehr.checks import check_bundle
from prescreen.ehr.codes import Resource, check_reference, identifier, identifier_query, instant
from prescreen.ehr.reading import read_history
from prescreen.ehr.resources import write_priority
from prescreen.ehr.wire import PASSING, Auth, HttpWire, Reply, Wire, readable

TAKEN = frozenset({409, 412})  # servers disagree which of the two a stale If-Match is
EARLIER = frozenset({"planned", "arrived"})  # the encounter states that a signature moves on


class RecordChannel:
    """Delivers over any wire."""

    name = "record"

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def deliver(self, visit: SignedVisit) -> Receipt:
        """Store the signature; the receipt of the first time where it is there already."""
        with readable("a visit"):
            staged = stage_bundle(check_bundle(write_bundle(visit)))
            return self.find(visit.id) or self._deliver(visit, staged)

    def _deliver(self, visit: SignedVisit, staged: Staged) -> Receipt:
        places = self._lay_ground(staged)
        task = self._get(places[_url(staged, "Task")])
        if task["status"] != WAITING:
            return self._find_or_fail(visit.id, "the review is closed but its report is missing", lasting=True)
        closing: Any = staged.task | {"id": task["id"]}
        entries = [*staged.words["entry"], update_entry(closing, task["meta"]["versionId"])]
        entries += self._move_encounter(visit, staged, places)
        reply = self._post(place(staged.words | {"entry": entries}, places))
        if reply.status in TAKEN:
            return self._find_or_fail(visit.id, "somebody changed the visit meanwhile", lasting=False)
        _check(reply, "the signed report")
        return self._find_or_fail(visit.id, "the report was taken but is not found again", lasting=False)

    def find(self, signature: str) -> Receipt | None:
        """The Composition of a signature by its identifier."""
        with readable("a Composition"):
            stored = self._find_composition(signature)
            if stored is None:
                return None
            meta = stored.get("meta", {})
            version = f"/_history/{meta['versionId']}" if "versionId" in meta else ""
            return Receipt(f"Composition/{stored['id']}{version}", _updated(meta))

    def read_history(self, reference: str) -> History:
        """What the record knows of a patient."""
        with readable("a patient's history"):
            return read_history(self._wire, check_reference(reference, "Patient"))

    def read_aftermath(self, signature: str, reference: str | None, since: datetime.datetime) -> Later | None:
        """What became of the patient of a signature, whom the record knows by it, or else by the reference."""
        with readable("a patient's later visits"):
            found = self._find_composition(signature)
            patient = local_reference(found.get("subject"), "Patient") if found else reference
            if patient is None:
                raise DeliveryError("the record does not hold this signature yet", lasting=False)
            own = local_reference(found.get("encounter"), "Encounter") if found else None
            return read_aftermath(self._wire, patient, since, own)

    def _find_composition(self, signature: str) -> Resource | None:
        """The one that has the identifier of the signature: a server may overlook the filter and show others, and
        another's report must not count as this one's arrival."""
        held = identifier(str(codes.parse_id(signature)))
        found = self._search("Composition", identifier_query(held))
        own = [stored for stored in found if _carries(stored, held)]
        if found and not own:
            raise DeliveryError(
                "the record system does not search a Composition by its identifier; it cannot tell what it holds",
                lasting=True,
            )
        return own[0] if own else None

    def _lay_ground(self, staged: Staged) -> dict[str, str]:
        """Where patient, encounter, model and Task are kept, by their places in the Bundle."""
        reply = self._post(staged.ground)
        if reply.status == 409:
            raise DeliveryError("another delivery of this visit is under way", lasting=False)
        if reply.status == 412:
            raise DeliveryError(
                "the record system knows more than one resource by an identifier of this visit; merge them there",
                lasting=True,
            )
        _check(reply, "the visit")
        places: dict[str, str] = {}
        results = reply.read().get("entry", [])
        for entry, result in zip(staged.ground["entry"], results, strict=False):
            kind, location = entry["resource"]["resourceType"], result.get("response", {}).get("location") or ""
            if f"{kind}/" in location:
                places[entry["fullUrl"]] = _relative(location).partition("/_history")[0]
        for entry in staged.ground["entry"]:
            if entry["fullUrl"] not in places:
                kind = entry["resource"]["resourceType"]
                found = self._search(kind, entry["request"]["ifNoneExist"])
                if len(found) != 1:
                    raise DeliveryError(f"the record system does not say where it keeps the {kind}", lasting=False)
                places[entry["fullUrl"]] = f"{kind}/{found[0]['id']}"
        return places

    def _move_encounter(self, visit: SignedVisit, staged: Staged, places: dict[str, str]) -> list[Resource]:
        """The encounter with the signed priority, where the record has another; its later states stay."""
        held = visit.patient.encounter
        encounter = self._get(check_reference(held, "Encounter") if held else places[_url(staged, "Encounter")])
        if encounter["subject"]["reference"] != (visit.patient.reference or places[_url(staged, "Patient")]):
            raise DeliveryError(
                "the encounter belongs to another patient in the record; link it anew", lasting=True
            )
        priority, state = write_priority(visit), encounter["status"]
        if encounter.get("priority") == priority and state not in EARLIER:
            return []
        changed = encounter | {"priority": priority}
        if state in EARLIER:
            period = {"end": instant(visit.signed)}
            start = encounter.get("period", {}).get("start")
            past = {"status": state, "period": ({"start": start} if start else {}) | period}
            changed |= {"status": "triaged", "statusHistory": [*encounter.get("statusHistory", []), past]}
        return [update_entry(changed, encounter["meta"]["versionId"])]

    def _find_or_fail(self, signature: str, why: str, *, lasting: bool) -> Receipt:
        if receipt := self.find(signature):
            return receipt
        raise DeliveryError(f"{why}; look at the record system", lasting=lasting)

    def _post(self, bundle: object) -> Reply:
        body = json.dumps(bundle, ensure_ascii=False, allow_nan=False).encode()
        return self._wire.send("POST", "", body=body)

    def _get(self, reference: str) -> Resource:
        reply = self._wire.send("GET", reference)
        _check(reply, reference.partition("/")[0])
        return reply.read()

    def _search(self, kind: str, query: str) -> list[Resource]:
        reply = self._wire.send("GET", kind, query=query)
        _check(reply, f"the search for {kind}")
        found = [entry.get("resource", {}) for entry in reply.read().get("entry", [])]
        return [resource for resource in found if resource.get("resourceType") == kind]


def _check(reply: Reply, what: str) -> None:
    """DeliveryError by the kind of failure; what the server says stays with the server, it may quote a patient."""
    if reply.status // 100 == 2:
        return
    lasting = reply.status not in PASSING and reply.status // 100 != 5
    raise DeliveryError(f"the record system refused {what} with status {reply.status}", lasting=lasting)


def _carries(stored: Resource, held: dict[str, str]) -> bool:
    """Whether a resource has this identifier among its own."""
    told = stored.get("identifier")
    rows = told if isinstance(told, list) else [told]
    return any(isinstance(row, dict) and held.items() <= row.items() for row in rows)


def _relative(location: str) -> str:
    """ "https://host/fhir/Composition/1/_history/2" -> "Composition/1/_history/2"."""
    parts = location.rstrip("/").split("/")
    length = 4 if len(parts) >= 4 and parts[-2] == "_history" else 2
    return "/".join(parts[-length:])


def _url(staged: Staged, kind: str) -> str:
    return next(e["fullUrl"] for e in staged.ground["entry"] if e["resource"]["resourceType"] == kind)


def _updated(meta: Resource) -> datetime.datetime:
    """When the record says it was stored, else now."""
    if "lastUpdated" not in meta:
        return datetime.datetime.now(datetime.UTC)
    moment = datetime.datetime.fromisoformat(meta["lastUpdated"])
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


class FhirChannel(RecordChannel):
    """Delivers to the FHIR server at an address."""

    name = "fhir"

    def __init__(
        self, base_url: str, auth: Auth | None = None, *, timeout_s: float = 20.0, ca: str | None = None
    ) -> None:
        self._http = HttpWire(base_url, auth, timeout_s=timeout_s, ca=ca)
        super().__init__(self._http)

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()
