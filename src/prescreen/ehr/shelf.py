"""Where the embedded record keeps its resources: what a store must do, and one in memory. Knows no FHIR rule.

Every version is kept. A store holds what it is given and finds it by the keys it was given with; it never reads a
resource, so it may seal them.
"""

import datetime
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, NamedTuple, Protocol

from prescreen.errors import PrescreenError


class Stored(NamedTuple):
    """One version of a resource. `body` holds no id, version or time of its own."""

    kind: str
    id: str
    version: int
    updated: datetime.datetime
    body: dict[str, Any]


class Keys(NamedTuple):
    """What a resource is found by: its identifiers as (system or "", value), and "Patient/1" it belongs to."""

    identifiers: tuple[tuple[str, str], ...] = ()
    patient: str | None = None


class Bound(NamedTuple):
    """One end of a span of time."""

    side: Literal["ge", "gt", "le", "lt"]
    moment: datetime.datetime


class Query(NamedTuple):
    """A search among the newest versions; what is None does not narrow it. An identifier with system None matches
    any system, with "" only those without one. `dates` are of what happened: a shelf does not read them."""

    kind: str
    ids: tuple[str, ...] | None = None
    identifier: tuple[str | None, str] | None = None
    patient: str | None = None
    updated: tuple[Bound, ...] = ()
    dates: tuple[Bound, ...] = ()
    offset: int = 0
    limit: int = 100


class Found(NamedTuple):
    """How many there are, and those of the page, oldest change first."""

    total: int
    page: list[Stored]


class ShelfConflict(PrescreenError):
    """Another version is there already."""


class Shelf(Protocol):
    """A store of versions. Inside `transaction` all puts stand or fall together and no other writer comes between
    what was read there and what is put; a transaction within one joins it."""

    def transaction(self) -> AbstractContextManager[None]: ...

    def get(self, kind: str, id: str, version: int | None = None) -> Stored | None:
        """The newest version, or that one."""

    def put(self, stored: Stored, keys: Keys) -> None:
        """Keep a version; ShelfConflict unless it follows the newest by one (the first is 1)."""

    def search(self, query: Query) -> Found: ...

    def history(self, kind: str, id: str) -> list[Stored]:
        """All versions, newest first."""


class MemoryShelf:
    """Keeps all in this process until it ends."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], tuple[Stored, ...]] = {}
        self._keys: dict[tuple[str, str], Keys] = {}
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            before = dict(self._versions), dict(self._keys)
            try:
                yield
            except BaseException:
                self._versions, self._keys = before
                raise

    def get(self, kind: str, id: str, version: int | None = None) -> Stored | None:
        versions = self._versions.get((kind, id), ())
        return next((v for v in reversed(versions) if version in (None, v.version)), None)

    def put(self, stored: Stored, keys: Keys) -> None:
        with self._lock:
            versions = self._versions.get((stored.kind, stored.id), ())
            if stored.version != len(versions) + 1:
                raise ShelfConflict("the resource was changed meanwhile; read it again")
            self._versions[stored.kind, stored.id] = (*versions, stored)
            self._keys[stored.kind, stored.id] = keys

    def search(self, query: Query) -> Found:
        with self._lock:
            newest = [versions[-1] for versions in self._versions.values()]
            keys = dict(self._keys)
        found = [stored for stored in newest if _matches(stored, keys[stored.kind, stored.id], query)]
        found.sort(key=lambda stored: (stored.updated, stored.id))
        return Found(len(found), found[query.offset : query.offset + query.limit])

    def history(self, kind: str, id: str) -> list[Stored]:
        return list(reversed(self._versions.get((kind, id), ())))


def _matches(stored: Stored, keys: Keys, query: Query) -> bool:
    if stored.kind != query.kind or (query.ids is not None and stored.id not in query.ids):
        return False
    if query.patient is not None and keys.patient != query.patient:
        return False
    if query.identifier is not None:
        system, value = query.identifier
        if not any(value == held and system in (None, of) for of, held in keys.identifiers):
            return False
    return all(_is_within(stored.updated, bound) for bound in query.updated)


def _is_within(moment: datetime.datetime, bound: Bound) -> bool:
    return {
        "ge": moment >= bound.moment,
        "gt": moment > bound.moment,
        "le": moment <= bound.moment,
        "lt": moment < bound.moment,
    }[bound.side]
