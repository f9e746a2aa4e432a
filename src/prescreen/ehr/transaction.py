"""A transaction Bundle as steps, and its inner references resolved. Knows no store."""

import re
from typing import NamedTuple

from prescreen.ehr.bundle import place
from prescreen.ehr.codes import Resource
from prescreen.ehr.questions import Refusal

MOST = 200
_TARGET = re.compile(r"([A-Z][A-Za-z]{1,63})(?:/([A-Za-z0-9\-.]{1,64})|\?(.+))?", re.S)


class Step(NamedTuple):
    """One write. `condition` is the query of ifNoneExist or of a PUT by search."""

    method: str
    kind: str
    id: str | None
    resource: Resource
    condition: str | None
    if_match: str | None
    url: str | None = None


def read_steps(bundle: Resource) -> list[Step]:
    """The writes of a transaction; Refusal where it holds anything else."""
    entries = bundle.get("entry")
    if bundle.get("type") != "transaction" or not isinstance(entries, list) or not 0 < len(entries) <= MOST:
        raise Refusal(400, "not-supported", f"a Bundle must be a transaction of 1 to {MOST} entries")
    steps = [_read_step(entry) for entry in entries]
    urls = [step.url for step in steps if step.url]
    conditions = [(step.kind, step.condition) for step in steps if step.condition]
    targets = [(step.kind, step.id) for step in steps if step.id]
    for named in (urls, conditions, targets):
        if len(set(named)) != len(named):
            raise Refusal(400, "duplicate", "two entries of the Bundle are about the same resource")
    return steps


def _read_step(entry: object) -> Step:
    wrong = Refusal(400, "structure", "an entry needs a resource and a POST or PUT request that fit each other")
    if not isinstance(entry, dict):
        raise wrong
    request, resource, url = entry.get("request"), entry.get("resource"), entry.get("fullUrl")
    if not isinstance(request, dict) or not isinstance(resource, dict) or not isinstance(url, str | None):
        raise wrong
    texts = [request.get(name) for name in ("method", "url", "ifNoneExist", "ifMatch")]
    method, target, if_none_exist, if_match = (text if isinstance(text, str) else None for text in texts)
    match = _TARGET.fullmatch(target or "")
    if match is None or match[1] != resource.get("resourceType") or not isinstance(resource.get("meta", {}), dict):
        raise wrong
    kind, id, query = match.groups()
    if method == "POST" and id is None and query is None:
        return Step("POST", kind, None, resource, if_none_exist, None, url)
    if method == "PUT" and (id or query):
        return Step("PUT", kind, id, resource, query, if_match, url)
    raise wrong


def settle(steps: list[Step], ids: list[str]) -> list[Resource]:
    """The resources with every reference into the Bundle replaced; one that leads nowhere is refused."""
    if len({(step.kind, id) for step, id in zip(steps, ids, strict=True)}) != len(steps):
        raise Refusal(400, "duplicate", "two entries of the Bundle are about the same resource")
    places = {step.url: f"{step.kind}/{id}" for step, id in zip(steps, ids, strict=True) if step.url}
    settled = []
    for step in steps:
        resource = place(step.resource, places)
        if not isinstance(resource, dict) or _is_open(resource):
            raise Refusal(400, "not-found", f"a reference of the {step.kind} leads to no entry of the Bundle")
        settled.append(resource)
    return settled


def _is_open(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_is_open, value))
    if isinstance(value, dict):
        held = value.get("reference")
        return (isinstance(held, str) and held.startswith("urn:uuid:")) or any(map(_is_open, value.values()))
    return False
