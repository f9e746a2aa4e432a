"""Two answers to one page at the same moment: one is kept, the other is told so, whatever was read beforehand."""

import threading
from pathlib import Path

from prescreen.errors import ConflictError
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
