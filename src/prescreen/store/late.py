"""An answer that comes when the questions were ended by somebody else: kept beside what the nurse has added.

A nurse ends the questions, or the sweep takes a visit over, while the patient writes. Nothing they send is dropped
for that: the rules read it at once, the visit may rise, and whoever reviews it must look again. Knows no page.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case
from prescreen.store.base import Act
from prescreen.store.visits import (
    add_entry,
    alert,
    keep_interview,
    keep_unasked,
    lock_visit,
    raise_level,
    read_case,
    read_unasked,
    take_facts,
)


class Late(NamedTuple):
    """An answer that made `case` of `was`. The lines `told` stand among the unasked no more, `rules` fired on it,
    and the interview holds the visit to `floor`."""

    said: str
    was: Case
    case: Case
    told: Collection[str]
    rules: Sequence[str]
    floor: Acuity | None


def tell_late(
    act: Act, visit_id: str, late: Late, *, before: str, interview: str, draft_by: datetime.timedelta
) -> None:
    """Keep a late answer and the interview's new state.

    `before` is the state the answer was given to: ConflictError where another tab or a double tap was first.
    """
    visit = lock_visit(act, visit_id, "waiting", "asked")
    keep_interview(act, visit, before, interview)
    keep_unasked(act, visit, [line for line in read_unasked(act, visit) if line not in late.told])
    if late.floor is not None:
        raise_level(visit, late.floor)
        if late.rules:
            alert(act, visit, late.rules, late.floor)
    now = read_case(act, visit)
    merged = merge(now, late.was, late.case)
    if merged != now:
        take_facts(act, visit, merged, "answer", late.said, draft_by)
    else:
        add_entry(act, visit, "answer", late.said)
    act.log("visit.tell", visit.id, late=1)


def merge(now: Case, was: Case, case: Case) -> Case:
    """`now`, with what an answer changed from `was` to `case`; what somebody else has changed since stands."""
    taken = {
        name: getattr(case, name)
        for name in Case.model_fields
        if getattr(case, name) != getattr(was, name) and getattr(now, name) == getattr(was, name)
    }
    new = tuple(turn for turn in case.turns if turn not in was.turns)
    return now.model_copy(update={**taken, "turns": (*now.turns, *new)})
