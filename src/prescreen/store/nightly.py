"""Backups made night after night: named by their time, ended after a fixed time. Knows nothing of what is in them.

A patient's destroyed key stands in the backups of before; they must end for the words to be gone.
"""

import datetime
import re
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from prescreen.store.backup import MANIFEST, Manifest
from prescreen.store.base import now_utc

_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{6}Z")


def name_by_time(now: datetime.datetime | None = None) -> str:
    """The folder of a backup made now."""
    return f"{now or now_utc():%Y-%m-%dT%H%M%SZ}"


def end_old(place: Path, days: int, now: datetime.datetime | None = None) -> list[Path]:
    """Delete whole dated backups older than `days`, never the newest; which. Anything else there is left alone."""
    whole = {path: made for path in place.iterdir() if (made := _made(path)) is not None}
    before = (now or now_utc()) - datetime.timedelta(days=days)
    newest = max(whole.values(), default=before)
    old = sorted(path for path, made in whole.items() if made < before and made != newest)
    for path in old:
        manifest = Manifest.model_validate_json((path / MANIFEST).read_text(encoding="utf-8"))
        (path / MANIFEST).unlink()  # first: without it this is no backup any more
        (path / Path(manifest.file).name).unlink(missing_ok=True)
        path.rmdir()
    return old


def _made(path: Path) -> datetime.datetime | None:
    """When a backup was made by its own word; None for what is no dated, whole backup with nothing beside it."""
    if not _NAME.fullmatch(path.name) or path.is_symlink() or not (path / MANIFEST).is_file():
        return None
    try:
        manifest = Manifest.model_validate_json((path / MANIFEST).read_text(encoding="utf-8"))
    except ValidationError:
        return None
    known = {MANIFEST, Path(manifest.file).name}
    return manifest.made if {entry.name for entry in path.iterdir()} == known else None
