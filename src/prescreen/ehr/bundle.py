"""A signed visit as one R4 transaction Bundle, and the same Bundle in the two steps every server takes.

Exactly once, and why in this way:
- `write_bundle` is whole in itself (for a file, an interface engine, HAPI, our own desk): each create carries
  `ifNoneExist` on an identifier derived from the signature, so posting it again creates nothing. R4 gives
  Provenance no identifier and no server can search one; it is a PUT to an id of ours, which HAPI and the desk
  take (an id with a letter or hyphen) and which writes the same bytes again on a replay.
- Medplum, by its source (4.5.2 and today), refuses a transaction of more than 8 entries when one of them is
  conditional (`ifNoneExist`, PUT by search), and lets only its administrators choose ids. A visit has 10 to 25
  entries. So the live channel sends `stage_bundle`: a small conditional transaction for what may be there already
  (patient, encounter, model, and the review Task, still in progress), then one transaction of plain creates which
  also closes that Task with `ifMatch` on the version just read. Whoever comes second finds the Task changed, gets
  412, and nothing of theirs is stored. This needs neither chosen ids nor conditional creates at scale, and holds
  wherever transactions are atomic: HAPI, Medplum, our desk.
Knows no wire.
"""

import copy
from typing import NamedTuple

from prescreen.clinic.signed import SignedVisit
from prescreen.ehr import codes
from prescreen.ehr.codes import Resource
from prescreen.ehr.document import (
    write_composition,
    write_device,
    write_drafting,
    write_proposal,
    write_signing,
    write_task,
)
from prescreen.ehr.resources import (
    Names,
    write_answers,
    write_encounter,
    write_issues,
    write_observations,
    write_patient,
)

SHARED = frozenset({"Patient", "Encounter", "Device", "Task"})
WAITING = "in-progress"  # the Task between the two steps


class Staged(NamedTuple):
    """Both steps, and the Task as it stands when the second is through."""

    ground: Resource
    words: Resource
    task: Resource


def write_bundle(visit: SignedVisit) -> Resource:
    """The whole visit; the same visit gives the same bytes."""
    names = Names(visit)
    made: dict[str, Resource] = {}
    if visit.patient.reference is None:
        made["patient"] = write_patient(visit, names)
    if visit.patient.encounter is None:
        made["encounter"] = write_encounter(visit, names)
    if visit.model:
        made["device"] = write_device(visit.model)
    made["answers"] = write_answers(visit, names)
    observed = {f"observation/{name}": found for name, found in write_observations(visit, names).items()}
    issues = {f"issue/{rule}": found for rule, found in write_issues(visit, names).items()}
    made |= observed | issues
    if proposal := write_proposal(visit, names, ["answers", *observed]):
        made["proposal"] = proposal
    entries = {"Summary": ["answers"], "Findings": list(observed), "Red flags": list(issues)}
    made["composition"] = write_composition(visit, names, entries)
    made["task"] = write_task(visit, names)
    if drafting := write_drafting(visit, names, proposed=proposal is not None):
        made["drafting"] = drafting
    made["signing"] = write_signing(visit, names)
    return {
        "resourceType": "Bundle",
        "identifier": names.identifier("bundle"),
        "type": "transaction",
        "timestamp": codes.instant(visit.signed),
        "entry": [_entry(names.url(key), resource) for key, resource in made.items()],
    }


def _entry(url: str, resource: Resource) -> Resource:
    kind = resource["resourceType"]
    if kind == "Provenance":
        request = {"method": "PUT", "url": f"Provenance/{resource['id']}"}
    else:
        held = resource["identifier"]
        query = codes.identifier_query(held[0] if isinstance(held, list) else held)
        request = {"method": "POST", "url": kind, "ifNoneExist": query}
    return {"fullUrl": url, "resource": resource, "request": request}


def stage_bundle(bundle: Resource) -> Staged:
    """The two steps of a whole Bundle; `words` still lacks the closed Task, whose place the first step tells."""
    ground, words, task = list[Resource](), list[Resource](), Resource()
    for entry in copy.deepcopy(bundle["entry"]):
        kind = entry["resource"]["resourceType"]
        if kind == "Task":
            task = copy.deepcopy(entry["resource"])
            entry["resource"]["status"] = WAITING
            for later in ("focus", "lastModified", "executionPeriod"):
                del entry["resource"][later]
        if kind in SHARED:
            ground.append(entry)
        else:
            entry["resource"].pop("id", None)
            entry["request"] = {"method": "POST", "url": kind}
            words.append(entry)
    frame = {"resourceType": "Bundle", "type": "transaction"}
    return Staged(frame | {"entry": ground}, frame | {"entry": words}, task)


def place(value: object, places: dict[str, str]) -> object:
    """The same resource with references into a Bundle replaced by where the first step put them."""
    if isinstance(value, list):
        return [place(item, places) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: places.get(inner, inner) if key == "reference" and isinstance(inner, str) else place(inner, places)
        for key, inner in value.items()
    }


def update_entry(resource: Resource, version: str) -> Resource:
    """A PUT that holds only if nobody changed the resource since this version was read."""
    where = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": where, "ifMatch": f'W/"{version}"'}}
