"""One breaking clinic put together: folders, people, processes, the run and the quiet after it. Knows no check."""

import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select

from prescreen.ehr.desk import FhirDesk
from prescreen.ehr.shelf import Found, ShelfConflict, Stored
from prescreen.errors import StoreError
from prescreen.store.accounts import add_user
from prescreen.store.anchors import take_checkpoint
from prescreen.store.base import Who
from prescreen.store.migrate import open_store
from prescreen.store.passwords import hash_password
from prescreen.store.shelf import SqlShelf
from prescreen.store.tables import Job, Outgoing
from service.breaking import Database, Killer, Part, Process, free_port, write_order
from service.broken_app import FileClock, set_clock
from service.broken_record import open_record
from service.ledger import Ledger
from service.reckoning import Reckoned, find_broken, reckon
from service.scripted import PASSWORD, Admin, Browser, Trouble, run_clinic

CONSOLE = Who("console", "admin")
RATES = {"fine": 0.6, "slow": 0.1, "crash": 0.06, "empty": 0.06, "prose": 0.06, "wrong_json": 0.06, "leak": 0.06}
STEPS_S = (130, 130, 300, 900, 900, 1800, 3600, 3600)


class Clinic:
    """Everything in one folder. `script` is the model's, `ways` change the record of the settings."""

    def __init__(
        self,
        folder: Path,
        database: Literal["sqlite", "postgresql"] = "sqlite",
        record: Literal["embedded", "fhir"] = "embedded",
        *,
        seed: int = 1,
        undo_s: int = 1,
        script: dict[str, Any] | None = None,
        order: dict[str, Any] | None = None,
        store_folder: Path | None = None,
        drop: Path | None = None,
        timeout_s: float = 2.0,
        draft_by_s: int = 120,
    ) -> None:
        self.folder, self.kind, self.seed = folder, record, seed
        self.keys, self.clock, self.drop = folder / "keys", folder / "clock", drop or folder / "drop"
        self.anchor = folder / "anchor.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self.drop.mkdir()
        self.offset = 0.0
        set_clock(self.clock, 0)
        self.database = Database(folder / "postgres") if database == "postgresql" else None
        if self.database:
            self.database.start()
            self.database.wait()
        place = (store_folder or folder / "store") / "prescreen.db"
        self.url = self.database.url if self.database else f"sqlite:///{place}"
        self.record_folder = folder / "record"
        self.record_folder.mkdir()
        open_record(self.record_folder)[0].close()
        ports = free_port(), free_port()
        ways: list[dict[str, Any]] = [{"kind": "drop", "name": "folder", "folder": str(self.drop)}]
        if record == "fhir":
            address = f"http://127.0.0.1:{ports[1]}"
            ways.insert(0, {"kind": "fhir", "name": "record", "base_url": address, "timeout_s": timeout_s})
        else:
            ways.insert(0, {"kind": "embedded", "name": "record"})
        settings = {
            "demo": True,
            "clinic": {"name": "Harbour Clinic", "emergency_number": "112", "languages": ["en", "es", "ar", "de"]},
            "web": {"base_url": f"http://localhost:{ports[0]}"},
            "review": {"undo_s": undo_s, "blind_share": 0.15, "draft_by_s": draft_by_s},
            "identity": {"totp_for": []},
            "record": ways,
        }
        told = {
            "database": self.url,
            "keys": self.keys,
            "clock": self.clock,
            "port": ports[0],
            "settings": settings,
            "script": script or {"rates": RATES, "seed": seed, "slow_s": 0.2},
            **(order or {}),
        }
        path = write_order(folder / "order.json", **told)
        self.base = f"http://localhost:{ports[0]}"
        self.app = Process("app", ports[0], folder / "app.log", "service.broken_app", path)
        log = folder / "record.log"
        self.fhir = Process("fhir", ports[1], log, "service.broken_record", self.record_folder, ports[1], seed)
        self.store = open_store(self.url, self.keys, FileClock(self.clock))
        self._add_people()

    @property
    def parts(self) -> dict[str, Part]:
        found: dict[str, Part] = {"app": self.app}
        if self.database:
            found["database"] = self.database
        if self.kind == "fhir":
            found["fhir"] = self.fhir
        return found

    def open(self) -> None:
        """Everything runs and answers."""
        for part in self.parts.values():
            if part is not self.database:
                part.start()
        for part in self.parts.values():
            part.wait()

    def close(self) -> None:
        self.store.close()
        for part in (self.app, self.fhir, *([self.database] if self.database else [])):
            part.kill()

    def work(
        self, visits: int, kill: Sequence[str] = (), rest: tuple[float, float] = (0.5, 5.0), **how: Any
    ) -> tuple[Ledger, int]:
        """A day of so many visits with these parts killed over and over; the ledger, and how many kills.

        `rest` bounds the seconds between two kills.
        """
        ledger, over = Ledger(), threading.Event()
        killer = Killer([self.parts[name] for name in kill], self.seed, rest) if kill else None
        marker = threading.Thread(target=self._mark, args=(over,), daemon=True)
        marker.start()
        if killer:
            killer.start()
        try:
            run_clinic(self.base, ledger, visits, self.seed, **how)
        finally:
            if killer:
                killer.stop()
            over.set()
            marker.join()
        return ledger, killer.kills if killer else 0

    def advance(self, seconds: float) -> None:
        """Put the service's clock forward, or back."""
        self.offset += seconds
        set_clock(self.clock, self.offset)

    def settle(self, ledger: Ledger) -> int:
        """Wait until all that can leave has left, the clock put forward over leases and pauses; an admin sends what
        was given up again. How many that were."""
        again = 0
        for step in (0, *STEPS_S):
            self.advance(step)
            until = time.monotonic() + 30
            while time.monotonic() < until and self._moves():
                time.sleep(0.25)
            again += self._send_again(ledger)
            if not self._count("waiting", "dead"):
                break
        return again

    def reckon(self, ledger: Ledger, *, folder: bool = True) -> Reckoned:
        """Hold everything against what people were told; the record's server is stopped for it."""
        take_checkpoint(self.store, self.anchor)
        if self.kind == "fhir":
            self.fhir.kill()
            record = open_record(self.record_folder)
        else:
            record = self.store, FhirDesk(SqlShelf(self.store, Stored, Found, ShelfConflict))
        found = reckon(self.store, ledger, record, self.drop if folder else None, self.anchor)
        found.broken += find_broken(self.app.log)
        return found

    def _moves(self) -> bool:
        """Whether something is due now or in somebody's hands for a moment longer."""
        now = self.store.clock()
        with self.store.look(CONSOLE) as act:
            jobs = act.session.scalars(select(Job).where(Job.state == "waiting")).all()
            rows = act.session.scalars(select(Outgoing).where(Outgoing.state == "waiting")).all()
        return any(
            (one.due <= now or (one.due - now).total_seconds() < 3)
            and (one.lease_until is None or one.lease_until <= now)
            for one in (*jobs, *rows)
        )

    def _count(self, *states: str) -> int:
        with self.store.look(CONSOLE) as act:
            rows = select(func.count()).select_from(Outgoing).where(Outgoing.state.in_(states))
            jobs = select(func.count()).select_from(Job).where(Job.state == "waiting")
            return (act.session.scalar(rows) or 0) + (act.session.scalar(jobs) or 0)

    def _send_again(self, ledger: Ledger) -> int:
        import random

        with self.store.look(CONSOLE) as act:
            if not act.session.scalar(select(func.count()).select_from(Outgoing).where(Outgoing.state == "dead")):
                return 0
        browser = Browser(self.base, ledger)
        with closing(browser):
            for _ in range(5):
                with suppress(Trouble):
                    return Admin(browser, "admin", random.Random(0)).send_again()
        return 0

    def _mark(self, over: threading.Event) -> None:
        """Checkpoints into the anchor, as a timer takes them."""
        while not over.wait(2.0):
            with suppress(StoreError):
                take_checkpoint(self.store, self.anchor)

    def _add_people(self) -> None:
        hashed = hash_password(PASSWORD)
        people = (*((f"nurse{n}", "nurse") for n in range(1, 7)), ("admin", "admin"))
        with self.store.act(CONSOLE) as act:
            for login, role in people:
                user = add_user(act, login, name="Ana Lima", role=role, teams=["clinic"]).user
                user.password, user.must_change = hashed, False
