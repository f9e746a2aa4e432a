"""Each way to the record takes its own rows, the oldest first; what has no way any more is still taken."""

from prescreen.store.base import Store
from prescreen.store.outbox import Ways, is_parcel_due, mark_failed, mark_sent, take_parcel
from store.desk import SERVICE, StoppedClock
from store.test_visits import sign_it

FOLDER, RECORD = Ways(("folder",), others=False), Ways(("record",), others=False)
STRAYS = Ways(("folder", "record"))


def wait_for_undo(store: Store) -> None:
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    clock.pass_by(seconds=31)


def test_a_way_takes_its_own_rows_by_their_time_and_no_others(store: Store) -> None:
    first = sign_it(store, channels=("record", "folder", "gone"))
    wait_for_undo(store)
    second = sign_it(store, channels=("record", "folder"))
    wait_for_undo(store)
    with store.act(SERVICE) as act:
        taken = [take_parcel(act, "w", ways=RECORD) for _ in range(3)]
        assert [(p.channel, p.visit.id) for p in taken if p] == [("record", first.id), ("record", second.id)]
        assert not is_parcel_due(act, ways=RECORD) and is_parcel_due(act, ways=FOLDER)
        stray = take_parcel(act, "w", ways=STRAYS)
        assert stray is not None and (stray.channel, stray.visit.id) == ("gone", first.id)
        assert not is_parcel_due(act, ways=STRAYS) and take_parcel(act, "w", ways=STRAYS) is None
        kept = [take_parcel(act, "w", ways=FOLDER) for _ in range(3)]
        assert [p.visit.id for p in kept if p] == [first.id, second.id]


def test_a_row_put_off_goes_when_its_new_time_has_come(store: Store) -> None:
    first = sign_it(store)
    wait_for_undo(store)
    second = sign_it(store)
    with store.act(SERVICE) as act:
        held = take_parcel(act, "w", ways=RECORD)
        assert held is not None and held.visit.id == first.id
        mark_failed(act, held, "away", lasting=False)  # due in two seconds, the second in thirty
        assert take_parcel(act, "w", ways=RECORD) is None
    wait_for_undo(store)
    with store.act(SERVICE) as act:
        order = [take_parcel(act, "w", ways=RECORD) for _ in range(2)]
        assert [parcel.visit.id for parcel in order if parcel] == [first.id, second.id]


def test_a_lease_holds_for_its_way_until_it_runs_out(store: Store) -> None:
    review = sign_it(store, channels=("record", "folder"))
    wait_for_undo(store)
    clock = store.clock
    assert isinstance(clock, StoppedClock)
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w1", ways=RECORD)
    with store.act(SERVICE) as act:
        assert take_parcel(act, "w2", ways=RECORD) is None
        other = take_parcel(act, "w2", ways=FOLDER)
        assert other is not None
        mark_sent(act, other, "a file")
    clock.pass_by(seconds=121)
    with store.act(SERVICE) as act:
        again = take_parcel(act, "w2", ways=RECORD)
        assert again is not None and (again.visit.id, again.attempts) == (review.id, 2)
        assert take_parcel(act, "w2", ways=FOLDER) is None
