"""A model in a process of its own, which can be killed: it hangs or dies alone, and another takes its place.

Lines of JSON go in and out by pipes; the process gets no secret of the service's environment, writes nothing to
a log, keeps its analysis to itself and ends when its pipe closes. Knows engines, nothing about cases.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty, Queue
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from prescreen.config import Strict
from prescreen.model.engine import Completion
from prescreen.service.engine.calling import Call, Fault

LONGEST_LINE: Final = 1 << 20  # bytes of an answer
GRACE_S: Final = 5.0
KEPT: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
)  # fmt: skip
CLOSED: Final = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "GOMP_SPINCOUNT": "20000"}


class Ready(Strict):
    """The model is loaded; `fault` says why it is not."""

    fault: str = ""


class Reply(Strict):
    """The answer to the question of this number."""

    number: int
    failed: bool = False
    text: Annotated[str, Field(max_length=LONGEST_LINE)] = ""
    finish: Literal["stop", "length"] = "stop"
    tokens: int = 0


LINE: TypeAdapter[Ready | Reply] = TypeAdapter(Ready | Reply)


class Child:
    """One process and what it has said; `said` ends with None when its pipe closes."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self.begun, self.ready = time.monotonic(), False
        self.said: Queue[Ready | Reply | None] = Queue()
        self._orders: Queue[str | None] = Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "prescreen.service.engine.hosted"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback may quote the patient
            env={name: os.environ[name] for name in KEPT if name in os.environ} | CLOSED,
            start_new_session=True,
        )
        self.send(order)
        threading.Thread(target=self._write, daemon=True).start()  # a process that reads nothing must not hold us
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, value: Mapping[str, Any]) -> None:
        """Hand over one line, without waiting for it to be read."""
        self._orders.put(json.dumps(value))

    def hear(self, until: float) -> Ready | Reply | None:
        """What it says next, None where it has ended; Empty when nothing came in time."""
        return self.said.get(timeout=max(0.0, until - time.monotonic()))

    def kill(self) -> None:
        """End it now, whatever it does, and wait until it is gone."""
        self._orders.put(None)
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):  # a driver may hold a process that nobody can kill
            self.process.wait(GRACE_S)

    def _write(self) -> None:
        assert self.process.stdin
        with suppress(OSError), self.process.stdin as pipe:  # where it is gone, the reader says so
            while (line := self._orders.get()) is not None:
                pipe.write(line.encode() + b"\n")
                pipe.flush()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            while (line := lines.readline(LONGEST_LINE)).endswith(b"\n"):
                try:
                    self.said.put(LINE.validate_json(line))
                except ValidationError:
                    break  # what speaks another language is not asked again
        self.said.put(None)


class Host:
    """A `Caller`: one question at a time to a process that is started again whenever it had to be killed.

    `order` names what it loads: {"kind": "model", "where": ..., "threads": ...} or {"kind": "script", ...}.
    """

    at_once = 1

    def __init__(self, order: Mapping[str, Any], name: str, *, start_s: float = 300.0) -> None:
        """`start_s` is how long loading may take before the process is taken for hung."""
        self.name, self.start_s = name, start_s
        self.starts, self.fault = 0, ""
        self.took_s: float | None = None  # how long the last start took
        self._order, self._number, self._is_open = dict(order), 0, True
        self._turn = threading.Lock()
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process that would be asked now."""
        return self._child.process.pid if self._child else None

    def start(self) -> str:
        """Load the model now and wait for it; why it did not, or an empty string."""
        with self._turn:
            fault = self._prepare(time.monotonic() + self.start_s)
        return "" if fault is None else self.fault or fault.value

    def call(self, call: Call) -> Completion | Fault:
        if not self._turn.acquire(timeout=max(0.0, call.deadline - time.monotonic())):
            return Fault.BUSY
        answer: Completion | Fault | None = Fault.FAILED
        try:
            answer = self._prepare(call.deadline) or self._ask(call)
        finally:
            if answer is not None:
                self._turn.release()
        if answer is not None:
            return answer
        threading.Thread(target=self._wait_out, args=(call.give_up,), daemon=True).start()
        return Fault.LATE

    def close(self) -> None:
        """Kill the process and start no other."""
        self._is_open = False
        if child := self._child:
            child.kill()

    def _prepare(self, deadline: float) -> Fault | None:
        """None once the model is loaded; a process that died while nobody asked is replaced first."""
        if self._child is None or (self._child.ready and self._child.process.poll() is not None):
            self._replace()
        child = self._child
        if child is None or child.ready:
            return None if child else Fault.FAILED
        try:
            heard = child.hear(min(deadline, child.begun + self.start_s))
        except Empty:
            if time.monotonic() < child.begun + self.start_s:
                return Fault.STARTING
            self._discard()
            return Fault.FAILED
        if not isinstance(heard, Ready) or heard.fault:
            self.fault = heard.fault if isinstance(heard, Ready) else ""
            self._discard()
            return Fault.FAILED
        child.ready, self.took_s = True, time.monotonic() - child.begun
        return None

    def _ask(self, call: Call) -> Completion | Fault | None:
        """The answer; None where it is late and may yet come, for the turn then goes to who waits it out."""
        assert self._child
        self._number += 1
        messages = [dict(message) for message in call.messages]
        self._child.send(
            {"number": self._number, "messages": messages, "schema": call.schema, "max_tokens": call.max_tokens}
        )
        try:
            return self._take(call.deadline)
        except Empty:
            return None

    def _take(self, until: float) -> Completion | Fault:
        """The reply to the last question; a process that ends or answers another question is replaced."""
        assert self._child
        heard = self._child.hear(until)
        if not isinstance(heard, Reply) or heard.number != self._number:
            self._replace()
            return Fault.FAILED
        return Fault.FAILED if heard.failed else Completion(heard.text, "", heard.finish, heard.tokens)

    def _wait_out(self, give_up: float) -> None:
        """Let a late answer come and drop it, or kill what works on it; the turn is free only then."""
        try:
            self._take(give_up)
        except Empty:
            self._replace()
        finally:
            self._turn.release()

    def _discard(self) -> None:
        if self._child:
            self._child.kill()
        self._child = None

    def _replace(self) -> None:
        """Kill at once and load anew in the background: the next question may find it ready."""
        self._discard()
        self._spawn()

    def _spawn(self) -> None:
        if self._is_open:
            self.starts += 1
            with suppress(OSError):  # no memory or no process left: the next question tries again
                self._child = Child(self._order)


def open_pipe() -> Callable[[Strict], None]:
    """In the process itself: a way to say lines that no print of a library can get between."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def say(value: Strict) -> None:
        pipe.write(value.model_dump_json() + "\n")
        pipe.flush()

    return say
