"""A shelf of resource versions in the database, for a record system inside the service. Knows no FHIR: it finds
what it is given by keyed hashes and never reads it.

Bodies are sealed with the clinic's own key, not a patient's: most are written before anybody knows which of our
patients they are of, and one key opens the shelf after a move. Shredding a patient deletes the rows, all versions.
The caller brings its types of a version, a page and a conflict: `SqlShelf(store, Stored, Found, ShelfConflict)`.
"""

import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import local
from typing import Any, Final, Generic, Protocol, TypeVar

from sqlalchemy import Select, delete, func, select, update

from prescreen.store.base import Act, Store, Who
from prescreen.store.keys import Keys
from prescreen.store.tables import Resource, ResourceKey

RECORD: Final = Who("record", "service")
_LOCK: Final = 0x7368656C  # one writer at a time on a server
V = TypeVar("V", bound="Version")
F = TypeVar("F")


class Version(Protocol):
    """One version of a resource."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def updated(self) -> datetime.datetime: ...
    @property
    def body(self) -> dict[str, Any]: ...


class Names(Protocol):
    """What a resource is found by: identifiers as (system or "", value), and the "Patient/1" it belongs to."""

    @property
    def identifiers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def patient(self) -> str | None: ...


class Span(Protocol):
    """One end of a span of time: ge, gt, le or lt."""

    @property
    def side(self) -> Any: ...
    @property
    def moment(self) -> datetime.datetime: ...


class Wanted(Protocol):
    """A search among the newest versions; what is None does not narrow it."""

    @property
    def kind(self) -> str: ...
    @property
    def ids(self) -> tuple[str, ...] | None: ...
    @property
    def identifier(self) -> tuple[str | None, str] | None: ...
    @property
    def patient(self) -> str | None: ...
    @property
    def updated(self) -> Sequence[Span]: ...
    @property
    def offset(self) -> int: ...
    @property
    def limit(self) -> int: ...


class SqlShelf(Generic[V, F]):
    """All versions of all resources. Inside `transaction` puts stand or fall together and nobody else writes."""

    def __init__(
        self,
        store: Store,
        version: Callable[[str, str, int, datetime.datetime, dict[str, Any]], V],
        found: Callable[[int, list[V]], F],
        conflict: Callable[[str], Exception],
    ) -> None:
        self.store, self._version, self._found, self._conflict = store, version, found, conflict
        self._here = local()
        self._here.act = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One act of the store; within another it joins it."""
        with self._writing():
            yield

    def get(self, kind: str, id: str, version: int | None = None) -> V | None:
        """The newest version, or that one."""
        query = select(Resource).where(Resource.kind == kind, Resource.id == id)
        query = query.where(Resource.is_current if version is None else Resource.version == version)
        with self._reading() as act:
            row = act.session.scalar(query)
            return None if row is None else self._open(act, row)

    def put(self, stored: V, keys: Names) -> None:
        """Keep a version that follows the newest by one."""
        with self._writing() as act:
            newest = select(func.max(Resource.version)).where(
                Resource.kind == stored.kind, Resource.id == stored.id
            )
            if stored.version != (act.session.scalar(newest) or 0) + 1:
                raise self._conflict("the resource was changed meanwhile; read it again")
            self._write(act, stored, keys)
            act.log("record.put", f"{stored.kind}/{stored.id}", version=stored.version)

    def search(self, query: Wanted) -> F:
        """How many there are, and those of the page, oldest change first."""
        with self._reading() as act:
            wanted = _narrow(select(Resource), query, act.keys)
            total = act.session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
            page = wanted.order_by(Resource.at, Resource.id).offset(query.offset).limit(query.limit)
            return self._found(total, [self._open(act, row) for row in act.session.scalars(page)])

    def history(self, kind: str, id: str) -> list[V]:
        """All versions, newest first."""
        query = select(Resource).where(Resource.kind == kind, Resource.id == id)
        with self._reading() as act:
            rows = act.session.scalars(query.order_by(Resource.version.desc()))
            return [self._open(act, row) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[Act]:
        held: Act | None = self._here.__dict__.get("act")
        if held is not None:
            yield held
            return
        with self.store.act(RECORD) as act:
            if act.session.get_bind().dialect.name == "postgresql":
                act.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            self._here.act = act
            try:
                yield act
            finally:
                self._here.act = None

    @contextmanager
    def _reading(self) -> Iterator[Act]:
        held: Act | None = self._here.__dict__.get("act")
        if held is not None:
            yield held
            return
        with self.store.look(RECORD) as act:
            yield act

    def _write(self, act: Act, stored: V, keys: Names) -> None:
        kind, id = stored.kind, stored.id
        same = (Resource.kind == kind, Resource.id == id, Resource.is_current)
        act.session.execute(update(Resource).where(*same).values(is_current=False))
        body = json.dumps(stored.body, ensure_ascii=True, separators=(",", ":"))
        row = Resource(
            kind=kind,
            id=id,
            version=stored.version,
            at=stored.updated,
            is_current=True,
            subject=None if keys.patient is None else name_subject(act.keys, keys.patient),
            body=act.keys.seal_own(f"resources|body|{kind}/{id}/{stored.version}", body),
        )
        act.session.add(row)
        act.session.execute(delete(ResourceKey).where(ResourceKey.kind == kind, ResourceKey.id == id))
        looks = {name_identifier(act.keys, kind, system, value) for system, value in keys.identifiers}
        looks |= {name_identifier(act.keys, kind, None, value) for _, value in keys.identifiers}
        act.session.add_all(ResourceKey(kind=kind, look=look, id=id) for look in looks)
        act.session.flush()

    def _open(self, act: Act, row: Resource) -> V:
        told = act.keys.open_own(f"resources|body|{row.kind}/{row.id}/{row.version}", row.body)
        return self._version(row.kind, row.id, row.version, row.at, json.loads(told))


def name_subject(keys: Keys, reference: str) -> bytes:
    """What "Patient/1" is found by."""
    return keys.look("subject", reference)


def name_identifier(keys: Keys, kind: str, system: str | None, value: str) -> bytes:
    """What an identifier is found by; None stands for any system."""
    return keys.look("identifier", json.dumps([kind, system, value]))


def _narrow(query: Select[Any], wanted: Wanted, keys: Keys) -> Select[Any]:
    query = query.where(Resource.kind == wanted.kind, Resource.is_current)
    if wanted.ids is not None:
        query = query.where(Resource.id.in_(wanted.ids))
    if wanted.patient is not None:
        query = query.where(Resource.subject == name_subject(keys, wanted.patient))
    if wanted.identifier is not None:
        look = name_identifier(keys, wanted.kind, *wanted.identifier)
        named = select(ResourceKey.id).where(ResourceKey.kind == wanted.kind, ResourceKey.look == look)
        query = query.where(Resource.id.in_(named))
    for bound in wanted.updated:
        at, moment = Resource.at, bound.moment
        query = query.where(
            {"ge": at >= moment, "gt": at > moment, "le": at <= moment, "lt": at < moment}[bound.side]
        )
    return query
