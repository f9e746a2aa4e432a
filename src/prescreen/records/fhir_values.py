"""FHIR R4 data types read out of untrusted JSON: codings, dates, references, names, narrative, attachments.

A value of the wrong type counts as absent; a date or an attachment that is there but unreadable raises
`Unreadable`, whose reason quotes nothing of the record. Knows no resource, no file and no clinic.
"""

import base64
import binascii
import datetime
import html
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

FIELD_LIMIT = 1 << 20  # characters a single field may have
DAY = 86400.0
LOINC = ("http://loinc.org", "urn:oid:2.16.840.1.113883.6.1")
SNOMED = ("http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96")
UCUM = ("http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8")

_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_YEARS = range(1850, 2201)
_BLOCK = {"p", "div", "br", "li", "tr", "table", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6"}
_UNSEEN = {"script", "style", "head", "title"}
_TAG = re.compile(r"/?([A-Za-z][A-Za-z0-9]*)")


class Unreadable(ValueError):
    """A resource that cannot be used; the reason quotes nothing of it."""


class Span(NamedTuple):
    """What a FHIR date may mean: earliest and latest second since 1970, alike for a full timestamp."""

    lo: float
    hi: float

    @property
    def exact(self) -> bool:
        return self.hi - self.lo < 60


def as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a repeating element; a single object counts as a list of one."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def as_text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def as_texts(value: Any) -> list[str]:
    """The strings of a repeating element, without empty ones."""
    return [found for item in (value if isinstance(value, list) else [value]) if (found := as_text(item))]


def as_number(value: Any) -> float | None:
    """A finite number; true and false are none."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or abs(value) > 1e9
        or not math.isfinite(value)
    ):
        return None
    return float(value)


def read_codes(concept: Any, systems: Iterable[str]) -> set[str]:
    """Codes of a CodeableConcept or Coding in these systems; a coding without a system counts too."""
    known = ("", *systems)
    found = as_object(concept)
    codings = [*as_objects(found.get("coding")), found]
    return {code for c in codings if as_text(c.get("system")) in known and (code := as_text(c.get("code")))}


def read_label(concept: Any) -> str:
    """The text of a CodeableConcept, or the first display of its codings; never a bare code."""
    found = as_object(concept)
    displays = (as_text(coding.get("display")) for coding in [*as_objects(found.get("coding")), found])
    return as_text(found.get("text")) or next(filter(None, displays), "")


def any_code(concept: Any) -> str:
    """The first code of a concept, or the value itself where it is a plain string."""
    found = as_object(concept)
    codes = (as_text(coding.get("code")) for coding in [*as_objects(found.get("coding")), found])
    return as_text(concept) or next(filter(None, codes), "")


def read_datetime(value: Any) -> datetime.datetime | None:
    """A FHIR date, dateTime or instant at its earliest; UTC where it names no zone."""
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if not match or int(match[1]) not in _YEARS:
        return None
    day = f"{match[1]}-{match[2] or '01'}-{match[3] or '01'}"
    clock = match[4] or "00:00"
    clock = clock[:-2] + "59" if len(clock) == 8 and clock.endswith("60") else clock  # a leap second
    try:
        return datetime.datetime.fromisoformat(f"{day}T{clock}{(match[5] or 'Z').replace('Z', '+00:00')}")
    except ValueError:
        return None


def read_span(value: Any) -> Span | None:
    """None where nothing is given; Unreadable where what is given is no FHIR date."""
    if value is None:
        return None
    moment = read_datetime(value)
    if moment is None:
        raise Unreadable("a date is not in FHIR's form (YYYY, YYYY-MM, YYYY-MM-DD or a full timestamp)")
    lo = moment.timestamp()
    if len(value) == 4:
        return Span(lo, moment.replace(year=moment.year + 1).timestamp() - 1)
    if len(value) == 7:
        following = (moment.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)
        return Span(lo, following.timestamp() - 1)
    return Span(lo, lo + DAY - 1 if len(value) == 10 else lo)


def read_reference(value: Any) -> str:
    """A reference in one form: Type/id, urn:... or #contained; empty where there is none."""
    found = as_text(as_object(value).get("reference"))
    return normalise_reference(found)


def normalise_reference(found: str) -> str:
    if found.startswith(("urn:", "#")) or not found:
        return found
    parts = found.split("/_history/")[0].split("/")
    return "/".join(parts[-2:])


def reference_type(value: Any) -> str:
    """The resource type a reference itself names; empty for urn: and contained ones without a type."""
    kind, slash, _ = read_reference(value).partition("/")
    return kind if slash and not kind.startswith(("urn:", "#")) else as_text(as_object(value).get("type"))


def find_contained(resource: dict[str, Any], reference: str) -> dict[str, Any]:
    """The contained resource a #reference means; empty where it is not there."""
    return next(
        (c for c in as_objects(resource.get("contained")) if reference in (f"#{c.get('id')}", c.get("id"))), {}
    )


def strip_narrative(markup: str) -> str:
    """The readable text of XHTML, in one linear pass: no entity is expanded before its tags are gone."""
    out: list[str] = []
    place = 0
    while (opening := markup.find("<", place)) >= 0:
        out.append(markup[place:opening])
        comment = markup.startswith("<!--", opening)
        closing = markup.find("-->" if comment else ">", opening)
        if closing < 0:
            place = len(markup)
            break
        place = closing + (3 if comment else 1)
        tag = _TAG.match(markup, opening + 1)
        name = tag[1].lower() if tag and not comment else ""
        if name in _UNSEEN and markup[opening + 1] != "/" and markup[closing - 1] != "/":
            ending = markup.find(f"</{tag[1] if tag else ''}", place)
            place = ending if ending >= 0 else len(markup)
        out.append("\n" if name in _BLOCK else " | " if name in ("td", "th") and markup[opening + 1] == "/" else "")
    out.append(markup[place:])
    lines = (" ".join(line.split()).removesuffix(" |") for line in html.unescape("".join(out)).split("\n"))
    return "\n".join(line for line in lines if line)


def read_attachment(value: Any) -> str:
    """The text of an inline attachment; empty where it is only a link or no text."""
    found = as_object(value)
    kind, _, options = as_text(found.get("contentType")).lower().partition(";")
    data = as_text(found.get("data"))
    if not data or kind.strip() not in ("text/plain", "text/html", "text/markdown", "application/xhtml+xml"):
        return ""
    charset = re.search(r"charset=\"?([a-z0-9._-]+)", options)
    try:
        raw = base64.b64decode(re.sub(r"\s+", "", data), validate=True)
        decoded = raw.decode(charset[1] if charset else "utf-8")
        decoded.encode()
    except (binascii.Error, UnicodeError, LookupError, ValueError):
        raise Unreadable("an attachment is not base64 text in the character set it names") from None
    return strip_narrative(decoded) if "html" in kind else decoded.strip()


def check_fields(resource: Any) -> None:
    """Unreadable where a field is too long or holds no valid Unicode."""
    pending = [resource]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.keys()
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, str):
            if len(value) > FIELD_LIMIT:
                raise Unreadable("a field is longer than 1 MB; take the attachment out of the export")
            if not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise Unreadable("a field is not valid UTF-8; export the file again as UTF-8") from None
