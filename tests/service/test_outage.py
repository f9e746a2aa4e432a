"""The database is away: patients and staff read a calm page, programs get 503, and it works again afterwards."""

import html
import shutil
from pathlib import Path

from fastapi.testclient import TestClient

from prescreen.errors import StoreError
from prescreen.intake.languages import say
from prescreen.service.nurse.queue_pages import queue_pages
from prescreen.service.patient import entry as patient_door
from prescreen.service.patient import pages as patient_pages
from service.front import hidden, make_client, sign_in
from service.test_patient_pages import begin
from store.desk import NURSE


def take_away(folder: Path) -> None:
    """The database's folder goes, as when a disk is unmounted."""
    shutil.move(folder / "clinic", folder / "away")
    (folder / "clinic").write_text("not a folder")


def bring_back(folder: Path) -> None:
    (folder / "clinic").unlink()
    shutil.move(folder / "away", folder / "clinic")


def open_pages(house) -> TestClient:
    return make_client(house, patient_door.make_router(), patient_pages.make_router(), queue_pages)


def test_a_patient_reads_what_to_do_in_every_language_and_goes_on_afterwards(house, tmp_path: Path) -> None:
    with open_pages(house) as phone:
        begin(phone)
        page = phone.get("/p/step").text
        form = {name: hidden(page, name) for name in ("csrf", "mark", "step")}
        house.store.engine.dispose()
        take_away(tmp_path)
        about = {"who": "self", "age": "45", "age_unit": "years", "sex": "female"}
        german = {"accept": "text/html", "accept-language": "de"}
        answer = phone.post("/p/answer", data={**form, **about}, headers=german)
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        told = html.unescape(answer.text)
        assert '<html lang="de"' in told and 'href="tel:112"' in told and 'href="/p/step"' in told
        for language in ("en", "es", "ar", "de"):
            assert say(language, "outage.title") in told and say(language, "outage.text") in told
        assert '<section lang="ar" dir="rtl">' in told
        assert phone.get("/p/step", headers=german).status_code == 503
        bring_back(tmp_path)
        assert 'name="step" value="about"' in phone.get("/p/step").text


def test_staff_read_what_is_wrong_and_programs_get_a_status(house, tmp_path: Path) -> None:
    with open_pages(house) as client:
        sign_in(client, house, NURSE)
        house.store.engine.dispose()
        take_away(tmp_path)
        page = client.get("/queue")
        assert page.status_code == 503 and "database" in page.text and "Traceback" not in page.text
        ready = client.get("/ready", headers={"accept": "*/*"})
        assert ready.status_code == 503 and "retry-after" in ready.headers
        assert client.get("/live").status_code == 200
        bring_back(tmp_path)
        assert client.get("/queue").status_code == 200
        assert client.get("/ready", headers={"accept": "*/*"}).status_code == 200


def test_a_store_error_is_the_one_that_is_shown(house) -> None:
    with open_pages(house) as client:
        house.store.clock = lambda: (_ for _ in ()).throw(StoreError("the database's disk is full"))
        assert client.get("/ready").status_code == 503
