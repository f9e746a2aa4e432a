"""Codes that open one visit for its patient: an invitation from the clinic, or the code to go on later.

Of a code only a keyed hash is kept. A code has 49 random bits and tries are slowed down by address, so it is not to
be guessed while it lives. Knows no page.
"""

import datetime
import secrets
from typing import Final, Literal

from sqlalchemy import select

from prescreen.store.base import Act
from prescreen.store.people import Pass
from prescreen.store.tables import Visit
from prescreen.store.throttle import CODE, enter, give_back
from prescreen.store.visits import OPEN

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that looks like something else
LENGTH: Final = 10
Kind = Literal["invite", "resume"]


def give_code(act: Act, visit_id: str, kind: Kind, lasts: datetime.timedelta) -> str:
    """A new code for a visit, told this once; an older one of the same kind is void."""
    for old in act.session.scalars(select(Pass).where(Pass.visit_id == visit_id, Pass.kind == kind)):
        act.session.delete(old)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    act.session.add(Pass(look=_look(act, code), visit_id=visit_id, kind=kind, ends=act.now + lasts))
    act.log(f"pass.{kind}", visit_id)
    return code


def open_code(act: Act, code: str, kind: Kind) -> Visit | None:
    """The visit behind a code, None where there is none that lives. An invitation is not used up by looking."""
    found = act.session.get(Pass, _look(act, code))
    if found is None or found.kind != kind or found.ends <= act.now:
        return None
    visit = act.session.get(Visit, found.visit_id)
    return visit if visit is not None and visit.state in (*OPEN, "signed") else None


def try_code(act: Act, code: str, kind: Kind, address: str) -> Visit | None:
    """The visit behind a code that somebody typed, None for a wrong one and where the address has to wait.

    Counted, looked up and, where it was right, taken off again in one act, so that many who go on at once from one
    address stand in line instead of in each other's way, and a crash in between leaves no right try behind.
    """
    if enter(act, (CODE, address)) is not None:
        return None
    visit = open_code(act, code, kind)
    if visit is not None:
        give_back(act, CODE, address)
    return visit


def use_code(act: Act, code: str) -> None:
    """Note that an invitation was taken up: it opens the visit once."""
    found = act.session.get(Pass, _look(act, code))
    if found is not None:
        found.used, found.ends = act.now, act.now


def show_code(code: str) -> str:
    """A code in two groups, easier to copy by hand."""
    return f"{code[:5]}-{code[5:]}"


def _look(act: Act, code: str) -> str:
    plain = "".join(c for c in code.upper() if c in ALPHABET)
    return act.keys.look("pass", plain).hex()
