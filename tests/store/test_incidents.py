"""Incidents in the store: sealed words, open codes, one way through the states, a line for each act."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.incident import KINDS, SEVERITIES, Incident, count_by_hazard, read_export, write_export
from prescreen.errors import ConflictError, GuardError, InputError, RefusedError
from prescreen.store.base import Store, Who
from prescreen.store.incidents import (
    NEEDS_CASE,
    assess,
    close,
    export,
    list_incidents,
    note_case,
    open_ground,
    read,
    report,
)
from prescreen.store.loop_tables import IncidentRow
from prescreen.store.people import AuditLine
from prescreen.store.retention import shred
from prescreen.store.tables import Visit
from store.desk import NOON, NURSE, SERVICE, make_case, make_drafted
from store.test_visits import sign_it

LEAD = Who("lead", "admin")
WORDS = "Mr Bell had crushing chest pain; the draft said low."
FOUND = "The rule for chest pain does not know this wording."


def make_report(store: Store, kind: str = "missed emergency") -> IncidentRow:
    visit, _ = make_drafted(store)
    with store.act(NURSE) as act:
        return report(act, visit.id, kind, "critical", WORDS)


def lines(store: Store, incident: str) -> list[tuple[str, str]]:
    with store.look(SERVICE) as act:
        found = act.session.scalars(select(AuditLine).order_by(AuditLine.number))
        return [(line.action, line.actor) for line in found if incident in line.detail]


def test_an_incident_goes_one_way_and_every_act_leaves_a_line(store: Store) -> None:
    row = make_report(store)
    with store.act(LEAD) as act, pytest.raises(ConflictError, match="assess it first"):
        close(act, row.id, outcome="mended", note=FOUND)
    with store.act(LEAD) as act, pytest.raises(ConflictError, match="assess it first"):
        open_ground(act, row.id)
    with store.act(LEAD) as act:
        assess(act, row.id, severity="catastrophic", hazard="H01", note=FOUND)
    with store.act(LEAD) as act, pytest.raises(RefusedError, match="regression case first"):
        close(act, row.id, outcome="mended", note=FOUND)
    with store.act(LEAD) as act:
        note_case(act, row.id, "clinic-incident-1", "emergency")
    with store.act(LEAD) as act, pytest.raises(ConflictError, match="written before"):
        open_ground(act, row.id)
    with store.act(LEAD) as act:
        told = read(act, row.id)
        close(act, row.id, outcome="regression case", note=FOUND)
    assert (told.report, told.assessment, told.conclusion, told.reporter) == (WORDS, FOUND, "", "nurse-1")
    with store.act(LEAD) as act, pytest.raises(ConflictError, match="is closed"):
        assess(act, row.id, severity="minor", hazard="H02", note=FOUND)
    with store.act(LEAD) as act, pytest.raises(ConflictError, match="closed already"):
        close(act, row.id, outcome="mended", note=FOUND)
    done = ["incident.report", "incident.assess", "incident.case", "incident.read", "incident.close"]
    assert lines(store, row.id) == list(zip(done, ["nurse-1", "lead", "lead", "lead", "lead"], strict=True))
    with store.look(LEAD) as act:
        (only,) = list_incidents(act)
    assert only == Incident(
        id=row.id,
        visit=row.visit_id,
        at=NOON,
        kind="missed emergency",
        severity="catastrophic",
        state="closed",
        hazard="H01",
        outcome="regression case",
        case="clinic-incident-1",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_wrong_level_owes_a_test_case_and_a_reason_frees_it(store: Store, kind: str) -> None:
    row = make_report(store, kind)
    with store.act(LEAD) as act:
        assess(act, row.id, severity="minor", hazard="H02", note=FOUND)
    if kind in NEEDS_CASE:
        with store.act(LEAD) as act, pytest.raises(RefusedError, match="regression case first"):
            close(act, row.id, outcome="mended", note=FOUND)
        with store.act(LEAD) as act:
            assert close(act, row.id, outcome="no fault of the software", note=FOUND).state == "closed"
        return
    with store.act(LEAD) as act:
        assert close(act, row.id, outcome="mended", note=FOUND).state == "closed"


def test_what_was_written_is_sealed_and_goes_with_the_patients_key(store: Store) -> None:
    row = make_report(store, "privacy")
    with store.act(LEAD) as act:
        assess(act, row.id, severity="minor", hazard="H12", note=FOUND)
    with store.engine.connect() as connection:
        raw = connection.execute(text("SELECT * FROM incidents")).one()
        logged = connection.execute(text("SELECT detail FROM audit")).scalars().all()
    assert b"chest" not in b"".join(value for value in map(bytes_of, raw))
    assert not [detail for detail in logged if "chest" in detail or "Bell" in detail]
    with store.act(SERVICE) as act:
        visit = act.session.get_one(Visit, row.visit_id)
        visit.state = "left"
        shred(act, visit.patient_id, "patient asked")
    with store.act(LEAD) as act, pytest.raises(GuardError, match="key was destroyed"):
        read(act, row.id)
    with store.act(NURSE) as act, pytest.raises(RefusedError, match="on paper"):
        report(act, row.visit_id, "other", "minor", WORDS)
    with store.look(LEAD) as act:
        assert [each.id for each in list_incidents(act)] == [row.id], "the count stays"


def bytes_of(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def test_nonsense_is_refused_with_the_choice(store: Store) -> None:
    visit, _ = make_drafted(store)
    wrong = [
        ("sabotage", "minor", WORDS, "choose what kind"),
        ("other", "awful", WORDS, "choose how bad"),
        ("other", "minor", "  short ", "write in 10"),
        ("other", "minor", "x" * 4001, "write in 10"),
    ]
    for kind, severity, said, why in wrong:
        with store.act(NURSE) as act, pytest.raises(RefusedError, match=why):
            report(act, visit.id, kind, severity, said)
    with store.act(NURSE) as act, pytest.raises(ConflictError, match="no such visit"):
        report(act, "nowhere", "other", "minor", WORDS)
    with store.look(LEAD) as act:
        assert list_incidents(act) == []


def test_the_ground_is_the_contact_as_it_was_signed(store: Store) -> None:
    review = sign_it(store, "vital signs", Acuity.HIGH)
    with store.act(NURSE) as act:
        row = report(act, review.visit_id, "wrong level", "critical", WORDS)
    with store.act(LEAD) as act:
        assess(act, row.id, severity="critical", hazard="H02", note=FOUND)
        visit = act.session.get_one(Visit, review.visit_id)
        later = make_case("something told after the signature")
        visit.case = act.seal(visit.patient_id, f"visits|case|{visit.id}", later.model_dump_json())
    with store.act(LEAD) as act:
        ground = open_ground(act, row.id)
    assert ground.case.complaint == make_case().complaint and ground.link.family == "Bell"
    assert ground.incident.state == "assessed"


def test_lists_and_export_hold_codes_alone(store: Store, tmp_path: Path) -> None:
    rows = [make_report(store, kind) for kind in ("other", "privacy")]
    with store.act(LEAD) as act:
        assess(act, rows[0].id, severity="minor", hazard="H02", note=FOUND)
    with store.look(LEAD) as act:
        assert [each.id for each in list_incidents(act, ("open",))] == [rows[1].id]
        assert [each.id for each in list_incidents(act, (), rows[0].visit_id)] == [rows[0].id]
    with store.act(LEAD) as act:
        found = export(act)
    path = tmp_path / "incidents.json"
    path.write_text(write_export(found))
    assert rows[0].visit_id not in path.read_text() and "Bell" not in path.read_text()
    assert set(json.loads(path.read_text())["incidents"][0]) == set(Incident.model_fields) - {"visit"}
    back = read_export(path)
    assert [each.model_copy(update={"visit": ""}) for each in found] == list(back)
    assert {hazard: dict(states) for hazard, states in count_by_hazard(back).items()} == {
        "": {"open": 1},
        "H02": {"assessed": 1},
    }
    path.write_text('{"incidents": [{"id": 1, "note": "Bell"}]}')
    with pytest.raises(InputError, match="no export") as caught:
        read_export(path)
    assert "Bell" not in str(caught.value)


@given(
    st.lists(st.tuples(st.sampled_from(SEVERITIES), st.sampled_from(KINDS), st.sampled_from([None, "H01", "H09"])))
)
def test_every_incident_is_counted_once(told: list[tuple[str, str, str | None]]) -> None:
    found = [
        Incident.model_validate(
            {"id": str(n), "at": NOON, "kind": kind, "severity": severity, "state": "open", "hazard": hazard}
        )
        for n, (severity, kind, hazard) in enumerate(told)
    ]
    counts = count_by_hazard(found)
    assert sum(each.total() for each in counts.values()) == len(found)
    assert all(counts[hazard or ""]["open"] for _, _, hazard in told)
