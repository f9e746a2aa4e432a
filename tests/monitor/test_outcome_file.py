"""A clinic's own list of outcomes: what is taken, what is refused by its line, and that no content is quoted."""

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from prescreen.cli import app
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Later
from prescreen.clinic.signed import PatientLink
from prescreen.errors import InputError
from prescreen.monitor.outcome_file import KINDS, Reject, Told, read_outcome_file
from prescreen.store.base import Store
from prescreen.store.loop_tables import Outcome
from prescreen.store.outcomes import Known, count_outcomes, read_outcomes, take_outcome
from prescreen.store.patients import write_link
from prescreen.store.people import AuditLine
from prescreen.store.retention import shred
from prescreen.store.tables import Review, Visit
from store.desk import NOON, NURSE, SERVICE, StoppedClock, make_store
from store.test_visits import sign_it

SECRET = "Lindqvist"
HOUR = datetime.timedelta(hours=1)


def read(folder: Path, text: str, zone: str = "UTC") -> list[Told | Reject]:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return list(read_outcome_file(path, zone))


def test_lines_are_read_with_either_sign_between_cells(tmp_path: Path) -> None:
    at = datetime.datetime(2026, 11, 26, 13, 30, tzinfo=datetime.UTC)
    told = Told(2, "v1", "", Later(kind="emergency visit", at=at, level=Acuity.HIGH))
    assert read(tmp_path, "visit,kind,time\nv1,Emergency visit,2026-11-26 14:30\n", "Europe/Berlin") == [told]
    assert read(tmp_path, "\ufeffKind;Visit;Time\r\nemergency visit;v1;2026-11-26T13:30Z\r\n") == [told]
    assert read(tmp_path, "visit,kind,time,level\n\nv1,died,2026-11-26 13:30,low\nv2,nothing,,\n") == [
        Told(3, "v1", "", Later(kind="died", at=at, level=Acuity.LOW)),
        Told(4, "v2", "", None),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"{SECRET},,fell,2026-11-26 14:30,", "kind must be one of"),
        (f"{SECRET},,died,yesterday,", "time must look like"),
        (f"{SECRET},,died,2026-11-26,", "time must look like"),
        (f"{SECRET},{SECRET},died,2026-11-26 14:30,", "one of the two"),
        (",,died,2026-11-26 14:30,", "one of the two"),
        (f"{SECRET},,died,2026-11-26 14:30,worst", "level must be one of"),
        (f"{SECRET},,died", "another number of cells"),
    ],
)
def test_a_line_that_does_not_fit_is_named_without_its_content(tmp_path: Path, line: str, why: str) -> None:
    head = "visit,identifier,kind,time,level"
    found = read(tmp_path, f"{head}\n{line}\nv,,came again,2026-11-26 14:30,\n")
    assert isinstance(found[0], Reject) and why in found[0].why and found[0].line == 2
    assert SECRET not in found[0].why and isinstance(found[1], Told)


