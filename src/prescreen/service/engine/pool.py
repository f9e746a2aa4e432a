"""Several processes of one model behind one caller: who is idle longest is asked next. Knows hosts alone."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Queue

from prescreen.model.engine import Completion
from prescreen.service.engine.calling import Call, Fault
from prescreen.service.engine.host import Host


class Pool:
    """A `Caller` of as many questions at once as there are hosts."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.hosts, self.name, self.at_once = tuple(hosts), hosts[0].name, len(hosts)
        self._idle: Queue[Host] = Queue()
        for host in hosts:
            self._idle.put(host)

    @property
    def starts(self) -> int:
        """Processes started so far; more than there are hosts means that some were killed or died."""
        return sum(host.starts for host in self.hosts)

    def start(self) -> str:
        """Load the model in all of them, at the same time; the first reason why one did not, or an empty string."""
        with ThreadPoolExecutor(len(self.hosts)) as starters:
            faults = list(starters.map(Host.start, self.hosts))
        return next((fault for fault in faults if fault), "")

    def call(self, call: Call) -> Completion | Fault:
        try:
            host = self._idle.get(timeout=max(0.0, call.deadline - time.monotonic()))
        except Empty:
            return Fault.BUSY
        try:
            return host.call(call)
        finally:
            self._idle.put(host)

    def close(self) -> None:
        """End all processes."""
        for host in self.hosts:
            host.close()
