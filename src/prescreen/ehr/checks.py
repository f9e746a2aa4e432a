"""Our own check of a Bundle before it is sent: required codes, references, labels, narratives, times.

The typed models of FHIR check structure but no code, and a server's answer comes too late. A problem is named by
its path, never by what stands there. Knows what we write and nothing else of FHIR.
"""

import math
import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from prescreen.ehr import codes
from prescreen.ehr.codes import BundleError, Resource
from prescreen.ehr.labels import TAGS, XHTML

# Required bindings of what we write: R4 allows these and no other.
BINDINGS: Final[dict[str, frozenset[str]]] = {
    path: frozenset(allowed.split())
    for path, allowed in {
        "Patient.gender": "female male other unknown",
        "Encounter.status": "planned arrived triaged in-progress onleave finished cancelled",
        "Encounter.statusHistory.status": "planned arrived triaged in-progress onleave finished cancelled",
        "QuestionnaireResponse.status": "in-progress completed amended entered-in-error stopped",
        "Observation.status": "registered preliminary final amended corrected cancelled entered-in-error unknown",
        "RiskAssessment.status": "preliminary",
        "DetectedIssue.status": "registered preliminary final amended corrected cancelled entered-in-error unknown",
        "DetectedIssue.severity": "high moderate low",
        "Device.status": "active inactive entered-in-error unknown",
        "Device.deviceName.type": "udi-label-name user-friendly-name patient-reported-name manufacturer-name"
        " model-name other",
        "Composition.status": "final amended",
        "Composition.attester.mode": "personal professional legal official",
        "Composition.relatesTo.code": "replaces transforms signs appends",
        "Composition.section.text.status": "generated extensions additional empty",
        "Provenance.entity.role": "derivation revision quotation source removal",
        "Task.status": "draft requested received accepted rejected ready cancelled in-progress on-hold failed"
        " completed entered-in-error",
        "Task.intent": "unknown proposal plan order original-order reflex-order filler-order instance-order option",
        "Task.priority": "routine urgent asap stat",
    }.items()
}
_LOINC = {codes.TRIAGE_NOTE, codes.BLOOD_PRESSURE, codes.RESPONSIVENESS}
# Code systems whose every code we know; rules and languages are open.
SYSTEMS: Final[dict[str, frozenset[str]]] = {
    codes.ACT_CODE: frozenset({"AMB", "VR", "EMER"}),
    codes.ACT_PRIORITY: frozenset({"EM", "UR", "R"}),
    codes.OBSERVATION_VALUE: frozenset({"AIAST"}),
    codes.OBSERVATION_CATEGORY: frozenset({"vital-signs", "survey"}),
    codes.ABSENT: frozenset({"unknown"}),
    codes.PARTICIPANT: frozenset({"author", "verifier"}),
    codes.ACUITY: frozenset({"low", "medium", "high", "emergency"}),
    codes.LOINC: frozenset(_LOINC.union(*(loinc for loinc, *_ in codes.QUANTITIES.values()))),
    codes.UCUM: frozenset({unit for _, _, unit, _ in codes.QUANTITIES.values()}),
}
OPEN_SYSTEMS: Final = frozenset({codes.RULE, codes.LANGUAGES})
_REQUIRED = {"Encounter": "class", "QuestionnaireResponse": "status", "Composition": "attester", "Task": "intent"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_TIMES = frozenset(
    {"start", "end", "date", "time", "recorded", "authored", "authoredOn", "lastModified", "timestamp"}
)
_LITERAL = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")


def check_bundle(bundle: Resource) -> Resource:
    """The Bundle itself; BundleError names the paths that are wrong."""
    if problems := sorted(set(find_problems(bundle))):
        raise BundleError(f"the Bundle fails our own check at {', '.join(problems[:5])}; it was not sent")
    return bundle


def find_problems(bundle: Resource) -> Iterator[str]:
    """Every wrong place by its path."""
    if bundle["type"] != "transaction":
        yield "Bundle.type"
    urls = [entry.get("fullUrl") for entry in bundle["entry"]]
    if len(set(urls)) != len(urls):
        yield "Bundle.entry.fullUrl"
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    for kind, fewest, most in (("Composition", 1, 1), ("Task", 1, 1), ("Provenance", 1, 2), ("Patient", 0, 1)):
        if not fewest <= kinds.count(kind) <= most:
            yield f"Bundle.entry.{kind}"
    for entry in bundle["entry"]:
        yield from _check_entry(entry, set(urls))


def _check_entry(entry: Resource, urls: set[str | None]) -> Iterator[str]:
    resource, request = entry["resource"], entry["request"]
    kind = resource["resourceType"]
    if kind == "Provenance":
        if request != {"method": "PUT", "url": f"Provenance/{resource['id']}"}:
            yield f"{kind}.request"
    elif request.get("method") != "POST" or not request.get("ifNoneExist"):
        yield f"{kind}.request"
    if kind in _REQUIRED and not resource.get(_REQUIRED[kind]):
        yield f"{kind}.{_REQUIRED[kind]}"
    labelled = codes.AI_ASSERTED in resource.get("meta", {}).get("security", [])
    if labelled != (kind == "RiskAssessment"):
        yield f"{kind}.meta.security"
    for path, value in walk(resource, kind):
        if not _is_right(path, value, urls):
            yield path


def walk(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every value with its path; lists do not lengthen a path."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, path)


def _is_right(path: str, value: object, urls: set[str | None]) -> bool:
    name = path.rpartition(".")[2]
    if isinstance(value, dict):
        return bool(value) and _is_known_code(value)
    if isinstance(value, float | int):
        return math.isfinite(value)
    if isinstance(value, list):
        return bool(value)
    if not isinstance(value, str) or not value.strip():
        return False
    if path in BINDINGS:
        return value in BINDINGS[path]
    if name == "reference":
        return value in urls or bool(_LITERAL.fullmatch(value))
    if name == "div":
        return is_safe_narrative(value)
    if name in _TIMES or name.endswith("DateTime"):
        return bool(_TIME.fullmatch(value))
    return True


def _is_known_code(value: Resource) -> bool:
    """A coding or quantity of a system we know, with a code it has; anything else is no matter of this check."""
    if "code" not in value or "system" not in value:
        return True
    system, code = value["system"], value["code"]
    return system in OPEN_SYSTEMS or code in SYSTEMS.get(system, frozenset())


def is_safe_narrative(div: str) -> bool:
    """Well-formed, our few tags, no attribute at all."""
    if "<!" in div or "<?" in div:
        return False
    try:
        root = ElementTree.fromstring(div)
    except ElementTree.ParseError:
        return False
    allowed = {f"{{{XHTML}}}{tag}" for tag in TAGS}
    return root.tag == f"{{{XHTML}}}div" and all(e.tag in allowed and not e.attrib for e in root.iter())
