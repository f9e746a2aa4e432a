"""What stands in the header of a staff page: who is signed in, the ways their role has. Knows no route."""

from typing import Final, NamedTuple

from prescreen.service.door.identity import Caller


class Link(NamedTuple):
    """A way in the header."""

    name: str
    url: str


class Shown(NamedTuple):
    """Who is signed in, as the header tells it."""

    name: str
    role: str
    teams: tuple[str, ...]
    links: tuple[Link, ...]


_SIGNER: Final = (Link("Queue", "/queue"), Link("Hand-over", "/handover"), Link("Account", "/account"))
LINKS: Final = {
    "nurse": _SIGNER,
    "physician": (*_SIGNER[:2], Link("Sheet", "/sheet"), Link("Model", "/model"), *_SIGNER[2:]),
    "admin": (
        Link("People", "/admin/people"),
        Link("Record", "/admin/record"),
        Link("Sheet", "/sheet"),
        Link("Model", "/model"),
        Link("System", "/admin/system"),
        Link("Account", "/account"),
    ),
    "auditor": (
        Link("Log", "/audit"),
        Link("Broken glass", "/audit/glass"),
        Link("Model", "/model"),
        Link("Account", "/account"),
    ),
}


def show_caller(caller: Caller | None) -> Shown | None:
    """The header of a member of staff, None for anybody else."""
    if caller is None or caller.user is None:
        return None
    user, links = caller.user, LINKS.get(caller.user.role, ())
    return Shown(user.name, user.role, tuple(user.teams), links[-1:] if caller.unfinished else links)
