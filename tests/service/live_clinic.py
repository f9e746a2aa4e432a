"""The whole service on a port of this machine, as `prescreen serve recipes/tiny` opens it, with a scripted model.

Knows uvicorn and the demonstration's settings; a browser is the tests' own.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from prescreen.cli import STAGES
from prescreen.clinic.signed import ModelLabel
from prescreen.model.engine import ScriptedEngine
from prescreen.model.harmony import Message
from prescreen.pipeline import Stages
from prescreen.service.door.programs import Program
from prescreen.service.engine.calling import ThreadCaller
from prescreen.service.engine.engines import EngineSettings, RulesOnly
from prescreen.service.engine.guarding import GuardedEngine, GuardSettings
from prescreen.service.house import House
from prescreen.service.opening import Places, open_app, open_house
from prescreen.service.settings import Settings, read_settings
from prescreen.service.showcase import show_people

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-a-program-of-this-test-0001"
LABEL = ModelLabel(name="scripted", version="of this test", engine="script")
QUESTION = "Does anything make it better or worse?"


class Clinic(NamedTuple):
    """A service that answers: where, what stands behind it, and the passwords of the demonstration's people."""

    url: str
    house: House
    passwords: dict[str, str]


def draft_of(words: str) -> str:
    """A plausible draft whose evidence is what the patient said."""
    said = " ".join(words.split())[:200]
    return json.dumps(
        {
            "acuity": "medium",
            "summary": "Trouble since a few days, told by the patient; no danger sign was named.",
            "history": {"conditions": [], "medications": [], "allergies": []},
            "findings": [
                {"name": "main complaint", "status": "present", "evidence": said},
                {"name": "fever", "status": "not asked", "evidence": ""},
            ],
            "red_flags": [],
            "differential": [
                {"condition": "viral infection", "supports": ["short course"], "against": []},
                {"condition": "bacterial infection", "supports": [], "against": ["no danger sign"]},
            ],
            "rationale": "Stable and walking; should be seen within the hour.",
            "next_steps": ["Take the temperature", "Examine the throat"],
            "open_questions": ["Can you drink?"],
            "uncertainty": "moderate",
        }
    )


def answer(messages: list[Message]) -> str:
    """A question where one is asked for, otherwise a draft from the patient's longest words."""
    if "Ask the patient" in messages[0]["content"]:
        return QUESTION
    told = "\n".join(message["content"] for message in messages[1:])
    own = [line.partition(": ")[2] for line in told.splitlines() if line.startswith(("patient: ", "relative: "))]
    return draft_of(max(own, key=len, default=""))


def settings_of(folder: Path, url: str, **review: object) -> Settings:
    """The demonstration's own settings at this address, with a program that may read the record."""
    (folder / "token").touch(0o600)
    (folder / "token").write_text(TOKEN)
    shown = read_settings(ROOT / "recipes" / "tiny")
    known = shown.review.model_copy(update={"blind_share": 0.0, **review})
    return shown.model_copy(
        update={
            "review": known,
            "web": shown.web.model_copy(update={"base_url": url}),
            "engine": RulesOnly(),
            "programs": (Program(name="reader", token_file=folder / "token"),),
        }
    )


@contextmanager
def run_clinic(
    folder: Path,
    *,
    by_rules: bool = False,
    works: bool = True,
    engine: EngineSettings | None = None,
    stages: Stages = STAGES,
    **review: object,
) -> Iterator[Clinic]:
    """The service with its worker until the block ends; `by_rules` leaves it without a model.

    With an `engine` it opens that one as a clinic does that is no demonstration: two people must have signed.
    """
    import uvicorn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    places = Places(f"sqlite:///{folder / 'prescreen.db'}", folder / "keys")
    settings = settings_of(folder, url, **review)
    if engine is not None:
        settings = settings.model_copy(update={"engine": engine, "demo": False})
    house = open_house(settings, places, stages)
    if not by_rules and engine is None:
        house.engine = GuardedEngine(ThreadCaller(ScriptedEngine(answer)), GuardSettings(timeout_s=10))
        house.label, house.why = LABEL, ""
    server = uvicorn.Server(
        uvicorn.Config(open_app(house, works=works), port=port, log_level="error", access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    assert server.started, "the service did not start"
    try:
        yield Clinic(url, house, show_people(house))
    finally:
        server.should_exit = True
        thread.join(15)
        house.close()
