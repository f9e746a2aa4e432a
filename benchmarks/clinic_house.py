"""The real service in a process of its own for `clinic_load.py`: a scripted or the tiny model, and nurses.

Says `ready` on a line of its own once the port answers soon; ends at SIGTERM. Knows no patient.
"""

import argparse
import json
import logging
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prescreen.clinic.signed import ModelLabel
from prescreen.model.engine import Completion, Progress
from prescreen.model.harmony import Message
from prescreen.service.door.identity_settings import IdentitySettings
from prescreen.service.engine.calling import ThreadCaller
from prescreen.service.engine.engines import Demo, Endpoint, EngineSettings, RulesOnly
from prescreen.service.engine.faults import QUESTIONS
from prescreen.service.engine.guarding import GuardedEngine, GuardSettings
from prescreen.service.house import House
from prescreen.service.opening import ASKING, find_places, open_app, open_house
from prescreen.service.running import KEEP_S
from prescreen.service.settings import Clinic, Review, Settings, Web
from prescreen.store.accounts import add_user, find_user, set_password
from prescreen.store.base import Who
from prescreen.store.passwords import hash_password

PASSWORD = "rain over the harbour"
LANGUAGES = ("en", "es", "ar", "de")
LEVELS = ("low", "medium", "medium", "high")
STARTS = time.monotonic()


class PacedEngine:
    """Plausible questions and drafts after a set time; the level goes by the length of what was said."""

    name = "a script"

    def __init__(self, answer_s: float) -> None:
        self.answer_s = answer_s

    def generate(
        self,
        prompts: Sequence[list[Message]],
        *,
        schema: dict[str, Any] | None = None,
        max_tokens: int = 640,
        progress: Progress | None = None,
    ) -> list[Completion]:
        time.sleep(self.answer_s)
        return [Completion(self._write(messages, bool(schema))) for messages in prompts]

    def _write(self, messages: list[Message], is_draft: bool) -> str:
        said = [message["content"] for message in messages if message["role"] == "user"]
        if not is_draft:
            return QUESTIONS[len(messages) % len(QUESTIONS)]
        draft = {
            "acuity": LEVELS[len(said[-1]) % len(LEVELS)],
            "summary": "The patient tells of a complaint that began lately.",
            "history": {"conditions": [], "medications": [], "allergies": []},
            "findings": [{"name": "the complaint", "status": "present", "evidence": said[0][:60]}],
            "red_flags": [],
            "differential": [
                {"condition": "a minor illness", "supports": ["short duration"], "against": []},
                {"condition": "something that needs a test", "supports": [], "against": ["no fever told"]},
            ],
            "rationale": "Written by a script for a measurement of load; it judges nothing.",
            "next_steps": ["Examine the patient", "Measure vital signs"],
            "open_questions": ["How did it begin?"],
            "uncertainty": "moderate",
        }
        return json.dumps(draft)


class Sampler(threading.Thread):
    """Where the service's threads are, looked at every few milliseconds: own and whole time by function."""

    def __init__(self, every_s: float = 0.005) -> None:
        super().__init__(daemon=True)
        self.every_s, self.ended = every_s, threading.Event()
        self.own: Counter[str] = Counter()
        self.whole: Counter[str] = Counter()
        self.looks = 0

    def run(self) -> None:
        while not self.ended.wait(self.every_s):
            self.looks += 1
            for ident, frame in sys._current_frames().items():
                if ident != self.ident:
                    self._note(frame)

    def _note(self, frame: Any) -> None:
        names = []
        while frame is not None:
            code = frame.f_code
            names.append(f"{'/'.join(code.co_filename.split('/')[-3:])}:{code.co_name}")
            frame = frame.f_back
        if any(names[0].endswith(idle) for idle in ("threading.py:wait", "selectors.py:select", "queue.py:get")):
            return
        self.own[names[0]] += 1
        self.whole.update(set(names))

    def tell(self) -> str:
        lines = [f"{self.looks} looks, {sum(self.own.values())} busy threads"]
        for name, found in (("own", self.own), ("whole", self.whole)):
            lines += [f"{name}:", *(f"  {count:6d}  {place}" for place, count in found.most_common(70))]
        return "\n".join(lines)


def choose_engine(told: argparse.Namespace) -> EngineSettings:
    if told.endpoint:
        return Endpoint(url=told.endpoint, model=told.model, demo=True)
    return Demo(model=told.model) if told.model else RulesOnly()


def make_settings(told: argparse.Namespace) -> Settings:
    return Settings(
        clinic=Clinic(name="Harbour Clinic", emergency_number="112", languages=LANGUAGES),
        review=Review(undo_s=told.undo_s),
        web=Web(base_url=f"http://localhost:{told.port}"),
        engine=choose_engine(told),
        identity=IdentitySettings(totp_for=()),
        demo=True,
    )


def open_clinic(told: argparse.Namespace) -> House:
    """The house as `prescreen serve` opens it; the script sits where a model would."""
    settings = make_settings(told)
    house = open_house(settings, find_places(told.data), {})
    if not told.model and told.answer_s >= 0:
        guard = GuardSettings(timeout_s=settings.review.draft_by_s / 2, waiting=ASKING)
        house.engine = GuardedEngine(ThreadCaller(PacedEngine(told.answer_s), at_once=told.at_once), guard)
        house.label = ModelLabel(name="a script", version="load", engine="script")
        house.why = ""
    elif told.model and house.label is None:
        raise SystemExit(house.why)
    for number in range(told.nurses):
        with house.store.act(Who("load", "service")) as act:
            login = f"nurse{number}"
            user = (
                find_user(act, login)
                or add_user(act, login, name=f"Nurse {number}", role="nurse", teams=("clinic",)).user
            )
            set_password(act, user.id, hash_password(PASSWORD), keep_session="")
            user.must_change = False
    return house


def log_to(path: Path) -> None:
    """The service's own log, as the console would show it."""
    handler = logging.FileHandler(path)
    for name in ("prescreen.service", "prescreen.worker"):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)


def main() -> None:
    import uvicorn

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nurses", type=int, default=5)
    parser.add_argument("--answer-s", type=float, default=0.3, help="below 0: the rules draft alone")
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--undo-s", type=int, default=30)
    parser.add_argument("--model", default="")
    parser.add_argument("--endpoint", default="", help="a server that serves the model under this name")
    parser.add_argument("--profile", type=Path)
    told = parser.parse_args()
    told.data.mkdir(parents=True, exist_ok=True)
    house = open_clinic(told)
    sampler = Sampler() if told.profile else None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again once all is served
    try:
        app = open_app(house)
        log_to(told.data / "service.log")
        print(f"ready after {time.monotonic() - STARTS:.1f} s", flush=True)
        if sampler:
            sampler.start()
        uvicorn.run(
            app, host="127.0.0.1", port=told.port, log_config=None, access_log=False, server_header=False,
            timeout_keep_alive=KEEP_S,
            timeout_graceful_shutdown=10,
        )  # fmt: skip
    finally:
        if house.engine is not None:
            (told.data / "tally.json").write_text(json.dumps(house.engine.tally.snapshot()))
        house.close()
        if sampler and told.profile:
            sampler.ended.set()
            told.profile.write_text(sampler.tell())


if __name__ == "__main__":
    main()
