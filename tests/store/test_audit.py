"""The audit log tells of every change: any line edited, deleted, put in, moved or cut off is found and named."""

import csv
import json
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from prescreen.errors import InputError
from prescreen.store.anchors import read_anchor, take_checkpoint
from prescreen.store.audit import Verdict, verify
from prescreen.store.base import Store
from prescreen.store.extract import export, read_visit
from prescreen.store.holding import claim, release
from prescreen.store.people import AuditLine
from store.desk import NURSE, SERVICE, make_store, make_waiting


def fill(store: Store, anchor: Path) -> str:
    """Thirty lines, checkpoints after ten, twenty and at the end, all anchored; the visit they are of."""
    visit = make_waiting(store)
    for number in range(30):
        with store.act(NURSE) as act:
            claim(act, visit.id) if number % 2 == 0 else release(act, visit.id)
        if number % 10 == 9:
            assert take_checkpoint(store, anchor)
    return visit.id


def change(store: Store, *statements: str) -> None:
    with store.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_a_whole_log_is_whole_and_is_named_so(store: Store, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor.jsonl"
    fill(store, anchor)
    verdict = verify(store, anchor, store.keys.public)
    assert verdict.whole and verdict.bad is None and (verdict.checkpoints, verdict.anchored) == (3, 3)
    assert str(verdict.lines) in verdict.sentence


COLUMNS = ("at", "actor", "role", "action", "thing", "outcome", "detail", "mac")


@pytest.mark.parametrize("column", COLUMNS)
def test_an_edit_of_any_column_names_its_line(store: Store, tmp_path: Path, column: str) -> None:
    fill(store, tmp_path / "anchor.jsonl")
    value = "'2026-11-26 12:00:01'" if column == "at" else "'x'"
    change(store, f"UPDATE audit SET {column} = {value} WHERE number = 7")
    assert verify(store).bad == 7


def renumber(*moves: tuple[int, int]) -> list[str]:
    return [f"UPDATE audit SET number = {new} WHERE number = {old}" for old, new in moves]


COPIED = "at, actor, role, action, thing, outcome, detail, mac"


@pytest.mark.parametrize(
    ("statements", "bad"),
    [
        (["DELETE FROM audit WHERE number = 9"], 9),
        (["UPDATE audit SET number = 900 WHERE number = 9"], 9),
        ([f"INSERT INTO audit (number, {COPIED}) SELECT -3, {COPIED} FROM audit WHERE number = 9"], 1),
        (
            [
                f"UPDATE audit SET number = {new} WHERE number = {old}"
                for old, new in ((9, 700), (10, 9), (700, 10))
            ],
            9,
        ),
    ],
    ids=["delete", "move", "insert", "swap"],
)
def test_cuts_inserts_and_moves_name_their_line(
    store: Store, tmp_path: Path, statements: list[str], bad: int
) -> None:
    fill(store, tmp_path / "anchor.jsonl")
    change(store, *statements)
    assert verify(store, tmp_path / "anchor.jsonl").bad == bad


def test_a_truncated_log_is_found_by_head_seal_checkpoint_and_anchor(store: Store, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor.jsonl"
    fill(store, anchor)
    lines = verify(store).lines
    change(store, f"DELETE FROM audit WHERE number > {lines - 2}")
    assert verify(store).bad == lines - 1
    fit = f"UPDATE audit_head SET number = {lines - 2}, mac = (SELECT mac FROM audit WHERE number = {lines - 2})"
    change(store, fit)
    assert verify(store).bad == lines - 1, "the head's seal does not fit"
    change(store, "DELETE FROM audit WHERE number > 16", "DELETE FROM checkpoints WHERE number > 16")
    change(store, f"UPDATE audit_head SET number = 16, mac = '{mac_of(store, 16)}'")
    forge_head(store, 16)  # as if an older copy of the head had been kept
    assert verify(store).whole, "nothing inside the database tells: this is what the anchor is for"
    verdict = verify(store, anchor)
    assert verdict.bad == 17 and "cut off" in verdict.sentence


def mac_of(store: Store, number: int) -> str:
    with store.look(SERVICE) as act:
        return act.session.get_one(AuditLine, number).mac


def forge_head(store: Store, number: int) -> None:
    change(store, f"UPDATE audit_head SET seal = '{store.keys.seal_head(number, mac_of(store, number))}'")


def test_a_cut_that_was_written_over_stays_visible(store: Store, tmp_path: Path) -> None:
    """Who cuts lines off and lets the clinic work on is found, though the new lines are whole."""
    visit = fill(store, tmp_path / "anchor.jsonl")
    change(store, "DELETE FROM audit WHERE number > 16", "DELETE FROM checkpoints WHERE number > 16")
    change(store, f"UPDATE audit_head SET number = 16, mac = '{mac_of(store, 16)}'")
    with store.act(NURSE) as act:
        claim(act, visit)
    verdict = verify(store)
    assert verdict.bad == 17 and "before it" in verdict.sentence


def test_a_log_cut_to_nothing_is_found(store: Store) -> None:
    make_waiting(store)
    change(store, "DELETE FROM audit", f"UPDATE audit_head SET number = 0, mac = '{'0' * 64}'")
    assert not verify(store).whole


def test_a_checkpoint_of_another_key_or_gone_is_found(store: Store, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor.jsonl"
    fill(store, anchor)
    assert not verify(store, public_key=Ed25519PrivateKey.generate().public_key()).whole
    first = next(read_anchor(anchor)).number
    change(store, f"DELETE FROM checkpoints WHERE number = {first}")
    assert verify(store).bad == first + 1
    forged = anchor.read_text().replace(f'"number": {first}', f'"number": {first + 1}', 1)
    anchor.write_text(forged)
    assert "not signed" in verify(store, anchor).sentence


def test_an_anchor_catches_up_and_outlives_a_torn_line(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    anchor = tmp_path / "away" / "anchor.jsonl"
    make_waiting(store)
    assert take_checkpoint(store) and take_checkpoint(store) is None, "nothing new: no new checkpoint"
    make_waiting(store)
    assert take_checkpoint(store, anchor)
    assert len(anchor.read_text().splitlines()) == 2
    whole = anchor.read_text()
    anchor.write_text(whole[:-40])
    take_checkpoint(store, anchor)
    assert [mark.number for mark in read_anchor(anchor)] == [
        json.loads(line)["number"] for line in whole.splitlines()
    ]
    assert verify(store, anchor).anchored == 2
    anchor.write_text("{}\n" + whole)
    with pytest.raises(InputError, match="changed"):
        list(read_anchor(anchor))
    assert not verify(store, anchor).whole
    store.close()


def test_every_some_lines_a_checkpoint(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_waiting(store)
    assert take_checkpoint(store, every=50) is None
    assert take_checkpoint(store, every=3)
    store.close()


def test_export_and_one_visit(store: Store, tmp_path: Path) -> None:
    visit = fill(store, tmp_path / "anchor.jsonl")
    count = export(store, tmp_path / "log.jsonl", "jsonl")
    assert export(store, tmp_path / "log.csv", "csv") == count == verify(store).lines
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["number"] for line in lines] == list(range(1, count + 1))
    with (tmp_path / "log.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == count + 1
    assert (
        "sore throat" not in (tmp_path / "log.jsonl").read_text()
        and "Bell" not in (tmp_path / "log.csv").read_text()
    )
    with store.look(SERVICE) as act:
        shown = read_visit(act, visit)
    assert len(shown) == 33 and shown[0].action == "visit.open" and {line.thing for line in shown} == {visit}
    with pytest.raises(InputError):
        export(store, tmp_path / "log.csv", "csv")


# Any single tampering, on a copy:


class Victim:
    """A log in a file, and copies of it to spoil."""

    def __init__(self, folder: Path) -> None:
        self.store = make_store(folder)
        self.anchor = folder / "anchor.jsonl"
        fill(self.store, self.anchor)
        with self.store.act(SERVICE) as act:
            act.log("after.the.last.checkpoint")
        assert verify(self.store).lines == 37
        with self.store.engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
        self.file = Path(str(self.store.engine.url.database))
        self.bytes = self.file.read_bytes()
        self.store.close()
        self.count = 0

    def spoil(self, *statements: str, anchored: bool) -> Verdict:
        self.store.close()
        for journal in self.file.parent.glob("*-*"):
            journal.unlink()
        self.file.write_bytes(self.bytes)
        connection = sqlite3.connect(self.file, isolation_level=None)
        try:
            for statement in statements:
                connection.execute(statement)
            self.count = connection.total_changes
        finally:
            connection.close()
        return verify(self.store, self.anchor if anchored else None)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    return Victim(tmp_path_factory.mktemp("victim"))


WEIRD = st.sampled_from(["x'00ff'", "''", "'2026-13-45'", "-1", "NULL", "1e999", "'0'", "'{\"number\":3}'"])


@st.composite
def tamperings(draw: st.DrawFn) -> tuple[list[str], bool]:
    """One spoiling of a log of 37 lines by SQL, and whether only the anchor can tell."""
    a, b = draw(st.integers(1, 37)), draw(st.integers(1, 37))
    kind = draw(st.sampled_from(["edit", "move", "delete", "insert", "swap", "tail", "head", "mark", "cut"]))
    column = draw(st.sampled_from(COPIED.split(", ")))
    if kind == "edit":
        value = draw(st.one_of(WEIRD.filter(lambda v: v != "NULL"), st.just(f"{column} || ' '")))
        return [f"UPDATE audit SET {column} = {value} WHERE number = {a}"], False
    if kind == "move":
        return [f"UPDATE audit SET number = {draw(st.sampled_from([-5, 0, 99, 10**12]))} WHERE number = {a}"], False
    if kind == "delete":
        return [f"DELETE FROM audit WHERE number BETWEEN {a} AND {draw(st.integers(a, 37))}"], False
    if kind == "insert":
        number = draw(st.sampled_from([-1, 0, 1000]))
        return [
            f"INSERT INTO audit (number, {COPIED}) SELECT {number}, {COPIED} FROM audit WHERE number = {a}"
        ], False
    if kind == "swap":
        b = b if a != b else a % 37 + 1
        return renumber((a, 777), (b, a), (777, b)), False
    if kind == "tail":
        cut = [f"DELETE FROM audit WHERE number > {a - 1}"]
        return cut + ["UPDATE audit_head SET number = (SELECT max(number) FROM audit)"] * draw(
            st.integers(0, 1)
        ), False
    if kind == "head":
        column, value = draw(
            st.sampled_from([("number", str(a - 1)), ("mac", f"'{a:064x}'"), ("seal", f"'{a:064x}'")])
        )
        return [f"UPDATE audit_head SET {column} = {value}"], False
    if kind == "mark":
        return [
            draw(
                st.sampled_from(
                    [
                        "DELETE FROM checkpoints WHERE number = (SELECT min(number) FROM checkpoints)",
                        "DELETE FROM checkpoints WHERE number = (SELECT max(number) FROM checkpoints)",
                        "UPDATE checkpoints SET at = '2026-11-26 12:00:09'",
                        "UPDATE checkpoints SET mac = (SELECT mac FROM audit WHERE number = 2)",
                        "UPDATE checkpoints SET number = number + 1",
                        "UPDATE checkpoints SET signature = 'zz'",
                        "INSERT INTO checkpoints SELECT 2, at, mac, signature FROM checkpoints LIMIT 1",
                        "UPDATE checkpoints SET at = 'never'",
                    ]
                )
            )
        ], False
    return [
        f"DELETE FROM audit WHERE number > {a - 1}",
        f"DELETE FROM checkpoints WHERE number > {a - 1}",
        f"UPDATE audit_head SET number = {a - 1}",
        f"UPDATE audit_head SET mac = coalesce((SELECT mac FROM audit WHERE number = {a - 1}), '')",
    ], True


@given(tampering=tamperings(), anchored=st.booleans())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tampering_is_caught(victim: Victim, tampering: tuple[list[str], bool], anchored: bool) -> None:
    statements, only_anchor = tampering
    try:
        verdict = victim.spoil(*statements, anchored=anchored or only_anchor)
    except sqlite3.IntegrityError:
        return  # the database itself refused
    assert victim.count, "the tampering changed nothing: the test is wrong"
    assert not verdict.whole, statements
    assert verdict.sentence.endswith(("gone", "all", "read", "in", "it", "of", "clinic", "off", "were")), verdict
