"""Who is at the nurse's pages, what they posted, and whether a visit is theirs: the one seam to the sign-in.

The guard has let the caller through and looked at the form's token before any of this is asked. Knows no page.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from prescreen.errors import RefusedError
from prescreen.service.door.access import VISIT_ID, may_open
from prescreen.service.door.identity import Caller, CurrentUser
from prescreen.service.house import House, house_of
from prescreen.store.base import Act, Who
from prescreen.store.holding import SIGNERS
from prescreen.store.tables import Visit


@dataclass(frozen=True)
class Viewer:
    """A member of staff who is signed in."""

    id: str
    name: str
    role: str
    teams: tuple[str, ...]
    caller: Caller

    @property
    def who(self) -> Who:
        return Who(self.id, self.role)


class Posted:
    """A form as it came in: text only, bounded, with the line ends of this side."""

    def __init__(self, form: FormData) -> None:
        self._values = {
            name: value.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
            for name, value in form.multi_items()
            if isinstance(value, str)
        }

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter((name, value) for name, value in self._values.items() if name != "csrf")

    def text(self, name: str, most: int = 2_000) -> str:
        """A field without the space around it, "" where it is missing; RefusedError where it is too long."""
        value = self._values.get(name, "").strip()
        if len(value) > most:
            raise RefusedError(f"{name.replace('_', ' ').replace('-', ' ')}: write at most {most} characters")
        return value

    def number(self, name: str) -> int:
        """A whole number, -1 where there is none."""
        value = self._values.get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1


async def viewer_of(caller: CurrentUser) -> Viewer:
    """The nurse or physician at this page; nobody else sees one."""
    user = caller.user
    if user is None or user.role not in SIGNERS:
        raise HTTPException(404)
    return Viewer(user.id, user.name, user.role, tuple(user.teams), caller)


async def at_house(request: Request) -> House:
    """The house a request came to."""
    return house_of(request)


async def read_post(request: Request) -> Posted:
    """The form, as it came in."""
    return Posted(await request.form())


Nurse = Annotated[Viewer, Depends(viewer_of)]
Form = Annotated[Posted, Depends(read_post)]
At = Annotated[House, Depends(at_house)]


def is_open_to(act: Act, viewer: Viewer, visit_id: str) -> bool:
    """Whether a visit is there and this person may see it."""
    visit = act.session.get(Visit, visit_id) if VISIT_ID.fullmatch(visit_id) else None
    return visit is not None and may_open(act, viewer.caller, visit) is not None


@contextmanager
def on_visit(house: House, viewer: Viewer, visit_id: str) -> Iterator[Act]:
    """An act on a visit of the person's own; 404 and a line in the log for every other, as if it were not there."""
    with house.store.act(viewer.who) as act:
        if is_open_to(act, viewer, visit_id):
            yield act
            return
        act.log("visit.refused", visit_id if VISIT_ID.fullmatch(visit_id) else "", "refused")
    raise HTTPException(404)
