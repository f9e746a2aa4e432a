"""Who signs everything as drafted within seconds is found; who is quick and corrects is not. By user id alone."""

import datetime

import numpy as np
import pytest
from scipy import stats

from monitor.invented import FIRST, Clinic, draw_contacts
from prescreen.clinic.acuity import Acuity
from prescreen.clinic.contact import Contact
from prescreen.monitor.raters import Bounds, Rater, read_raters

LEVELS = tuple(Acuity)


def draw(weeks: int, seed: int, contacts: int = 40) -> list[Contact]:
    dice = np.random.default_rng(seed)
    clinic = Clinic(contacts=contacts, blind=0.10)
    return [
        contact
        for number in range(weeks)
        for contact in draw_contacts(clinic, FIRST + datetime.timedelta(weeks=number), dice)
    ]


def stamp(contact: Contact, dice: np.random.Generator) -> Contact:
    """Signed as drafted within seconds; blind, whatever comes to hand."""
    if contact.signer != "nurse-0":
        return contact
    blind = contact.blind and LEVELS[int(dice.integers(4))]
    told = {"level": contact.shown, "edited": False, "seconds": float(dice.uniform(3, 12)), "blind": blind}
    return contact.model_copy(update=told)


def hurry(contact: Contact, dice: np.random.Generator) -> Contact:
    """An experienced nurse: a third of the time, and changes what is wrong as the others do."""
    if contact.signer != "nurse-0":
        return contact
    return contact.model_copy(update={"seconds": (contact.seconds or 0.0) / 3})


def read(change: object, weeks: int, seed: int) -> dict[str, Rater]:
    dice = np.random.default_rng(seed)
    contacts = [change(contact, dice) for contact in draw(weeks, seed)]  # type: ignore[operator]
    return {rater.user: rater for rater in read_raters(contacts)}


def test_a_rubber_stamp_is_found_and_nobody_else() -> None:
    raters = read(stamp, 8, 1)
    assert {user: rater.verdict for user, rater in raters.items()} == {
        "nurse-0": "found", "nurse-1": "steady", "nurse-2": "steady", "nurse-3": "steady",
    }  # fmt: skip
    found = raters["nurse-0"]
    assert found.sentence.startswith("nurse-0: ") and "median " in found.sentence
    assert found.unchanged.right == found.unchanged.n and found.others.right < found.others.n
    assert 0 < len(found.cases) <= 20


def test_an_experienced_quick_nurse_is_not() -> None:
    rater = read(hurry, 8, 1)["nurse-0"]
    assert rater.verdict == "watch" and rater.p_quick < 0.01 <= rater.p_unchanged


def test_one_who_agrees_as_well_when_blind_is_cleared() -> None:
    def agree(contact: Contact, dice: np.random.Generator) -> Contact:
        stamped = stamp(contact, dice)
        known = stamped.signer == "nurse-0" and stamped.level_model is not None and dice.random() < 0.3
        return stamped.model_copy(update={"blind": stamped.level_model if known else None})

    assert read(agree, 13, 3)["nurse-0"].verdict == "watch"


def test_few_signatures_judge_nobody() -> None:
    assert {rater.verdict for rater in read_raters(draw(2, 4))} == {"too few"}
    assert read_raters([]) == []


def test_the_found_stand_first_and_only_ids_are_told() -> None:
    dice = np.random.default_rng(1)
    first = read_raters([stamp(contact, dice) for contact in draw(8, 1)])[0]
    assert (first.user, first.verdict) == ("nurse-0", "found")
    assert Bounds(level=1e-12) != Bounds()


@pytest.mark.slow
def test_found_nine_times_in_ten_and_seldom_wrongly() -> None:
    """Eight weeks of 40 contacts and four nurses: 100 clinics with a stamp, 100 with a quick nurse."""
    runs = 100
    found = sum(read(stamp, 8, 100 + seed)["nurse-0"].verdict == "found" for seed in range(runs))
    wrong = sum(rater.verdict == "found" for seed in range(runs) for rater in read(hurry, 8, 100 + seed).values())
    print(f"rubber stamp found {found}/{runs}; others found {wrong}/{4 * runs}")
    assert found >= 90
    assert wrong <= stats.binom.ppf(0.999, runs, 0.01)
