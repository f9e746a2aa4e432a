"""A house with a shelf of releases, people who may sign with one password, and a candidate for them."""

from pathlib import Path

from monitor.shelves import make_gate
from prescreen.monitor import life
from prescreen.monitor.shelf import Shelf, read_state
from prescreen.service.house import House
from prescreen.store.base import Who
from prescreen.store.passwords import hash_password
from prescreen.store.people import User
from service.front import add_staff, make_house
from small_release import STAGES
from store.desk import SERVICE

ADMIN, AUDITOR = Who("admin-1", "admin"), Who("auditor-1", "auditor")
PASSWORD = "rain over the harbour"
HASH = hash_password(PASSWORD)


def make_released(folder: Path, *signers: Who) -> House:
    """Nothing is promoted yet; the signers sign in by `PASSWORD`."""
    house = make_house(folder)
    add_staff(house, ADMIN, AUDITOR)
    with house.store.act(SERVICE) as act:
        for who in signers:
            act.session.get_one(User, who.id).password = HASH
    house.shelf = Shelf(folder / "releases", STAGES, house.store, house.store.clock)
    return house


def propose(house: House, root: Path, name: str = "a", *, ready: bool = True) -> str:
    """A candidate that waits for signatures; its key."""
    assert house.shelf is not None
    life.propose(house.shelf, make_gate(root, name), SERVICE)
    for _ in range(2 if ready else 0):
        life.skip_trial(house.shelf, SERVICE, "this test")
    return read_state(house.shelf.ledger.read()).candidate
