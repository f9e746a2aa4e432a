"""The audit log's lines about releases: what the ledger beside the releases must agree with. Knows no release."""

import json
from typing import Final, NamedTuple

from sqlalchemy import select

from prescreen.store.base import Act
from prescreen.store.people import AuditLine

_PREFIX: Final = "release."


class Note(NamedTuple):
    """What the audit log says of a line of the ledger."""

    line: int
    hash: str


def note_line(act: Act, deed: str, release: str, line: int, mark: str) -> None:
    """Note a line of the ledger in the audit log."""
    act.log(_PREFIX + deed.replace(" ", "-"), release, line=line, hash=mark)


def list_notes(act: Act) -> list[Note]:
    """All that was noted of the ledger, in order."""
    query = select(AuditLine.detail).where(AuditLine.action.startswith(_PREFIX)).order_by(AuditLine.number)
    told = [json.loads(detail) for detail in act.session.scalars(query)]
    return [Note(int(one["line"]), str(one["hash"])) for one in told if "line" in one]
