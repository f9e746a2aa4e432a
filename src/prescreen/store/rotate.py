"""A new key for the clinic, and everything its old keys seal sealed anew. Knows no patient's text: a patient's rows
stay under the patient's own key; only that key changes its wrapping.

Done in batches, each one act: killed at any point, the next run goes on where it stood. Old key files stay, for the
backups made before; once those have lapsed they may be destroyed.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select, tuple_, update

from prescreen.errors import GuardError
from prescreen.store.base import Act, Store, Who
from prescreen.store.people import Grant, Notice, User
from prescreen.store.tables import Base, Patient, Resource

ROTATOR: Final = Who("rotate", "service")
BATCH: Final = 500


class Place(NamedTuple):
    """A column the clinic's own key seals; `name` is what the writer bound a row's value to."""

    table: type[Base]
    column: str
    name: Callable[[Any], str]


# Whoever seals with `Keys.seal_own` adds a line here.
OWN: Final = (
    Place(User, "totp", lambda row: f"users|totp|{row.id}"),
    Place(Grant, "reason", lambda row: f"grants|reason|{row.id}"),
    Place(Notice, "body", lambda row: f"notices|body|{row.id}"),
    Place(Resource, "body", lambda row: f"resources|body|{row.kind}/{row.id}/{row.version}"),
)


class Rotated(NamedTuple):
    """How many values were sealed anew, and how many could not be opened and stay as they are."""

    values: int
    skipped: int


_Step = Callable[[Act, Any], tuple[Any, Rotated]]


def rotate_keys(store: Store, *, new: bool = True) -> Rotated:
    """Draw the clinic's next key and seal all under it. `new` False goes on with what an interrupted run left."""
    if new:
        version = store.keys.add_clinic()
        with store.act(ROTATOR) as act:
            act.log("keys.add", f"clinic-{version}")
    steps: list[_Step] = [_reseal_patients, *(partial(_reseal_own, place) for place in OWN)]
    values = skipped = 0
    for step in steps:
        last = None
        while True:
            with store.act(ROTATOR) as act:
                last, done = step(act, last)
            values, skipped = values + done.values, skipped + done.skipped
            if last is None:
                break
    with store.act(ROTATOR) as act:
        act.log("keys.rotated", f"clinic-{store.keys.version}", values=values, skipped=skipped)
    return Rotated(values, skipped)


def count_old(store: Store) -> int:
    """How many values an older key still seals."""
    version = store.keys.version
    with store.look(ROTATOR) as act:
        counts = [act.session.scalar(select(func.count()).where(*_old_patients(version)))]
        for place in OWN:
            counts.append(
                act.session.scalar(select(func.count()).select_from(place.table).where(_old(place, version)))
            )
    return sum(count or 0 for count in counts)


def _reseal_patients(act: Act, last: Any) -> tuple[Any, Rotated]:
    query = select(Patient).where(*_old_patients(act.keys.version)).order_by(Patient.id).limit(BATCH)
    if last is not None:
        query = query.where(Patient.id > last)
    rows = list(act.session.scalars(query.with_for_update()))
    skipped = 0
    for row in rows:
        assert row.sealed_key is not None
        try:
            row.key_version, row.sealed_key = act.keys.reseal(row.id, row.key_version, row.sealed_key)
        except GuardError:
            skipped += 1
            act.log("keys.skip", row.id, "failed", table="patients")
    return (rows[-1].id if len(rows) == BATCH else None), _note(act, "patients", len(rows), skipped)


def _reseal_own(place: Place, act: Act, last: Any) -> tuple[Any, Rotated]:
    name = place.table.__tablename__
    columns = place.table.__table__.c
    keys = [column for column in columns if column.primary_key]
    held = columns[place.column]
    query = select(*keys, held).where(_old(place, act.keys.version)).order_by(*keys).limit(BATCH)
    if last is not None:
        query = query.where(tuple_(*keys) > tuple_(*last))
    rows = act.session.execute(query.with_for_update()).all()
    skipped = 0
    for row in rows:
        where = place.name(row)
        try:
            fresh = act.keys.seal_own(where, act.keys.open_own(where, row[-1]))
        except GuardError:
            skipped += 1
            act.log("keys.skip", where[-128:], "failed", table=name)
            continue
        same = [key == value for key, value in zip(keys, row, strict=False)]
        act.session.execute(update(place.table).where(*same).values({held: fresh}))
    return (rows[-1][:-1] if len(rows) == BATCH else None), _note(act, name, len(rows), skipped)


def _note(act: Act, table: str, found: int, skipped: int) -> Rotated:
    if found:
        act.log("keys.reseal", table, values=found - skipped)
    return Rotated(found - skipped, skipped)


def _old_patients(version: int) -> tuple[Any, ...]:
    return Patient.sealed_key.is_not(None), Patient.key_version < version


def _old(place: Place, version: int) -> Any:
    """The version stands in a sealed value's first two bytes."""
    column = place.table.__table__.c[place.column]
    return func.substr(column, 1, 2) < version.to_bytes(2)
