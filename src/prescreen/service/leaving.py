"""What an interview tells the nurse that its patient did not end: how high it waits, and what was not asked.

An interview this program cannot read is a person's task at once. Knows no page and no store.
"""

from typing import Final, NamedTuple

from prescreen.clinic.acuity import Acuity
from prescreen.errors import InputError
from prescreen.intake import interview as talk
from prescreen.intake.state import Interview

UNREADABLE: Final = "What was asked so far: the saved questions cannot be read by this version; ask anew."


class Left(NamedTuple):
    """`floor` is the least level of the visit, None where nothing raises it."""

    floor: Acuity | None
    unasked: tuple[str, ...]


def find_floor(state: Interview) -> Acuity | None:
    """The level an interview holds its visit to; None where nothing raises it."""
    floor = talk.floor(state)
    return None if floor is Acuity.LOW else floor


def read_left(told: str | None, *, alone: bool) -> Left:
    """Of a saved interview; `alone` where the patient went and no nurse has the visit in hand."""
    try:
        state = talk.resume(told or "")
    except InputError:
        return Left(Acuity.HIGH, (UNREADABLE,))
    return Left(find_floor(talk.opt_out(state) if alone else state), talk.unasked(state))
