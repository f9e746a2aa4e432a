"""What pages and worker ask a model through, and never depend on: every case gets exactly one report, in time.

A bounded queue, a deadline, a breaker for questions and one for drafts, one repair; whatever fails then, the rules
draft alone and the report says why. The analysis of a model is neither returned nor kept. Knows no page and no SQL.
"""

import time
from collections.abc import Callable
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, ValidationError

from prescreen.clinic.case import Case
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Draft
from prescreen.config import Strict
from prescreen.model.draft import MAX_TOKENS, Drafted
from prescreen.model.engine import Completion
from prescreen.model.harmony import Message
from prescreen.model.prompt import task_messages
from prescreen.service.engine.breaker import Breaker, BreakerSettings, Door, Lane
from prescreen.service.engine.calling import ENGINE_FAULTS, Call, Caller, Fault
from prescreen.service.engine.counters import Tally
from prescreen.service.engine.reading import ask_again, read_draft, read_question

QUESTION_TOKENS: Final = 240  # of a question, its analysis included


class GuardSettings(Strict):
    """`timeout_s` covers waiting, answer and repair of a draft; `question_timeout_s` all of a question.

    `waiting` is how many may wait in each lane before the next is turned away at once.
    """

    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    question_timeout_s: Annotated[float, Field(gt=0)] = 5.0
    waiting: Annotated[int, Field(ge=1)] = 32
    breaker: BreakerSettings = BreakerSettings()


class Outcome(NamedTuple):
    """A draft, or why there is none."""

    draft: Draft | None
    reason: str
    finish: Literal["stop", "length", "error"]


class GuardedEngine:
    """`draft` and `ask` never raise for what an engine does; without a caller the rules draft and `why` is said."""

    def __init__(
        self,
        caller: Caller | None,
        settings: GuardSettings | None = None,
        *,
        why: str = "",
        standing: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`standing` is asked before every question: a sentence where the release may not serve any more."""
        self.caller, self.settings, self.why = caller, settings or GuardSettings(), why
        self.tally = Tally()
        self.door = Door(caller.at_once if caller else 1, self.settings.waiting)
        self.breakers: dict[Lane, Breaker] = {
            "ask": Breaker(self.settings.breaker, clock),
            "draft": Breaker(self.settings.breaker, clock),
        }
        self._standing = standing

    def draft(self, case: Case) -> Drafted:
        """The report of this case, by model and rules or by the rules alone; within `timeout_s`."""
        begun = time.monotonic()
        self.tally.count("drafts")
        found = self._draft(task_messages("report", case), begun + self.settings.timeout_s)
        try:
            report = finalise(case, found.draft, found.reason)
        except ValidationError:  # a draft that fits its own schema and not the report's
            found = Outcome(None, Fault.UNREADABLE.value, "error")
            report = finalise(case, None, found.reason)
        self.tally.count("drafted" if found.draft else "by_rules")
        seconds = time.monotonic() - begun
        self.tally.time("draft", seconds)
        return Drafted(report, found.draft, found.reason, found.finish, seconds)

    def ask(self, messages: list[Message]) -> str | None:
        """The model's next question in one line, or None on any trouble; within `question_timeout_s`.

        It is whole, short and free of an analysis; whether a patient may read it is the interview's to check.
        """
        begun = time.monotonic()
        self.tally.count("asked")
        deadline, give_up = begun + self.settings.question_timeout_s, begun + self.settings.timeout_s
        answer = self._call("ask", Call(messages, None, QUESTION_TOKENS, deadline, max(deadline, give_up)))
        question = None if isinstance(answer, Fault) else read_question(answer)
        if question:
            self.tally.count("answered")
        elif not isinstance(answer, Fault):
            self.tally.count("ask_unreadable")
        self.tally.time("ask", time.monotonic() - begun)
        return question

    def close(self) -> None:
        """End what was started for the model."""
        if self.caller:
            self.caller.close()

    def _draft(self, messages: list[Message], deadline: float) -> Outcome:
        """A draft or the reason why not; asked once more where the first answer is no report, never oftener."""
        schema = Draft.model_json_schema()
        answer = self._call("draft", Call(messages, schema, MAX_TOKENS, deadline, deadline))
        if isinstance(answer, Fault):
            return Outcome(None, self._say(answer), "error")
        draft = read_draft(answer)
        if isinstance(draft, Draft):
            return Outcome(draft, "", "stop")
        self.tally.count("schema_failures")
        asked, *said = messages
        again: list[Message] = [{**asked, "content": f"{asked['content']}\n{ask_again(draft)}"}, *said]
        second = self._call("draft", Call(again, schema, MAX_TOKENS, deadline, deadline))
        repaired = draft if isinstance(second, Fault) else read_draft(second)
        if isinstance(repaired, Draft):
            self.tally.count("repaired")
            return Outcome(repaired, "", "stop")
        self.tally.count("repair_failed")
        return Outcome(None, repaired, "length" if repaired == Fault.CUT.value else "error")

    def _call(self, lane: Lane, call: Call) -> Completion | Fault:
        """One question past release, breaker and queue."""
        answer = self._pass(lane, call)
        if isinstance(answer, Fault):
            self.tally.count(f"{lane}_{answer.name.lower()}")
        return answer

    def _pass(self, lane: Lane, call: Call) -> Completion | Fault:
        breaker = self.breakers[lane]
        if self.caller is None:
            return Fault.OFF
        if why := self._standing():
            self.why = why
            return Fault.LAPSED
        if breaker.refuses():  # before the queue: nobody waits for what will not be asked
            return Fault.PAUSED
        with self.door.enter(lane, call.deadline) as fault:
            if fault is not None:
                return fault
            turn = breaker.admit()
            if turn is None:
                return Fault.PAUSED
            answer: Completion | Fault = Fault.FAILED
            try:
                answer = self.caller.call(call)
            except Exception:  # what asks for us has failed as well: the rules draft
                answer = Fault.FAILED
            finally:
                breaker.note(turn, answer in ENGINE_FAULTS, at_once=answer is Fault.HANGING)
            return answer

    def _say(self, fault: Fault) -> str:
        """The reason a nurse reads; that of no model is said in the words it came with."""
        if fault is Fault.LATE:
            return f"the model did not answer within {self.settings.timeout_s:g} s"
        return self.why if fault in (Fault.OFF, Fault.LAPSED) and self.why else fault.value
