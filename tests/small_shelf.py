"""What every shelf must do, whatever keeps it: pass a fresh one to each of `RULES`."""

import datetime
from collections.abc import Callable

import pytest

from prescreen.ehr.shelf import Bound, Keys, Query, Shelf, ShelfConflict, Stored

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


def stored(id: str = "a", version: int = 1, minutes: int = 0, kind: str = "Patient", **body: object) -> Stored:
    return Stored(kind, id, version, NOON + datetime.timedelta(minutes=minutes), {"resourceType": kind, **body})


def keeps_every_version(shelf: Shelf) -> None:
    for version in (1, 2, 3):
        shelf.put(stored(version=version, minutes=version, n=version), Keys())
    assert shelf.get("Patient", "a") == stored(version=3, minutes=3, n=3)
    assert shelf.get("Patient", "a", 2) == stored(version=2, minutes=2, n=2)
    assert shelf.get("Patient", "a", 4) is None
    assert shelf.get("Patient", "b") is None
    assert shelf.get("Task", "a") is None
    assert [s.version for s in shelf.history("Patient", "a")] == [3, 2, 1]
    assert shelf.history("Patient", "b") == []


def refuses_a_version_out_of_turn(shelf: Shelf) -> None:
    with pytest.raises(ShelfConflict):
        shelf.put(stored(version=2), Keys())
    shelf.put(stored(), Keys())
    for version in (1, 3):
        with pytest.raises(ShelfConflict):
            shelf.put(stored(version=version), Keys())
    assert len(shelf.history("Patient", "a")) == 1


def forgets_all_of_a_failed_transaction(shelf: Shelf) -> None:
    shelf.put(stored(), Keys((("s", "1"),)))
    with pytest.raises(RuntimeError), shelf.transaction():
        shelf.put(stored(version=2), Keys((("s", "2"),)))
        with shelf.transaction():
            shelf.put(stored("b"), Keys())
        assert shelf.get("Patient", "b") is not None
        raise RuntimeError
    assert shelf.get("Patient", "b") is None
    assert [s.version for s in shelf.history("Patient", "a")] == [1]
    assert shelf.search(Query("Patient", identifier=("s", "1"))).total == 1
    assert shelf.search(Query("Patient", identifier=("s", "2"))).total == 0


def searches_by_identifier(shelf: Shelf) -> None:
    shelf.put(stored("a"), Keys((("s", "1"), ("t", "2"))))
    shelf.put(stored("b"), Keys((("", "1"),)))
    shelf.put(stored("c", kind="Task"), Keys((("s", "1"),)))
    for asked, ids in ((("s", "1"), ["a"]), (("", "1"), ["b"]), ((None, "1"), ["a", "b"]), (("t", "1"), [])):
        assert [s.id for s in shelf.search(Query("Patient", identifier=asked)).page] == ids, asked


def searches_the_newest_version_only(shelf: Shelf) -> None:
    shelf.put(stored(), Keys((("s", "1"),), "Patient/p"))
    shelf.put(stored(version=2), Keys((("s", "2"),), "Patient/q"))
    assert shelf.search(Query("Patient", identifier=("s", "1"))).total == 0
    assert shelf.search(Query("Patient", patient="Patient/p")).total == 0
    assert shelf.search(Query("Patient", patient="Patient/q")).page == [stored(version=2)]


def searches_by_time_id_and_page(shelf: Shelf) -> None:
    for number in range(5):
        shelf.put(stored(f"i{number}", minutes=number), Keys())
    noon = NOON + datetime.timedelta(minutes=2)
    sides = {"ge": [2, 3, 4], "gt": [3, 4], "le": [0, 1, 2], "lt": [0, 1]}
    for side, numbers in sides.items():
        found = shelf.search(Query("Patient", updated=(Bound(side, noon),)))  # type: ignore[arg-type]
        assert [s.id for s in found.page] == [f"i{n}" for n in numbers], side
    assert [s.id for s in shelf.search(Query("Patient", ids=("i1", "i9"))).page] == ["i1"]
    total, page = shelf.search(Query("Patient", offset=3, limit=1))
    assert (total, [s.id for s in page]) == (5, ["i3"])


RULES: list[Callable[[Shelf], None]] = [
    keeps_every_version,
    refuses_a_version_out_of_turn,
    forgets_all_of_a_failed_transaction,
    searches_by_identifier,
    searches_the_newest_version_only,
    searches_by_time_id_and_page,
]
