"""A patient's way through one visit: begun, answered page by page, sent, asked again. Knows no page and no request.

What is said is kept before anything else happens; a red flag stands in the nurses' queue in the same transaction.
The model is asked for a further question only when the script has asked all of its own, and is never waited for
longer than the guarded engine allows.
"""

import datetime
import hashlib
import json
from typing import Final, NamedTuple

from prescreen.clinic.case import Case
from prescreen.clinic.signed import PatientLink
from prescreen.errors import ConflictError
from prescreen.intake import interview as talk
from prescreen.intake.reading import Raw
from prescreen.intake.state import Alert, Interview, Problem, Settings, Step
from prescreen.service.house import House
from prescreen.service.leaving import find_floor
from prescreen.service.patient.late import keep_late
from prescreen.store.base import Act, Who
from prescreen.store.passes import give_code, try_code, use_code
from prescreen.store.patients import read_link, write_link
from prescreen.store.sessions import Begun, Limits, begin
from prescreen.store.tables import Patient, Visit
from prescreen.store.visits import (
    OPEN,
    alert,
    answer_nurse,
    finish,
    open_visit,
    raise_by_rules,
    read_entries,
    read_interview,
    tell,
)

RESUME: Final = datetime.timedelta(hours=24)
DOOR: Final = Who("door", "anyone")


class Place(NamedTuple):
    """Where a patient is: the page, a mark of the state it was made of, and whether a name was asked for."""

    language: str
    state: str
    step: Step
    mark: str
    link: PatientLink
    question: str  # the nurse's, where one waits for an answer
    asked: str  # its id, so that an answer is never put to another question


def begin_visit(house: House, language: str, limits: Limits, *, channel: str, training: bool) -> tuple[Begun, str]:
    """A visit of somebody who walks in, its session, and the code to go on later."""
    with house.store.act(DOOR) as act:
        team = house.settings.clinic.teams[0]
        visit = open_visit(act, team=team, language=language, channel=channel, training=training)
        return _begin(act, house, visit, limits, channel, training=training)


def take_invitation(
    house: House, invite: str, language: str, limits: Limits, *, channel: str, training: bool, address: str
) -> tuple[Begun, str] | None:
    """The same on the visit an invitation was made for; None where it opens none, or this address has to wait."""
    with house.store.act(DOOR) as act:
        visit = try_code(act, invite, "invite", address)
        if visit is None or visit.state != "intake" or visit.interview is not None:
            return None
        use_code(act, invite)
        visit.language = language
        act.session.get_one(Patient, visit.patient_id).training = training
        return _begin(act, house, visit, limits, channel, training=training)


def _begin(
    act: Act, house: House, visit: Visit, limits: Limits, channel: str, *, training: bool
) -> tuple[Begun, str]:
    act.log("consent", visit.id, training=int(training), language=visit.language)
    state = talk.begin(visit.language, visit.id, _settings(house, channel))
    tell(act, visit.id, before=None, interview=state.model_dump_json())
    code = give_code(act, visit.id, "resume", RESUME)
    return begin(act, limits, visit_id=visit.id), code


def find_place(house: House, visit_id: str) -> Place:
    """The page to show now."""
    with house.store.look(Who(visit_id, "patient")) as act:
        visit = act.session.get_one(Visit, visit_id)
        told = read_interview(act, visit)
        if told is None:
            raise ConflictError("this visit has not begun; open the invitation again")
        state = Interview.model_validate_json(told)
        asked = read_entries(act, visit, "question")[-1:] if visit.state == "asked" else []
        return Place(
            visit.language,
            visit.state,
            talk.next_step(state if visit.state == "intake" else talk.end(state)),
            _mark(told),
            read_link(act, visit),
            asked[0][1] if asked else "",
            asked[0][0].id if asked else "",
        )


def give_name(house: House, visit_id: str, link: PatientLink) -> None:
    """Keep who the patient says they are; what the record knows already is not overwritten."""
    with house.store.act(Who(visit_id, "patient")) as act:
        visit = act.session.get_one(Visit, visit_id)
        if visit.state == "intake" and read_link(act, visit).reference is None:
            write_link(act, visit, link)


