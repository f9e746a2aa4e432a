"""Tidying by the clock: interviews left half-way become a nurse's task; sessions and tries that ran out go.

Nobody's answers are lost because a phone was put down. Knows no page.
"""

import datetime
from typing import Final

from prescreen.intake import interview as talk
from prescreen.intake.state import Interview
from prescreen.service.door.identity import limits_of
from prescreen.service.house import House
from prescreen.store.anchors import take_checkpoint
from prescreen.store.base import Who
from prescreen.store.once import sweep_once
from prescreen.store.queue import find_left
from prescreen.store.sessions import sweep_sessions
from prescreen.store.throttle import sweep_attempts
from prescreen.store.visits import finish, read_interview

LEFT_AFTER: Final = datetime.timedelta(minutes=45)
WHO: Final = Who("sweeper", "service")


def sweep(house: House) -> int:
    """One round; how many interviews were taken over. Patients come first: a model or an anchor may be away."""
    staff, patient = limits_of(house.settings.identity)
    with house.store.act(WHO) as act:
        sweep_sessions(act, staff, patient)
        sweep_attempts(act)
        sweep_once(act)
    with house.store.look(WHO) as look:
        left = [visit.id for visit in find_left(look, look.now - LEFT_AFTER)]
    for visit_id in left:
        take_over(house, visit_id)
    if house.try_model is not None:
        house.try_model()
    if house.keep_rules is not None:
        house.keep_rules()
    take_checkpoint(house.store, house.settings.audit.anchor, house.settings.audit.every)
    return len(left)


def take_over(house: House, visit_id: str) -> None:
    """A visit its patient left: what was said goes to the nurse, who is told what was not asked."""
    with house.store.act(WHO) as act:
        visits = {visit.id: visit for visit in find_left(act, act.now - LEFT_AFTER)}
        told = read_interview(act, visits[visit_id]) if visit_id in visits else None
        if told is None:
            return
        state = Interview.model_validate_json(told)
        unasked = ("The patient left before the end.", *talk.unasked(state))
        finish(act, visit_id, floor=talk.floor(talk.opt_out(state)), unasked=unasked, draft_by=house.draft_by)
