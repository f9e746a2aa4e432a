"""The ledger: any edit, deletion, reordering, insertion or truncation is found, and named by its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.shelves import ADMIN, DOCTOR, make_shelf
from prescreen.errors import GuardError
from prescreen.monitor.ledger import NAME, Ledger, Line, check_lines, compare_notes, read_lines
from prescreen.store.audit import verify
from prescreen.store.base import Store
from prescreen.store.releases import list_notes
from store.desk import SERVICE, StoppedClock, make_store

DEEDS = ("proposed", "shadow began", "shadow judged", "approved", "promoted")


def fill(folder: Path, store: Store | None) -> Ledger:
    ledger = Ledger(folder, store.clock if store else StoppedClock(), store)
    for number, deed in enumerate(DEEDS):
        ledger.append(deed, DOCTOR if number % 2 else ADMIN, "ab" * 32, visits=number)  # type: ignore[arg-type]
    return ledger


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    root = tmp_path_factory.mktemp("ledger")
    return fill(root / "releases", make_store(root))


def test_every_line_is_signed_chained_and_in_the_audit_log(signed: Ledger) -> None:
    verdict = signed.verify()
    assert verdict.whole and (verdict.lines, verdict.signed) == (5, 5)
    assert signed.store is not None and verify(signed.store).whole
    with signed.store.look(SERVICE) as look:
        assert [note.hash for note in list_notes(look)] == [line.hash for line in signed.read()]
    assert len({line.hash for line in signed.read()}) == 5


def test_without_a_store_it_is_chained_and_says_that_nobody_signed(tmp_path: Path) -> None:
    verdict = fill(tmp_path, None).verify()
    assert verdict.whole and verdict.signed == 0 and "0 signed" in verdict.sentence


@given(st.data())
def test_whatever_is_done_to_the_file_is_found(signed: Ledger, data: st.DataObject) -> None:
    """Edit, delete, swap, repeat or cut: against the chain, the signatures and the audit log."""
    assert signed.store is not None
    whole = signed.path.read_text()
    lines = whole.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    way = data.draw(st.sampled_from(["edit", "rehash", "delete", "swap", "repeat", "cut", "tear"]))
    if way in ("edit", "rehash"):
        told = json.loads(lines[at])
        told |= {data.draw(st.sampled_from(["who", "role", "release"])): "another"}
        if way == "rehash":  # as somebody does who knows the chain and has no key
            told["hash"] = Line.model_validate(told).chained()
        lines[at] = json.dumps(told) + "\n"
    elif way == "delete":
        del lines[at]
    elif way == "swap":
        lines[at], lines[at - 1] = lines[at - 1], lines[at]
    elif way == "repeat":
        lines.insert(at, lines[at])
    elif way == "cut":
        del lines[at:]
    else:
        lines[-1] = lines[-1][: data.draw(st.integers(0, len(lines[-1]) - 1))]
    text = "".join(lines)
    signed.path.write_text(text)
    try:
        verdict = signed.verify()
    finally:
        signed.path.write_text(whole)
    assert not verdict.whole, verdict


def test_the_chain_alone_cannot_see_a_cut_and_the_audit_log_can(signed: Ledger) -> None:
    whole = signed.path.read_text()
    signed.path.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    try:
        assert signed.store is not None
        assert check_lines(signed.path, signed.store.keys.public).whole
        verdict = signed.verify()
        assert not verdict.whole and "cut off" in verdict.sentence and verdict.bad == 5
    finally:
        signed.path.write_text(whole)


def test_a_line_of_another_clinic_is_refused(signed: Ledger, tmp_path: Path) -> None:
    other = fill(tmp_path / "releases", make_store(tmp_path))
    other.path.write_text(signed.path.read_text())
    with pytest.raises(GuardError, match="line 1 was not signed by this clinic"):
        other.read()


def test_what_a_power_cut_left_is_no_line_and_goes_with_the_next(tmp_path: Path) -> None:
    ledger = fill(tmp_path / "releases", make_store(tmp_path))
    with ledger.path.open("a") as handle:
        handle.write('{"number": 6, "at"')
    assert len(ledger.read()) == 5 and ledger.verify().whole
    ledger.append("held", ADMIN, "")
    assert [line.number for line in ledger.read()] == [1, 2, 3, 4, 5, 6] and ledger.verify().whole


def test_a_line_whose_act_failed_is_taken_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path)
    ledger = fill(tmp_path / "releases", store)
    before = ledger.path.read_text()
    from prescreen.store.base import Act

    def fail(_act: Act) -> None:
        raise OSError("the disk of the database is full")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(Act, "write_lines", fail)
        ledger.append("promoted", ADMIN, "cd" * 32)
    assert ledger.path.read_text() == before and ledger.verify().whole


def test_a_line_whose_writer_died_before_the_audit_log_had_it_is_noted_late(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    ledger = fill(tmp_path / "releases", store)
    with store.look(SERVICE) as look:
        notes = list_notes(look)[:-1]
    verdict = check_lines(ledger.path, store.keys.public)
    assert compare_notes(read_lines(ledger.path), notes, verdict).whole, "the last one may miss"
    assert not compare_notes(read_lines(ledger.path), notes[:-1], verdict).whole, "no other"


def test_a_signed_ledger_takes_no_unsigned_line(tmp_path: Path) -> None:
    fill(tmp_path / "releases", make_store(tmp_path))
    with pytest.raises(GuardError, match="signed by a clinic"):
        Ledger(tmp_path / "releases", StoppedClock()).append("promoted", ADMIN, "cd" * 32)
    assert NAME in {path.name for path in (tmp_path / "releases").iterdir()}
    assert make_shelf(tmp_path, signed=False).ledger.verify().whole
