"""Work nobody waits for at a page: drafts for the queue, signatures on their way to the record. Knows no page.

Each loop takes one piece under lease, does it outside any transaction, and notes the result; what a killed worker
held is taken up by the next. Every way to the record has a loop of its own, so that one that hangs delays no other.
`draft_once` and `send_once` do one piece, for tests and simulations.
"""

import datetime
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Report
from prescreen.clinic.signed import ModelLabel
from prescreen.ehr.channel import DeliveryError
from prescreen.model.draft import Drafted
from prescreen.service.engine.guarding import GuardedEngine
from prescreen.service.house import House
from prescreen.service.record.following import follow_once
from prescreen.service.sweeping import sweep
from prescreen.service.watch.labels import name_why
from prescreen.service.watch.trial import Tried, is_drawn, keep, shadow_once
from prescreen.store.base import Who
from prescreen.store.drafts import TRIES, Work, finish_job, is_work_due, put_off, take_job
from prescreen.store.outbox import ALL, Parcel, Ways, is_parcel_due, mark_failed, mark_sent, take_parcel
from prescreen.store.shadows import ShadowWork

LOG = logging.getLogger("prescreen.worker")
_PAUSE_S, _FAULT_S, _SWEEP_S, _FOLLOW_S, _RELOAD_S = 0.25, 5.0, 60.0, 60.0, 1.0


class Worker:
    """Threads that draft and send until stopped."""

    def __init__(self, house: House, drafting: int = 1) -> None:
        self.house = house
        self.name = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.who = Who("worker", "service")
        self._stop = threading.Event()
        jobs: list[tuple[str, Callable[[], bool]]] = [("draft", self.draft_once)] * drafting
        jobs += [(f"send {name}", partial(self.send_once, Ways((name,), others=False))) for name in house.channels]
        jobs += [("send", self.send_strays_once), ("sweep", self.sweep_once), ("follow", self.follow_once)]
        jobs += [("shadow", self.shadow_once), ("reload", self.reload_once)] if house.reload is not None else []
        self._threads = [threading.Thread(target=self._loop, args=job, name=job[0], daemon=True) for job in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, wait_s: float = 10.0) -> None:
        """Finish the pieces in hand, take no more; `wait_s` is for all threads together."""
        self._stop.set()
        until = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def draft_once(self) -> bool:
        """Draft one waiting visit; False where none waits."""
        with self.house.store.look(self.who) as look:
            if not is_work_due(look):
                return False
        with self.house.store.act(self.who) as act:
            work = take_job(act, self.name)
        if work is None:
            return False
        report, label, failed = self._draft(work)
        if report is None:
            with self.house.store.act(self.who) as act:
                put_off(act, work.job_id, self.name, datetime.timedelta(seconds=5))
            return True
        with self.house.store.act(self.who) as act:
            draft = finish_job(act, work, self.name, report, label)
        if failed is not None and draft is not None:
            tried, drafted = failed
            keep(self.house, tried, ShadowWork(work.visit_id, draft.id, work.case), drafted)
        return True

    def shadow_once(self) -> bool:
        """Let the candidate on trial draft one visit unseen; False where there is none of either."""
        tried = self.house.tried
        return tried is not None and shadow_once(self.house, tried)

    def reload_once(self) -> bool:
        """Notice another release and open it; then a pause."""
        if self.house.reload is not None:
            self.house.reload()
        self._stop.wait(_RELOAD_S)
        return True

    def send_once(self, ways: Ways = ALL) -> bool:
        """Send one signature by one of these ways; False where none is due."""
        with self.house.store.look(self.who) as look:
            if not is_parcel_due(look, ways=ways):
                return False
        with self.house.store.act(self.who) as act:
            parcel = take_parcel(act, self.name, ways=ways)
        if parcel is None:
            return False
        error, lasting, receipt = self._send(parcel)
        with self.house.store.act(self.who) as act:
            if receipt is not None:
                mark_sent(act, parcel, receipt)
            else:
                mark_failed(act, parcel, error, lasting=lasting)
        return True

    def send_strays_once(self) -> bool:
        """Give up one signature for a way that the settings no longer have; False where there is none."""
        return self.send_once(Ways(tuple(self.house.channels)))

    def sweep_once(self) -> bool:
        """One round of tidying; then a pause."""
        sweep(self.house)
        self._stop.wait(_SWEEP_S)
        return True

    def follow_once(self) -> bool:
        """Ask for one outcome; a pause where none is due. Not in the sweep, which a hanging record would stop."""
        if not follow_once(self.house):
            self._stop.wait(_FOLLOW_S)
        return True

    def _draft(self, work: Work) -> tuple[Report | None, ModelLabel | None, "tuple[Tried, Drafted] | None"]:
        """The report and who made it; None for a model's passing trouble that may be tried once more.

        A visit drawn for the canary is drafted by the candidate; where it fails, the champion drafts as always.
        """
        if self.house.store.clock() >= work.deadline:  # the nurse was promised something by now
            why = self.house.why or "drafted by rules only: the model was not free in time"
            return finalise(work.case, None, why), None, None
        failed = None
        tried = self.house.tried
        if tried is not None and is_drawn(self.house.store.keys, work.visit_id, tried):
            drafted = self._ask(tried.engine, tried.label, work)
            if drafted.model is not None:
                return drafted.report, tried.label, None
            failed = (tried, drafted)
        engine, label = self.house.serving()
        if engine is None or label is None:
            return finalise(work.case, None, self.house.why or "drafted by rules only"), None, failed
        drafted = self._ask(engine, label, work)
        late = self.house.store.clock() >= work.deadline
        if drafted.model is None and drafted.finish == "error" and work.attempts < TRIES and not late:
            return None, None, None
        return drafted.report, label if drafted.model is not None else None, failed

    def _ask(self, engine: GuardedEngine, label: ModelLabel, work: Work) -> Drafted:
        with self.house.spans.span("draft", model=label.name, version=label.version) as span:
            drafted = engine.draft(work.case)
            by = "rules" if drafted.model is None else "model"
            span.tell(by=by, why=name_why(drafted.error), finish=drafted.finish)
        return drafted

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

    def _loop(self, name: str, job: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            try:
                if not job():
                    self._stop.wait(_PAUSE_S)
            except Exception as error:  # the database may be away for a while; the loop must outlive it
                LOG.info("%s failed: %s", name, type(error).__name__)
                self._stop.wait(_FAULT_S)
