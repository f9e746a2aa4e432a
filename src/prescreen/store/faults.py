"""What a database cannot do, said in one sentence: full, locked, away, damaged. Knows no table.

The sentence never holds the statement or its values.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, TimeoutError

from prescreen.errors import StoreError

_FULL = ("database or disk is full", "no space left", "could not extend file", "disk i/o error")
_BUSY = ("database is locked", "deadlock detected", "could not serialize")
_SHUT = ("readonly database", "unable to open database", "permission denied", "read-only transaction")
_BROKEN = ("malformed", "file is not a database")


@contextmanager
def say_faults() -> Iterator[None]:
    """Turn a fault of the database into a StoreError; a fault of ours stays what it is."""
    try:
        yield
    except TimeoutError:
        raise StoreError("too many acts wait for the database; nothing of this one was kept, try again") from None
    except DBAPIError as error:
        sentence = _sentence(str(error.orig).casefold(), lost=error.connection_invalidated)
        if sentence is None:
            raise
        raise StoreError(sentence) from None


def _sentence(told: str, *, lost: bool) -> str | None:
    if any(part in told for part in _FULL):
        return "the database's disk is full; nothing of this act was kept: free some space and try again"
    if any(part in told for part in _BUSY):
        return "others kept the database busy; nothing of this act was kept: try again"
    if any(part in told for part in _SHUT):
        return "the database may not be written here; mend the rights of its folder and file, then try again"
    if any(part in told for part in _BROKEN):
        return "the database file is damaged; stop the service and restore the newest backup"
    if lost or "connection" in told:
        return "the database does not answer; look whether the act was kept, and try again when it is back"
    return None
