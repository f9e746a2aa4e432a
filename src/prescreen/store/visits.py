"""A visit from the door to the queue: opened, told turn by turn, alerted, finished. Each act is one transaction.

Acuity only ever rises: `raise_level` is the one place that sets it. Knows no page, nor the interview's inside.
"""

import datetime
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn
from prescreen.clinic.redflags import check_rules, rule_acuity
from prescreen.clinic.signed import PatientLink
from prescreen.errors import ConflictError
from prescreen.store.base import Act, new_id
from prescreen.store.patients import meet_patient
from prescreen.store.record import add_record
from prescreen.store.tables import Entry, Job, Visit

OPEN = ("intake", "waiting", "asked")  # states in which a visit is somebody's task
LEVELS = list(Acuity)  # a level is stored as its rank


def open_visit(
    act: Act,
    *,
    team: str,
    language: str,
    channel: str,
    link: PatientLink | None = None,
    training: bool = False,
) -> Visit:
    """A new visit; a patient the record knows (by reference or identifier) is met again, anyone else is new."""
    link = link or PatientLink()
    patient = meet_patient(act, link)
    patient.training = training
    visit = Visit(
        id=new_id(),
        patient_id=patient.id,
        team=team,
        language=language,
        channel=channel,
        state="intake",
        opened=act.now,
    )
    act.session.add(visit)
    act.session.flush()
    act.log("visit.open", visit.id, channel=channel, language=language, team=team)
    return visit


def tell(
    act: Act, visit_id: str, *, before: str | None, interview: str, said: str = "", case: Case | None = None
) -> Visit:
    """Keep the interview's new state, and of an answer what was said and the case as of now.

    `before` is the state the answer was given to: ConflictError where another tab or a double tap was first.
    """
    visit = lock_visit(act, visit_id, "intake", "asked")
    keep_interview(act, visit, before, interview)
    if case is not None:
        keep_case(act, visit, case)
        add_entry(act, visit, "answer", said)
        act.log("visit.tell", visit.id)
    return visit


def alert(act: Act, visit: Visit, rules: Sequence[str], level: Acuity) -> None:
    """A red flag was said: the visit stands in the queue from now on, whatever follows."""
    raise_level(visit, level, of_rules=True)
    if level is Acuity.EMERGENCY and visit.urgent is None:
        visit.urgent = act.now
    add_entry(act, visit, "alert", json.dumps({"rules": list(rules), "level": level.value}))
    act.log("visit.alert", visit.id, level=level.value, rules=",".join(rules))


def finish(
    act: Act,
    visit_id: str,
    *,
    floor: Acuity | None,
    unasked: Sequence[str],
    draft_by: datetime.timedelta,
    blind_share: float = 0.0,
    state: str = "waiting",
) -> Visit:
    """The patient is done: the visit waits for a nurse and for a draft; rules and intake hold it to `floor`.

    Without a draft by `draft_by` the rules alone draft. Whether the nurse decides before seeing the draft is drawn
    by a keyed hash of the visit, so that nobody can choose it.
    """
    visit = lock_visit(act, visit_id, "intake", "asked")
    visit.state, visit.finished = state, visit.finished or act.now
    if floor is not None:
        raise_level(visit, floor)
    keep_unasked(act, visit, unasked)
    drawn = int.from_bytes(hashlib.sha256(act.keys.look("blind", visit.id)).digest()[:4]) / 2**32
    visit.blind = drawn < blind_share
    request_draft(act, visit, draft_by)
    act.log("visit.finish", visit.id, blind=int(visit.blind))
    return visit


def answer_nurse(act: Act, visit_id: str, question: str, answer: str, draft_by: datetime.timedelta) -> Visit:
    """The patient's answer to a nurse's question: rules read it at once, the nurse has the visit back.

    `question` is the id of the one the patient read: ConflictError where the nurse has put another since.
    """
    visit = lock_visit(act, visit_id, "asked")
    entry, asked = read_entries(act, visit, "question")[-1]
    if entry.id != question:
        raise ConflictError("the nurse has asked something else since; read it and answer again")
    case = read_case(act, visit)
    turns = (*case.turns, Turn(speaker="nurse", text=asked), Turn(speaker="patient", text=answer))
    take_facts(act, visit, case.model_copy(update={"turns": turns}), "answer", answer, draft_by)
    visit.state = "waiting"
    act.log("visit.answer", visit.id)
    return visit


def raise_by_rules(act: Act, visit: Visit, case: Case) -> None:
    """Raise the visit where a rule fires on what is told together with what the record knows."""
    hits = check_rules(add_record(act, visit, case))
    level = rule_acuity(hits)
    if level is not None and (visit.level_rules is None or level.rank > visit.level_rules):
        alert(act, visit, [hit.rule.id for hit in hits], level)


