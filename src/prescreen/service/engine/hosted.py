"""The process that `service.host` starts: loads one model, answers line by line, ends with its pipe.

Run as a module only. What goes wrong is told as a fault without its words, which may quote the patient.
"""

import json
import os
import resource
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from queue import Queue
from typing import Any

from prescreen.errors import PrescreenError
from prescreen.model.engine import Engine
from prescreen.model.files import locate_model
from prescreen.service.engine.calling import Fault, ask_engine
from prescreen.service.engine.faults import FaultyEngine, Script
from prescreen.service.engine.host import Ready, Reply, open_pipe


def open_model(order: Mapping[str, Any]) -> Engine:
    """What the first line asks for."""
    if order["kind"] == "script":
        return FaultyEngine(Script.model_validate(order["script"]))
    with suppress(OSError):  # a candidate on trial waits for everybody else, where the unit's filter lets it
        os.nice(order.get("nice", 0))
    locate_model(order["where"])  # before torch loads: nothing there is soon said
    from prescreen.model.engine import load_engine

    return load_engine(order["where"], threads=order["threads"])


def main() -> None:
    """Load, say so, then answer until the pipe closes; a service that was killed takes this process with it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash must not leave what a patient said on a disk
    say = open_pipe()
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)  # also out of a question that hangs

    threading.Thread(target=read, daemon=True).start()
    try:
        engine = open_model(json.loads(lines.get()))
    except PrescreenError as error:
        return say(Ready(fault=str(error)))
    except Exception as error:  # any other fault of loading, by its kind
        return say(Ready(fault=f"the model cannot be loaded ({type(error).__name__})"))
    say(Ready())
    while True:
        asked = json.loads(lines.get())
        answer = ask_engine(engine, asked["messages"], asked["schema"], asked["max_tokens"])
        if isinstance(answer, Fault) or answer.finish == "error":
            say(Reply(number=asked["number"], failed=True))
        else:
            say(Reply(number=asked["number"], text=answer.text, finish=answer.finish, tokens=answer.tokens))


if __name__ == "__main__":
    main()
