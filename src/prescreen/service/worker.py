"""Work nobody waits for at a page: drafts for the queue, signatures on their way to the record. Knows no page.

Each loop takes one piece under lease, does it outside any transaction, and notes the result; what a killed worker
held is taken up by the next. `draft_once` and `send_once` do one piece, for tests and simulations.
"""

import datetime
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable

from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel
from prescreen.ehr.channel import DeliveryError
from prescreen.service.house import House
from prescreen.service.sweeping import sweep
from prescreen.service.watch.labels import name_why
from prescreen.store.base import Who
from prescreen.store.drafts import TRIES, Work, finish_job, is_work_due, put_off, take_job
from prescreen.store.outbox import Parcel, is_parcel_due, mark_failed, mark_sent, take_parcel

LOG = logging.getLogger("prescreen.worker")
_PAUSE_S, _FAULT_S, _SWEEP_S = 0.25, 5.0, 60.0


class Worker:
    """Threads that draft and send until stopped."""

    def __init__(self, house: House, drafting: int = 1) -> None:
        self.house = house
        self.name = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.who = Who("worker", "service")
        self._stop = threading.Event()
        jobs = [self.draft_once] * drafting + [self.send_once, self.sweep_once]
        self._threads = [threading.Thread(target=self._loop, args=(job,), daemon=True) for job in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, wait_s: float = 10.0) -> None:
        """Finish the piece in hand, take no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(wait_s)

    def draft_once(self) -> bool:
        """Draft one waiting visit; False where none waits."""
        with self.house.store.look(self.who) as look:
            if not is_work_due(look):
                return False
        with self.house.store.act(self.who) as act:
            work = take_job(act, self.name)
        if work is None:
            return False
        report, label = self._draft(work)
        if report is None:
            with self.house.store.act(self.who) as act:
                put_off(act, work.job_id, self.name, datetime.timedelta(seconds=5))
            return True
        with self.house.store.act(self.who) as act:
            finish_job(act, work, self.name, report, label)
        return True

    def send_once(self) -> bool:
        """Send one signature; False where none is due."""
        with self.house.store.look(self.who) as look:
            if not is_parcel_due(look):
                return False
        with self.house.store.act(self.who) as act:
            parcel = take_parcel(act, self.name)
        if parcel is None:
            return False
        error, lasting, receipt = self._send(parcel)
        with self.house.store.act(self.who) as act:
            if receipt is not None:
                mark_sent(act, parcel, receipt)
            else:
                mark_failed(act, parcel, error, lasting=lasting)
        return True

    def sweep_once(self) -> bool:
        """One round of tidying; then a pause."""
        sweep(self.house)
        self._stop.wait(_SWEEP_S)
        return True

    def _draft(self, work: Work) -> tuple[Report | None, ModelLabel | None]:
        """The report and who made it; None for a model's passing trouble that may be tried once more."""
        engine, label = self.house.engine, self.house.label
        if engine is None or label is None:
            return finalise(work.case, None, self.house.why or "drafted by rules only"), None
        with self.house.spans.span("draft", model=label.name, version=label.version) as span:
            drafted = engine.draft(work.case)
            by = "rules" if drafted.model is None else "model"
            span.tell(by=by, why=name_why(drafted.error), finish=drafted.finish)
        late = self.house.store.clock() >= work.deadline
        if drafted.model is None and drafted.finish == "error" and work.attempts < TRIES and not late:
            return None, None
        return drafted.report, label if drafted.model is not None else None

    def _send(self, parcel: Parcel) -> tuple[str, bool, str | None]:
        channel = self.house.channels.get(parcel.channel)
        if channel is None:
            return f"there is no way called {parcel.channel} in the settings any more", True, None
        try:
            with self.house.spans.span("delivery", channel=parcel.channel):
                return "", False, channel.deliver(parcel.visit).reference
        except DeliveryError as error:
            return str(error), error.lasting, None
        except Exception as error:  # a fault of ours must not lose a signature: it stays and is tried again
            LOG.info("sending failed: %s", type(error).__name__)
            return f"an unexpected fault ({type(error).__name__})", False, None

    def _loop(self, job: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            try:
                if not job():
                    self._stop.wait(_PAUSE_S)
            except Exception as error:  # the database may be away for a while; the loop must outlive it
                LOG.info("%s failed: %s", job.__name__, type(error).__name__)
                self._stop.wait(_FAULT_S)