def take_answer(house: House, visit_id: str, mark: str, step: str, values: Raw) -> tuple[Problem, ...]:
    """Keep an answer; what was not taken is returned in words for the patient.

    Where the questions were ended by somebody else meanwhile, it reaches the nurse all the same.
    """
    patient = Who(visit_id, "patient")
    with house.store.look(patient) as look:  # rules and words are read while nobody waits for the database
        before = _read(look, look.session.get_one(Visit, visit_id), mark, *OPEN)
    asked = Interview.model_validate_json(before)
    answered = talk.answer(asked, values, step)
    said = json.dumps({"step": step, "values": dict(values)}, ensure_ascii=False)
    case = talk.to_case(answered.state)
    with house.store.act(patient) as act:
        if _open(act, visit_id, mark, *OPEN).state != "intake":
            keep_late(act, house, visit_id, before, asked, answered, said)
            return ()
        _keep(act, house, visit_id, before, answered.state, said, answered.alerts, case)
    if talk.wants_model(answered.state):
        _follow_up(house, visit_id, answered.state)
    return answered.errors


def move(house: House, visit_id: str, mark: str, way: str, step: str = "") -> None:
    """Back one page, back to one answer, or out: to a person instead of a program."""
    with house.store.act(Who(visit_id, "patient")) as act:
        before = _read(act, _open(act, visit_id, mark), mark)
        state = Interview.model_validate_json(before)
        if way == "out":
            out = talk.opt_out(state)
            _keep(act, house, visit_id, before, out, "asks for a person instead", (), talk.to_case(out))
            return
        moved = talk.go_back(state) if way == "back" else talk.change_answer(state, step)
        tell(act, visit_id, before=before, interview=moved.model_dump_json())


def reply(house: House, visit_id: str, asked: str, answer: str) -> None:
    """The answer to a nurse's question; ConflictError where it is not the one that waits."""
    with house.store.act(Who(visit_id, "patient")) as act:
        answer_nurse(act, visit_id, asked, answer, house.draft_by)


def resume(house: House, code: str, limits: Limits, address: str) -> Begun | None:
    """A new session on the visit of a code; None for a wrong one, and where this address has to wait."""
    with house.store.act(DOOR) as act:
        visit = try_code(act, code, "resume", address)
        if visit is None:
            return None
        act.log("visit.resume", visit.id)
        return begin(act, limits, visit_id=visit.id)


def _keep(
    act: Act,
    house: House,
    visit_id: str,
    before: str,
    state: Interview,
    said: str,
    new: tuple[Alert, ...],
    case: Case,
) -> None:
    """One answer: kept, alarmed where it must be, and the visit finished with the last one."""
    visit = tell(act, visit_id, before=before, interview=state.model_dump_json(), said=said, case=case)
    if new:
        alert(act, visit, [one.rule for one in new], max(one.acuity for one in new))
    if visit.record is not None:
        raise_by_rules(act, visit, case)
    if state.ended:
        review = house.settings.review
        finish(
            act,
            visit_id,
            floor=find_floor(state),
            unasked=talk.unasked(state),
            draft_by=house.draft_by,
            blind_share=0.0 if state.urgent else review.blind_share,
        )


def _follow_up(house: House, visit_id: str, state: Interview) -> None:
    """Ask the model for one more question; whatever goes wrong, the script goes on."""
    engine, label = house.engine, house.label  # others may stand there by the next line
    if engine is None:
        return
    name, version = ("none", "none") if label is None else (label.name, label.version)
    with house.spans.span("question", model=name, version=version) as span:
        question = engine.ask(talk.model_messages(state))
        span.tell(finish="stop" if question else "error")
    offered = talk.offer_question(state, question or "")
    try:
        with house.store.act(Who(visit_id, "patient")) as act:
            tell(act, visit_id, before=state.model_dump_json(), interview=offered.model_dump_json())
    except ConflictError:
        return  # the patient went on meanwhile


def _open(act: Act, visit_id: str, mark: str, *states: str) -> Visit:
    """The visit whose interview stands at this mark, nobody else's to change until this act ends."""
    visit = act.session.get_one(Visit, visit_id, with_for_update=True, populate_existing=True)
    _read(act, visit, mark, *states)
    return visit


def _read(act: Act, visit: Visit, mark: str, *states: str) -> str:
    """The interview's state; ConflictError where it or the visit's is another."""
    told = read_interview(act, visit)
    if told is None or _mark(told) != mark or visit.state not in (states or ("intake",)):
        raise ConflictError("this was answered already; here is where you are now")
    return told


def _mark(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _settings(house: House, channel: str) -> Settings:
    clinic = house.settings.clinic
    return Settings(
        year=house.store.clock().year,
        clinic=clinic.name,
        emergency_number=clinic.emergency_number,
        on_site=channel == "tablet",
        follow_ups=4 if house.engine is not None else 0,
    )
