"""The shelf in the database behaves as the one in memory does."""

import datetime
import threading
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prescreen.store.audit import verify
from prescreen.store.base import Store
from prescreen.store.shelf import SqlShelf
from store.desk import NOON


class Stored(NamedTuple):
    kind: str
    id: str
    version: int
    updated: datetime.datetime
    body: dict[str, Any]


class Names(NamedTuple):
    identifiers: tuple[tuple[str, str], ...] = ()
    patient: str | None = None


class Bound(NamedTuple):
    side: Literal["ge", "gt", "le", "lt"]
    moment: datetime.datetime


class Query(NamedTuple):
    kind: str
    ids: tuple[str, ...] | None = None
    identifier: tuple[str | None, str] | None = None
    patient: str | None = None
    updated: Sequence[Bound] = ()
    offset: int = 0
    limit: int = 100


class Found(NamedTuple):
    total: int
    page: list[Stored]


class Taken(Exception):
    pass


def make_shelf(store: Store) -> SqlShelf[Stored, Found]:
    return SqlShelf(store, Stored, Found, Taken)


def at(minutes: int) -> datetime.datetime:
    return NOON + datetime.timedelta(minutes=minutes)


def test_versions_follow_each_other(store: Store) -> None:
    shelf = make_shelf(store)
    first = Stored("Patient", "7", 1, at(0), {"name": "Bell ☎"})
    shelf.put(first, Names((("urn:mrn", "1"),), "Patient/7"))
    with pytest.raises(Taken):
        shelf.put(first, Names())
    with pytest.raises(Taken):
        shelf.put(first._replace(version=3), Names())
    second = first._replace(version=2, updated=at(1), body={})
    shelf.put(second, Names((("urn:mrn", "2"),), "Patient/7"))
    assert shelf.get("Patient", "7") == second and shelf.get("Patient", "7", 1) == first
    assert shelf.get("Patient", "8") is None and shelf.get("Task", "7") is None
    assert shelf.history("Patient", "7") == [second, first]
    assert shelf.search(Query("Patient", identifier=("urn:mrn", "1"))).total == 0, "only the newest is found"
    assert shelf.search(Query("Patient", identifier=("urn:mrn", "2"))) == Found(1, [second])


def test_a_transaction_stands_or_falls_and_joins(store: Store) -> None:
    shelf = make_shelf(store)
    row = Stored("Task", "1", 1, at(0), {})
    with pytest.raises(RuntimeError), shelf.transaction():
        shelf.put(row, Names())
        with shelf.transaction():
            shelf.put(row._replace(id="2"), Names())
        assert shelf.get("Task", "2") is not None
        raise RuntimeError
    assert shelf.search(Query("Task")).total == 0
    with shelf.transaction():
        shelf.put(row, Names())
    assert shelf.search(Query("Task")).total == 1 and verify(store).whole


def test_nobody_writes_between_reading_and_putting(store: Store) -> None:
    """If-None-Exist from many sides makes one resource."""
    shelf = make_shelf(store)
    faults: list[Exception] = []

    def create(number: int) -> None:
        try:
            with shelf.transaction():
                if shelf.search(Query("Patient", identifier=("urn:mrn", "1"))).total == 0:
                    shelf.put(Stored("Patient", str(number), 1, at(0), {}), Names((("urn:mrn", "1"),)))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == [] and shelf.search(Query("Patient")).total == 1


def test_bodies_are_sealed_and_identifiers_hashed(store: Store) -> None:
    shelf = make_shelf(store)
    shelf.put(Stored("Patient", "7", 1, at(0), {"name": "ZEBRAFISH"}), Names((("urn:mrn", "MRN-77"),), "Patient/7"))
    with store.engine.connect() as connection:
        for table in ("resources", "resource_keys", "audit"):
            told = repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert "ZEBRAFISH" not in told and "MRN-77" not in told


SYSTEMS = st.sampled_from(["", "urn:a", "urn:b"])
VALUES = st.sampled_from(["1", "2", "a|b"])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["Patient", "Task"]),
        st.sampled_from(["x", "y", "z"]),
        st.integers(0, 3),
        st.lists(st.tuples(SYSTEMS, VALUES), max_size=2).map(tuple),
        st.sampled_from([None, "Patient/x", "Patient/y"]),
    ),
    max_size=8,
)
QUERIES = st.builds(
    Query,
    st.sampled_from(["Patient", "Task"]),
    st.none() | st.lists(st.sampled_from(["x", "y", "q"]), max_size=2).map(tuple),
    st.none() | st.tuples(st.none() | SYSTEMS, VALUES),
    st.sampled_from([None, "Patient/x", "Patient/y"]),
    st.lists(
        st.builds(Bound, st.sampled_from(["ge", "gt", "le", "lt"]), st.integers(0, 3).map(at)), max_size=2
    ).map(tuple),
    st.integers(0, 2),
    st.integers(0, 3),
)


def matches(stored: Stored, names: Names, query: Query) -> bool:
    """The search as the protocol words it."""
    sides = {"ge": 1, "gt": 1, "le": -1, "lt": -1}
    within = all(
        (stored.updated == bound.moment and bound.side.endswith("e"))
        or (stored.updated - bound.moment) * sides[bound.side] > datetime.timedelta(0)
        for bound in query.updated
    )
    named = query.identifier is None or any(
        value == query.identifier[1] and query.identifier[0] in (None, system)
        for system, value in names.identifiers
    )
    return (
        stored.kind == query.kind
        and (query.ids is None or stored.id in query.ids)
        and query.patient in (None, names.patient)
        and named
        and within
    )


@given(rows=ROWS, queries=st.lists(QUERIES, min_size=1, max_size=4), run=st.integers(0, 10**9))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_search_finds_what_the_protocol_says(
    store: Store, rows: list[Any], queries: list[Query], run: int
) -> None:
    shelf = make_shelf(store)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM resources")
        connection.exec_driver_sql("DELETE FROM resource_keys")
    newest: dict[tuple[str, str], tuple[Stored, Names]] = {}
    for kind, id, minute, identifiers, patient in rows:
        before = newest.get((kind, id))
        stored = Stored(kind, id, before[0].version + 1 if before else 1, at(minute), {"n": minute})
        names = Names(identifiers, patient)
        shelf.put(stored, names)
        newest[kind, id] = stored, names
    for query in queries:
        wanted = [stored for stored, names in newest.values() if matches(stored, names, query)]
        wanted.sort(key=lambda stored: (stored.updated, stored.id))
        page = wanted[query.offset : query.offset + query.limit]
        assert shelf.search(query) == Found(len(wanted), page)
