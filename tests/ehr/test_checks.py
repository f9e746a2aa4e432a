"""Our own check: each kind of fault is found, and named without what stands there."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from prescreen.ehr.bundle import write_bundle
from prescreen.ehr.checks import BINDINGS, check_bundle, find_problems, is_safe_narrative, walk
from prescreen.ehr.codes import AI_ASSERTED, BundleError
from small_visits import told, visit


def _set(kind: str, *path: Any) -> Callable[[dict[str, Any]], None]:
    """Put the last of `path` where the rest leads, in the first resource of a kind."""
    *way, last, value = path

    def change(bundle: dict[str, Any]) -> None:
        target: Any = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
        for step in way:
            target = target[step]
        target[last] = value

    return change


FAULTS = {
    "Encounter.status": _set("Encounter", "status", "nonsense"),
    "Encounter.priority.coding": _set("Encounter", "priority", "coding", 0, "code", "XX"),
    "Encounter.class": _set("Encounter", "class", "system", "urn:other"),
    "Observation.status": _set("Observation", "status", "done"),
    "Observation.code.coding": _set("Observation", "code", "coding", 0, "code", "1-1"),
    "Observation.subject.reference": _set("Observation", "subject", "reference", "urn:uuid:nowhere"),
    "RiskAssessment.meta.security": _set("RiskAssessment", "meta", "security", []),
    "Patient.meta.security": _set("Patient", "meta", {"security": [dict(AI_ASSERTED)]}),
    "Composition.section.text.div": _set("Composition", "section", 0, "text", "div", "<div><script/></div>"),
    "Composition.date": _set("Composition", "date", "2026-03-02"),
    "Composition.title": _set("Composition", "title", "  "),
    "Composition.section": _set("Composition", "section", []),
    "Task.priority": _set("Task", "priority", "now"),
    "Task.intent": _set("Task", "intent", ""),
    "Provenance.entity.role": _set("Provenance", "entity", 0, "role", "author"),
    "Patient.gender": _set("Patient", "gender", "f"),
}  # fmt: skip


@pytest.mark.parametrize("path", list(FAULTS))
def test_a_fault_is_named_by_its_path(path: str) -> None:
    bundle = copy.deepcopy(write_bundle(visit()))
    FAULTS[path](bundle)
    assert path in set(find_problems(bundle))
    with pytest.raises(BundleError) as refused:
        check_bundle(bundle)
    assert "nonsense" not in str(refused.value)
    assert "script" not in str(refused.value)


@pytest.mark.parametrize("kind", ["Composition", "Task"])
def test_a_missing_document_is_found(kind: str) -> None:
    bundle = write_bundle(visit())
    bundle["entry"] = [e for e in bundle["entry"] if e["resource"]["resourceType"] != kind]
    assert f"Bundle.entry.{kind}" in set(find_problems(bundle))


def test_an_unconditional_create_is_found() -> None:
    bundle = write_bundle(visit())
    del bundle["entry"][0]["request"]["ifNoneExist"]
    assert "Patient.request" in set(find_problems(bundle))


def test_every_binding_is_met_by_some_golden_visit() -> None:
    """A binding for what we never write would be dead weight."""
    seen = {
        path
        for signed in told().values()
        for e in write_bundle(signed)["entry"]
        for path, _ in walk(e["resource"], e["resource"]["resourceType"])
    }
    assert set(BINDINGS) <= seen


@pytest.mark.parametrize(
    "div",
    [
        '<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="x">a</p></div>',
        '<div xmlns="http://www.w3.org/1999/xhtml"><a>a</a></div>',
        '<!DOCTYPE d [<!ENTITY x "y">]><div xmlns="http://www.w3.org/1999/xhtml">&x;</div>',
        "<div>no namespace</div>",
        '<div xmlns="http://www.w3.org/1999/xhtml"><p>',
    ],
)
def test_a_narrative_has_our_tags_only(div: str) -> None:
    assert not is_safe_narrative(div)
