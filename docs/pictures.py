"""Draws docs/pictures from the demonstration itself: `PYTHONPATH=src python docs/pictures.py` (needs chromium).

The patients are invented. The drafts are scripted, and the page says so: what the tiny model of the demonstration
writes means nothing and would show nothing. Knows pages, decides nothing.
"""

import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prescreen.cli import STAGES
from prescreen.clinic.signed import ModelLabel
from prescreen.model.engine import ScriptedEngine
from prescreen.model.harmony import Message
from prescreen.service.door.identity import limits_of
from prescreen.service.engine.calling import ThreadCaller
from prescreen.service.engine.engines import RulesOnly
from prescreen.service.engine.guarding import GuardedEngine
from prescreen.service.opening import find_places, open_app, open_doors, open_house
from prescreen.service.settings import read_settings
from prescreen.service.showcase import show_patients, show_people

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
MOST = 200_000  # bytes of a picture
LABEL = ModelLabel(name="example", version="a scripted answer", engine="script")
# words of the complaint -> level, summary, why, what to do next, what was said for it
DRAFTS = {
    "heavy pressure in my chest": (
        "emergency",
        "Heavy chest pressure for an hour into the jaw, with sweating; treated high blood pressure.",
        "Pressure into the jaw with sweating must be taken as the heart until shown otherwise.",
        ["12-lead ECG within 10 minutes", "Monitor, oxygen saturation, intravenous line", "Call the physician now"],
        "acute coronary syndrome",
    ),
    "burns when I pass water": (
        "medium",
        "Burning on passing water and urgency for two days, no fever; allergic to penicillin.",
        "Two days, no fever, no flank pain told; uncomfortable but stable.",
        ["Urine test", "Ask about flank pain and pregnancy"],
        "lower urinary tract infection",
    ),
    "out of breath on the stairs": (
        "high",
        "More breathless on stairs, swollen ankles; heart failure and atrial fibrillation known.",
        "Known heart failure that gets worse.",
        ["Weight, pulse, oxygen saturation", "Listen to the lungs"],
        "worsening heart failure",
    ),
    "fiebre": (
        "medium",
        "Fever and pain in the right ear since yesterday, a child of seven.",
        "Feverish child, awake, no danger sign told.",
        ["Temperature and pulse", "Look into the ears"],
        "middle ear infection",
    ),
    "scratchy throat": (
        "low",
        "Scratchy throat and runny nose since Monday; wants a note for work.",
        "Mild, getting better, no danger sign.",
        ["Look into the throat"],
        "common cold",
    ),
    "ألم في أسفل الظهر": (
        "medium",
        "Low back pain for three days after lifting a heavy box.",
        "After lifting, no danger sign told.",
        ["Ask about numbness and passing urine", "Examine the back"],
        "muscle strain",
    ),
}
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def answer(messages: list[Message]) -> str:
    """The scripted draft of an invented patient."""
    text = messages[-1]["content"]
    words, (level, summary, why, steps, thought) = next((k, v) for k, v in DRAFTS.items() if k in text)
    return json.dumps(
        {
            "acuity": level,
            "summary": summary,
            "history": {"conditions": [], "medications": [], "allergies": []},
            "findings": [{"name": "main complaint", "status": "present", "evidence": words}],
            "red_flags": [],
            "differential": [{"condition": thought, "supports": [words], "against": []}],
            "rationale": why,
            "next_steps": steps,
            "open_questions": [],
            "uncertainty": "moderate",
        }
    )


def main() -> None:
    """Start the demonstration, walk to three pages, keep a picture of each."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        sys.exit("chromium is not installed; install it, then run this again")
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder)) as (url, passwords),
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=path, args=ARGS)
        draw_intake(browser.new_page(viewport={"width": 390, "height": 844}), url)
        draw_review(browser.new_page(viewport={"width": 1280, "height": 800}), url, passwords["nurse"])
        browser.close()


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The demonstration on a free port: its address and the passwords of its people."""
    import uvicorn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}"
    shown = read_settings(HERE.parent / "recipes" / "tiny")
    changes = {
        "engine": RulesOnly(),
        "web": shown.web.model_copy(update={"base_url": url}),
        "review": shown.review.model_copy(update={"blind_share": 0.0}),
    }
    house = open_house(shown.model_copy(update=changes), find_places(folder), STAGES)
    house.engine, house.label, house.why = GuardedEngine(ThreadCaller(ScriptedEngine(answer))), LABEL, ""
    server = uvicorn.Server(uvicorn.Config(open_app(house), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        passwords = show_people(house)
        show_patients(house, limits_of(open_doors(house).settings)[1])
        yield url, passwords
    finally:
        server.should_exit = True
        thread.join(15)
        house.close()


def draw_intake(page: Any, url: str) -> None:
    """A patient at the page of danger signs, on a phone."""
    page.goto(f"{url}/p/welcome/en")
    page.locator("#agree").check()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("link", name="Next").click()
    page.get_by_role("button", name="Next").click()
    page.locator("input[value=self]").check()
    page.locator("#age").fill("45")
    page.locator("input[value=male]").check()
    page.get_by_role("button", name="Next").click()
    page.locator("#complaint").fill("My throat has been sore since Monday.")
    page.get_by_role("button", name="Next").click()
    page.locator("#signs").wait_for()
    keep(page, "intake-phone")


def draw_review(page: Any, url: str, password: str) -> None:
    """The queue, then its first visit, on a desktop."""
    page.goto(f"{url}/sign-in")
    page.locator("#login").fill("nurse")
    page.locator("#password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/queue")
    for _ in range(60):
        if not page.get_by_text("no draft yet").count():
            break
        time.sleep(2)
        page.reload()
    keep(page, "queue")
    page.get_by_role("button", name="Review").first.click()
    page.wait_for_url("**/visits/*")
    keep(page, "visit")


def keep(page: Any, name: str) -> None:
    """One picture, with few colours so that it stays small."""
    from PIL import Image

    path = PICTURES / f"{name}.png"
    page.screenshot(path=str(path))
    with Image.open(path) as drawn:
        drawn.convert("RGB").quantize(128).save(path, optimize=True)
    size = path.stat().st_size
    assert size < MOST, f"{path.name} has {size} bytes"
    print(f"{path.relative_to(HERE.parent)}: {size} bytes")


if __name__ == "__main__":
    main()
