"""Two answers to one page at the same moment: one is kept, the other is told so, whatever was read beforehand."""

import threading
from pathlib import Path

import pytest

from prescreen.errors import ConflictError, StoreError
from prescreen.service.opening import warm
from prescreen.service.patient import flow as patient_flow
from prescreen.store.base import Who
from prescreen.store.sessions import PATIENT
from prescreen.store.tables import Entry
from service.front import make_house


def test_of_two_answers_to_one_page_one_is_kept(tmp_path: Path) -> None:
    house = make_house(tmp_path)
    warm(house)
    begun, _ = patient_flow.begin_visit(house, "en", PATIENT, channel="phone", training=False)
    visit = begun.session.visit_id
    assert visit is not None
    place, refused, both = patient_flow.find_place(house, visit), list[str](), threading.Barrier(4)

    def tap(age: str) -> None:
        both.wait()
        told = {"who": "self", "age": age, "age_unit": "years", "sex": "female"}
        try:
            assert not patient_flow.take_answer(house, visit, place.mark, place.step.id, told)
        except ConflictError:
            refused.append(age)

    taps = [threading.Thread(target=tap, args=(str(40 + number),)) for number in range(4)]
    for one in taps:
        one.start()
    for one in taps:
        one.join(30)
    with house.store.look(Who("test", "service")) as look:
        kept = look.session.query(Entry).filter_by(visit_id=visit, kind="answer").count()
    assert (kept, len(refused)) == (1, 3)
    house.store.close()


def test_a_house_is_warm_for_every_language_it_offers(tmp_path: Path) -> None:
    house = make_house(tmp_path)
    warm(house)
    assert {"queue.html", "patient/step.html"} <= {name for _, name in house.pages.cache or {}}
    house.store.close()


def test_a_waiting_room_behind_one_address_goes_on_at_once(tmp_path: Path) -> None:
    """After an outage all phones of a clinic's network type their codes; a crash leaves no right try behind."""
    house = make_house(tmp_path)
    codes = [patient_flow.begin_visit(house, "en", PATIENT, channel="phone", training=False)[1] for _ in range(24)]
    together, opened = threading.Barrier(len(codes)), list[str]()

    def go_on(code: str) -> None:
        together.wait()
        if patient_flow.resume(house, code, PATIENT, "192.0.2.1") is not None:
            opened.append(code)

    crowd = [threading.Thread(target=go_on, args=(code,)) for code in codes]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert sorted(opened) == sorted(codes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patient_flow, "begin", fail)  # the service dies after the code was looked up
        for code in codes:
            with pytest.raises(StoreError):
                patient_flow.resume(house, code, PATIENT, "192.0.2.1")
    assert patient_flow.resume(house, codes[0], PATIENT, "192.0.2.1") is not None
    wrong = [patient_flow.resume(house, f"2222{number:02}2222", PATIENT, "192.0.2.1") for number in range(12)]
    assert wrong == [None] * 12
    assert patient_flow.resume(house, codes[0], PATIENT, "192.0.2.1") is None  # the right one waits as well
    house.close()


def fail(*_: object, **__: object) -> None:
    raise StoreError("gone")
