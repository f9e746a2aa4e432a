"""A search string of the embedded record as a `Query`, and a resource as the `Keys` it is found by.

The few parameters we use; an unknown one is refused, for a filter that is ignored shows too much. Knows no store.
"""

import datetime
import re
from typing import Any
from urllib.parse import parse_qsl

from prescreen.ehr.codes import Resource
from prescreen.ehr.shelf import Bound, Keys, Query
from prescreen.errors import PrescreenError

PARAMETERS = ("_id", "_count", "_lastUpdated", "_offset", "identifier", "patient", "subject")
DATED = frozenset({"Encounter"})  # of one patient, these are also searched by the date they happened
MOST = 200
_SPAN = re.compile(r"(ge|gt|le|lt)(.+)", re.S)
_PATIENT = re.compile(r"(?:.*/)?(Patient/[A-Za-z0-9\-.]{1,64})(?:/_history/\w+)?", re.S)


class Refusal(PrescreenError):
    """A request the desk does not take, with the status and the issue code of its answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def parse_query(kind: str, query: str) -> Query:
    """Refusal where a parameter is unknown or makes no sense."""
    asked: dict[str, Any] = {"kind": kind}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=20)
    except ValueError:
        raise Refusal(400, "invalid", "the query cannot be read") from None
    for name, value in pairs:
        if name == "_lastUpdated":
            asked["updated"] = (*asked.get("updated", ()), _parse_bound(name, value))
        elif name == "date" and kind in DATED:
            asked["dates"] = (*asked.get("dates", ()), _parse_bound(name, value))
        elif name == "_format" and value in ("json", "application/json", "application/fhir+json"):
            continue
        elif name in ("_count", "_offset"):
            if not re.fullmatch(r"[0-9]{1,9}", value):
                raise Refusal(400, "invalid", f"{name} must be a number")
            asked["limit" if name == "_count" else "offset"] = int(value)
        elif name == "_id":
            asked["ids"] = tuple(value.split(","))
        elif name == "identifier":
            asked["identifier"] = _parse_token(value)
        elif name in ("patient", "subject"):
            asked["patient"] = value if value.startswith("Patient/") else f"Patient/{value}"
        else:
            raise Refusal(400, "not-supported", f"a search takes {', '.join(PARAMETERS)} and nothing else")
    if "dates" in asked and "patient" not in asked:
        raise Refusal(400, "not-supported", "a search by date needs a patient")
    asked["limit"] = min(asked.get("limit", 100), MOST)
    return Query(**asked)


def parse_condition(kind: str, query: str) -> Query:
    """The query of a conditional create or update: it must name something to look for."""
    found = parse_query(kind, query)
    if found.dates or (found.identifier is None and found.ids is None):
        raise Refusal(412, "invalid", "a condition must name an identifier")
    return found._replace(limit=2, offset=0)


def _parse_token(value: str) -> tuple[str | None, str]:
    r"""`system|value`, `|value` or `value`; a backslash keeps what follows it as it is."""
    parts = [""]
    escaped = False
    for sign in value:
        if escaped or sign not in "\\|,":
            parts[-1] += sign
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == "|":
            parts.append("")
        else:
            raise Refusal(400, "not-supported", "a search takes one identifier at a time")
    if len(parts) > 2 or not parts[-1]:
        raise Refusal(400, "invalid", "an identifier is searched as system|value")
    return (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])


def _parse_bound(name: str, value: str) -> Bound:
    match = _SPAN.fullmatch(value)
    try:
        moment = datetime.datetime.fromisoformat(match[2].replace(" ", "+")) if match else None
        if moment is not None:
            zone = moment.tzinfo or datetime.UTC
            moment = moment.replace(tzinfo=zone).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        moment = None
    if match is None or moment is None:
        raise Refusal(400, "invalid", f"{name} is searched as ge, gt, le or lt and a time")
    side: Any = match[1]
    return Bound(side, moment)


def read_keys(kind: str, id: str, resource: Resource) -> Keys:
    """What this resource will be found by."""
    held = resource.get("identifier", [])
    rows = held if isinstance(held, list) else [held]
    identifiers = tuple(
        (str(row.get("system", "")), str(row["value"])) for row in rows if isinstance(row, dict) and "value" in row
    )
    if kind == "Patient":
        return Keys(identifiers, f"Patient/{id}")
    for field in ("subject", "patient", "for"):
        reference = resource.get(field)
        if isinstance(reference, dict) and (match := _PATIENT.fullmatch(str(reference.get("reference", "")))):
            return Keys(identifiers, match[1])
    return Keys(identifiers)
