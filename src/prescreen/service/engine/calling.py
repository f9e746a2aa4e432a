"""One question to an engine with a deadline that holds even where the engine does not.

`ThreadCaller` asks from a thread: one that hangs is left behind and counted, for a thread cannot be killed.
`service.host` asks a process, which can. Knows engines and clocks, nothing about cases.
"""

import threading
import time
from collections.abc import Callable
from enum import Enum
from queue import Empty, Queue
from typing import Any, NamedTuple, Protocol, TypeVar

from prescreen.model.engine import Completion, Engine
from prescreen.model.harmony import Message

T = TypeVar("T")


class Fault(Enum):
    """Why there is no usable answer, in words for a nurse. None of them quotes a patient, a model or a server."""

    OFF = "no model serves"
    LAPSED = "the release no longer stands"
    PAUSED = "the model is paused after repeated failures"
    FULL = "too many cases wait for the model"
    BUSY = "the model was busy until the time was up"
    STARTING = "the model is starting"
    HANGING = "too many earlier questions hang in the model"
    LATE = "the model did not answer in time"
    FAILED = "the model failed"
    CUT = "the model's answer was cut off before its end"
    UNREADABLE = "the model's answer is no report"


ENGINE_FAULTS = frozenset({Fault.STARTING, Fault.HANGING, Fault.LATE, Fault.FAILED})  # those a breaker counts


class Call(NamedTuple):
    """One question. Times are of `time.monotonic`: the answer is wanted by `deadline`; what works on beyond
    `give_up` counts as hung and may be killed."""

    messages: list[Message]
    schema: dict[str, Any] | None
    max_tokens: int
    deadline: float
    give_up: float


class Caller(Protocol):
    """What answers one question in time or says why not, and never raises."""

    name: str
    at_once: int

    def call(self, call: Call) -> Completion | Fault: ...

    def close(self) -> None: ...


class ThreadCaller:
    """Any engine, asked from a thread of its own per question. At most `most_hanging` may be left behind."""

    def __init__(self, engine: Engine, *, at_once: int = 1, most_hanging: int = 4) -> None:
        self.engine, self.name, self.at_once, self.most_hanging = engine, engine.name, at_once, most_hanging
        self._left: set[threading.Thread] = set()
        self._lock = threading.Lock()

    @property
    def hanging(self) -> int:
        """Threads left behind that still run."""
        with self._lock:
            self._left = {thread for thread in self._left if thread.is_alive()}
            return len(self._left)

    def call(self, call: Call) -> Completion | Fault:
        if self.hanging >= self.most_hanging:
            return Fault.HANGING
        box: Queue[Completion | Fault] = Queue()  # of this question alone: a late answer falls into no other
        thread = threading.Thread(target=self._answer, args=(call, box), daemon=True, name="a question")
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread left
            return Fault.FAILED
        try:
            return box.get(timeout=max(0.0, call.deadline - time.monotonic()))
        except Empty:
            with self._lock:
                self._left.add(thread)
            return Fault.LATE

    def close(self) -> None:
        """Nothing is held; threads left behind end with the process."""

    def _answer(self, call: Call, box: "Queue[Completion | Fault]") -> None:
        answer: Completion | Fault = Fault.FAILED
        try:
            answer = ask_engine(self.engine, call.messages, call.schema, call.max_tokens)
        finally:
            box.put(answer)


def ask_engine(
    engine: Engine, messages: list[Message], schema: dict[str, Any] | None, max_tokens: int
) -> Completion | Fault:
    """One answer without its analysis. Whatever an engine raises, or any other number of answers, is a failure."""
    try:
        answers = engine.generate([messages], schema=schema, max_tokens=max_tokens)
    except Exception:  # its words may quote the patient: only that it failed goes on
        return Fault.FAILED
    if len(answers) != 1 or answers[0].finish == "error":
        return Fault.FAILED
    return answers[0]._replace(thinking="", error="")


def run_within(work: Callable[[], T], seconds: float) -> T | None:
    """What `work` returns, or None when it takes longer; errors are the caller's."""
    box: Queue[tuple[T | None, Exception | None]] = Queue()

    def carry_out() -> None:
        try:
            box.put((work(), None))
        except Exception as error:  # handed to who waits
            box.put((None, error))

    threading.Thread(target=carry_out, daemon=True).start()
    try:
        result, error = box.get(timeout=seconds)
    except Empty:
        return None
    if error is not None:
        raise error
    return result