@pytest.mark.parametrize(
    "text", ["", "visit,kind\n", "visit,kind,time,name\n", "kind,kind,time\n", 'visit,kind,time\n"x,died,2026\n']
)
def test_a_file_that_is_no_such_list_is_refused_whole(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        read(tmp_path, text)
    (tmp_path / "list.csv").write_bytes("visit,kind,time\né".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        list(read_outcome_file(tmp_path / "list.csv"))
    with pytest.raises(InputError, match="time zone"):
        read(tmp_path, "visit,kind,time\n", "../etc/passwd")


@given(st.lists(st.text(st.characters(exclude_characters='"\r\n\x00', exclude_categories=("Cs",)), max_size=12)))
def test_any_cells_are_taken_or_refused_and_never_a_fault(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    path = tmp_path_factory.mktemp("list") / "list.csv"
    path.write_text("visit,identifier,kind,time,level\n" + ",".join(cells) + "\n", encoding="utf-8")
    for row in read_outcome_file(path):
        assert isinstance(row, Told | Reject)
        if isinstance(row, Told):
            assert row.later is None or row.later.kind in KINDS


@pytest.fixture
def store(tmp_path: Path):
    store = make_store(tmp_path)
    yield store
    store.close()


def take(store: Store, folder: Path, *lines: str, code: int) -> list[str]:
    path = folder / "list.csv"
    path.write_text("\n".join(("visit,identifier,kind,time,level", *lines)) + "\n")
    data = ["--data", str(folder / "clinic"), "--keys", str(folder / "keys"), "--by", "Nora"]
    done = CliRunner().invoke(app, ["outcomes", "import", str(path), *data])
    assert done.exit_code == code, done.output
    return done.output.splitlines()


def known(store: Store, review: Review) -> Known | None:
    with store.look(SERVICE) as act:
        return read_outcomes(act, [review.visit_id]).get(review.visit_id)


def test_a_list_is_taken_by_visit_and_by_patient_and_twice_is_once(store: Store, tmp_path: Path) -> None:
    first, second, third = sign_it(store), sign_it(store), sign_it(store)
    with store.act(NURSE) as act:
        visit = act.session.get_one(Visit, second.visit_id)
        write_link(act, visit, PatientLink(identifier_system="urn:mrn", identifier="77", family=SECRET))
        visit = act.session.get_one(Visit, third.visit_id)
        write_link(act, visit, PatientLink(identifier="78", family=SECRET))
    lines = (
        f"{first.visit_id},,admission,{(NOON + HOUR).isoformat()},",
        f",urn:mrn|77,emergency visit,{(NOON + 72 * HOUR).isoformat()},medium",
        f"{first.visit_id},,emergency visit,{(NOON + 2 * HOUR).isoformat()},",
        f",78,died,{(NOON + HOUR).isoformat()},",
    )
    for _ in range(2):
        assert take(store, tmp_path, *lines, code=0) == ["4 lines noted, 0 not taken"]
        assert known(store, first) == Known(True, Later(kind="admission", at=NOON + HOUR, level=Acuity.HIGH))
        at = NOON + 72 * HOUR
        assert known(store, second) == Known(True, Later(kind="emergency visit", at=at, level=Acuity.MEDIUM))
    data = ["--data", str(tmp_path / "clinic"), "--keys", str(tmp_path / "keys")]
    counted = CliRunner().invoke(app, ["outcomes", "count", *data])
    assert counted.output.strip() == "3 found, 0 nothing, 0 unknown, 0 asked"
    with store.look(SERVICE) as act:
        told = [row for row in act.session.query(AuditLine) if row.action == "outcome.told"]
    assert {row.thing for row in told} == {first.visit_id, second.visit_id, third.visit_id} and told[
        0
    ].actor == "Nora"
    assert not any("admission" in row.detail or SECRET in row.detail for row in told)


def test_what_does_not_fit_a_visit_changes_nothing(store: Store, tmp_path: Path) -> None:
    review, gone = sign_it(store), sign_it(store, channels=())
    with store.act(SERVICE) as act:
        shred(act, act.session.get_one(Visit, gone.visit_id).patient_id, "patient asked")
    edge = datetime.timedelta(seconds=1)
    told = take(
        store,
        tmp_path,
        f"{review.visit_id},,died,{NOON.isoformat()},",
        f"{review.visit_id},,died,{(NOON + 72 * HOUR + edge).isoformat()},",
        f"{SECRET},,died,{(NOON + HOUR).isoformat()},",
        f",{SECRET},died,{(NOON + HOUR).isoformat()},",
        f",{SECRET},nothing,,",
        f"{gone.visit_id},,died,{(NOON + HOUR).isoformat()},",
        code=1,
    )
    named = [line.partition(":")[0] for line in told]
    assert named == [*(f"line {number}" for number in range(2, 8)), "0 lines noted, 6 not taken"]
    assert SECRET not in "".join(told) and review.visit_id not in "".join(told)
    with store.look(SERVICE) as act:
        assert count_outcomes(act) == {}


def test_nothing_is_believed_after_the_time_is_over_and_not_against_a_finding(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    clock.now = datetime.datetime.now(datetime.UTC) - 80 * HOUR  # the verb has the real clock
    review = sign_it(store)
    clock.pass_by(hours=75)
    young = sign_it(store)
    lines = (f"{young.visit_id},,nothing,,", f"{review.visit_id},,nothing,,")
    told = take(store, tmp_path, *lines, code=1)
    assert told[0].startswith("line 2: the 72 hours are not over") and told[-1] == "1 lines noted, 1 not taken"
    assert known(store, review) == Known(True, None) and known(store, young) is None
    come = f"{review.visit_id},,came again,{(review.at + HOUR).isoformat()},"
    told = take(store, tmp_path, come, lines[1], code=1)
    assert told[0].startswith("line 3: something is known to have happened")
    assert known(store, review) == Known(True, Later(kind="came again", at=review.at + HOUR, level=Acuity.LOW))
    with store.act(SERVICE) as act:
        assert take_outcome(act) is None, "what a person told is not asked of the record"
        assert act.session.get_one(Outcome, review.visit_id).source == "file"
    store.close()
