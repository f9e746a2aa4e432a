"""The real service as a process for fault tests: `python -m service.broken_app ORDER.json`.

House, pages and worker are the product's. Its clock runs beside the machine's by the seconds in a file the test
writes, and the model is a script of faults. Knows no test.
"""

import datetime
import json
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from prescreen.clinic.signed import ModelLabel
from prescreen.config import Strict
from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.shelf import Found, ShelfConflict, Stored
from prescreen.service.engine.calling import Caller, ThreadCaller
from prescreen.service.engine.engines import Opened, guard
from prescreen.service.engine.faults import FaultyEngine, Script
from prescreen.service.engine.guarding import GuardSettings
from prescreen.service.engine.host import Host
from prescreen.service.house import House
from prescreen.service.opening import open_app, warm
from prescreen.service.record.ways import open_way
from prescreen.service.settings import Settings
from prescreen.store.migrate import open_store
from prescreen.store.shelf import SqlShelf

LABEL = ModelLabel(name="script", version="1", engine="test")


class Order(Strict):
    """What the process serves, and with which faults. `hosted` puts the script into a process of its own."""

    database: str
    keys: Path
    clock: Path
    port: int
    settings: dict[str, Any]
    script: Script = Script()
    hosted: bool = False
    guard: GuardSettings = GuardSettings(timeout_s=3.0, question_timeout_s=0.5)


class FileClock:
    """The machine's time and the seconds in a file; a file that is being written counts as it was before."""

    def __init__(self, path: Path) -> None:
        self.path, self._last = path, 0.0

    def __call__(self) -> datetime.datetime:
        with suppress(OSError, ValueError):
            self._last = float(self.path.read_text())
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self._last)


def set_clock(path: Path, seconds: float) -> None:
    """Put the clock this far beside the machine's."""
    beside = path.with_suffix(".new")
    beside.write_text(str(seconds))
    beside.replace(path)


def open_broken(order: Order) -> House:
    """The house of an order, opened as the product opens it."""
    settings = Settings.model_validate(order.settings)
    store = open_store(order.database, order.keys, FileClock(order.clock))
    desk = FhirDesk(SqlShelf(store, Stored, Found, ShelfConflict), clock=store.clock)
    channels = {way.name: open_way(way, desk) for way in settings.record}
    engine = guard(Opened(_open_caller(order), LABEL, ""), order.guard)
    house = House(settings, store, channels, engine, LABEL, desk=desk)
    warm(house)
    return house


def _open_caller(order: Order) -> Caller:
    if not order.hosted:
        return ThreadCaller(FaultyEngine(order.script), at_once=2)
    return Host({"kind": "script", "script": order.script.model_dump()}, "a script")


def main(path: str) -> None:
    import uvicorn

    logging.basicConfig(level=logging.WARNING)
    for name in ("prescreen.service", "prescreen.worker"):
        logging.getLogger(name).setLevel(logging.INFO)
    order = Order.model_validate(json.loads(Path(path).read_text()))
    house = open_broken(order)
    try:
        uvicorn.run(
            open_app(house),
            host="127.0.0.1",
            port=order.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
        )
    finally:
        house.close()


if __name__ == "__main__":
    main(sys.argv[1])
