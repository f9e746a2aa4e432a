"""Tidying by the clock: interviews left half-way become a nurse's task; sessions and tries that ran out go.

Nobody's answers are lost because a phone was put down. Knows no page.
"""

import datetime
import logging
from contextlib import ExitStack
from typing import Final

from prescreen.errors import StoreError
from prescreen.service.door.identity import limits_of
from prescreen.service.house import House
from prescreen.service.leaving import read_left
from prescreen.store.anchors import take_checkpoint
from prescreen.store.base import Who
from prescreen.store.once import sweep_once
from prescreen.store.queue import find_left
from prescreen.store.sessions import sweep_sessions
from prescreen.store.throttle import sweep_attempts
from prescreen.store.visits import finish, read_interview

LOG = logging.getLogger("prescreen.service")
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
        try:
            take_over(house, visit_id)
        except StoreError:
            raise
        except Exception as error:  # one visit that cannot be read must not keep the others from a nurse
            LOG.error("a visit that was left could not be taken over: %s", type(error).__name__)
    with ExitStack() as steps:  # the last put in is the first done; each is done whatever the others come to
        steps.callback(take_checkpoint, house.store, house.settings.audit.anchor, house.settings.audit.every)
        if house.keep_rules is not None:
            steps.callback(house.keep_rules)
        if house.try_model is not None:
            steps.callback(house.try_model)
    return len(left)


def take_over(house: House, visit_id: str) -> None:
    """A visit its patient left: what was said goes to the nurse, who is told what was not asked."""
    with house.store.act(WHO) as act:
        visits = {visit.id: visit for visit in find_left(act, act.now - LEFT_AFTER)}
        if visit_id not in visits:
            return
        left = read_left(read_interview(act, visits[visit_id]), alone=True)
        unasked = ("The patient left before the end.", *left.unasked)
        finish(act, visit_id, floor=left.floor, unasked=unasked, draft_by=house.draft_by)
