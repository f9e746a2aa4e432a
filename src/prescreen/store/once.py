"""What may come once: a token's id, the state of a sign-in. Only a keyed hash is kept, as long as needed."""

import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete

from prescreen.store.base import Act
from prescreen.store.people import SeenToken


def use_once(act: Act, kind: str, text: str, ends: datetime.datetime) -> bool:
    """Whether this is the first time; of two at the same moment one is first."""
    if act.session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    row = insert(SeenToken).values(look=act.keys.look(f"once|{kind}", text).hex(), ends=ends)
    return act.session.scalar(row.on_conflict_do_nothing().returning(SeenToken.look)) is not None


def sweep_once(act: Act) -> int:
    """Drop what is void by now."""
    gone = cast("CursorResult[Any]", act.session.execute(delete(SeenToken).where(SeenToken.ends < act.now)))
    return gone.rowcount