def take_facts(act: Act, visit: Visit, case: Case, kind: str, said: str, draft_by: datetime.timedelta) -> None:
    """Something new is known of a waiting visit: kept, read by the rules at once, drafted anew."""
    keep_case(act, visit, case)
    add_entry(act, visit, kind, said)
    raise_by_rules(act, visit, case)
    request_draft(act, visit, draft_by)


def request_draft(act: Act, visit: Visit, draft_by: datetime.timedelta) -> None:
    """Ask the worker for a draft of the case as it stands; an older wish for the same visit is dropped."""
    wished = select(Job).where(Job.visit_id == visit.id, Job.kind == "draft", Job.state == "waiting")
    for job in act.session.scalars(wished):
        job.state = "failed"
    act.session.add(
        Job(id=new_id(), visit_id=visit.id, kind="draft", state="waiting", due=act.now, deadline=act.now + draft_by)
    )


def raise_level(visit: Visit, level: Acuity, *, of_rules: bool = False) -> None:
    """The only way a visit's acuity changes before the signature: upwards."""
    visit.level = level.rank if visit.level is None else max(visit.level, level.rank)
    if of_rules:
        visit.level_rules = level.rank if visit.level_rules is None else max(visit.level_rules, level.rank)


def standing(visit: Visit) -> int:
    """The rank by which a visit waits: one that nobody has assessed stands among the HIGH ones."""
    return Acuity.HIGH.rank if visit.level is None else visit.level


def lock_visit(act: Act, visit_id: str, *states: str) -> Visit:
    """A visit nobody else changes until the act ends, in one of these states."""
    visit: Visit = act.lock(Visit, visit_id)
    if states and visit.state not in states:
        raise ConflictError(f"the visit is {visit.state} by now; look at the list again")
    return visit


def keep_case(act: Act, visit: Visit, case: Case) -> None:
    """The case as of now: what rules and model read. Whoever saw the visit before must look again."""
    visit.case = act.seal(visit.patient_id, f"visits|case|{visit.id}", case.model_dump_json())
    visit.version += 1


def read_case(act: Act, visit: Visit) -> Case:
    """The case as of now; ConflictError before the first answer."""
    if visit.case is None:
        raise ConflictError("the patient has not said anything yet")
    return Case.model_validate_json(act.unseal(visit.patient_id, f"visits|case|{visit.id}", visit.case))


def keep_unasked(act: Act, visit: Visit, unasked: Sequence[str]) -> None:
    """What a nurse must know was not asked or not answered."""
    visit.unasked = act.seal(visit.patient_id, f"visits|unasked|{visit.id}", json.dumps(list(unasked)))


def keep_interview(act: Act, visit: Visit, before: str | None, interview: str) -> None:
    """The interview's new state, which only the interview reads; ConflictError where the old is not `before`."""
    if before is not None and read_interview(act, visit) != before:
        raise ConflictError("this was answered already; here is where you are now")
    visit.interview = act.seal(visit.patient_id, f"visits|interview|{visit.id}", interview)


def read_interview(act: Act, visit: Visit) -> str | None:
    """The interview's state, None before the first answer."""
    if visit.interview is None:
        return None
    return act.unseal(visit.patient_id, f"visits|interview|{visit.id}", visit.interview)


def add_entry(act: Act, visit: Visit, kind: str, body: str) -> Entry:
    """Append to what was said and done; the visit must be locked by this act."""
    last = act.session.scalar(select(func.max(Entry.number)).where(Entry.visit_id == visit.id))
    entry = Entry(
        id=new_id(), visit_id=visit.id, number=(last or 0) + 1, at=act.now, kind=kind, actor=act.who.id, body=b""
    )
    entry.body = act.seal(visit.patient_id, f"entries|body|{entry.id}", body)
    act.session.add(entry)
    act.session.flush()
    return entry


def read_entries(act: Act, visit: Visit, *kinds: str) -> list[tuple[Entry, str]]:
    """What was said and done, in order, opened."""
    query = select(Entry).where(Entry.visit_id == visit.id).order_by(Entry.number)
    return [
        (entry, act.unseal(visit.patient_id, f"entries|body|{entry.id}", entry.body))
        for entry in act.session.scalars(query)
        if not kinds or entry.kind in kinds
    ]


def read_unasked(act: Act, visit: Visit) -> list[str]:
    """What a nurse must know was not asked."""
    if visit.unasked is None:
        return []
    told: list[Any] = json.loads(act.unseal(visit.patient_id, f"visits|unasked|{visit.id}", visit.unasked))
    return [str(item) for item in told]
