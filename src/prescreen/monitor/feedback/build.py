"""Stage "feedback": signatures that stand become what the next version learns from, or the batch is stopped.

Reads a clinic's store between two moments; writes the files a data run has, split by patient and time, with custody
of every signature and a card. No row is written before the whole batch was judged. Knows no training.
"""

import datetime
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, Field

from prescreen.config import Recipe
from prescreen.custody import REAL, WITHDRAWN
from prescreen.errors import RunError
from prescreen.monitor.feedback.settings import Limits, Parts, Share
from prescreen.records.deid.replace import Mode
from prescreen.run import MANIFEST, Run

if TYPE_CHECKING:
    from prescreen.store.base import Store

DATABASE = "PRESCREEN_DATABASE"  # an address with a password in it belongs into the environment, not into a file
CARD = "card.json"


class FeedbackRecipe(Recipe):
    """Which signatures, by what right, how de-identified, when to stop. inputs: `replay`, a data run, if any."""

    stage: Literal["feedback"] = "feedback"
    clinic: Path = Field(
        Path("clinic"), description="the clinic's folder; PRESCREEN_DATABASE names another database"
    )
    keys: Path | None = Field(None, description="the store's keys; none: `keys` in the clinic's folder")
    vault: Path = Field(Path("vault"), description="folder of the sealed table; keep it apart from the runs")
    key: Path | None = Field(None, description="key file of the sealed table; none: `key` in its folder")
    since: AwareDatetime | None = Field(None, description="signatures from this moment on; none: all")
    until: AwareDatetime | None = Field(None, description="signatures before this moment; none: all")
    label: Literal["candidate", "plumbing"] = Field(
        "candidate", description="plumbing: visits drafted by a demonstration's model are learned from as well"
    )
    mode: Mode = Field("limited", description="limited: dates shifted, not Safe Harbor; or safe_harbor")
    licence: str = Field(REAL, description="of the rows; `clinic`: the clinic's own records")
    basis: str = Field(min_length=3, description="by what right signatures train, such as consent of 2026-01")
    detectors: tuple[str, ...] = Field((), description="further finders of names, as the stage records takes them")
    limits: Limits = Limits()
    parts: Parts = Parts()
    replay: Path | None = Field(None, description="an older data run to mix in; or name it as input `replay`")
    replay_share: Share = Field(0.3, description="share of pairs and rows that come from the older run")
    earlier: Path | None = Field(
        None, description="an earlier feedback run, whose share of doubted levels is usual"
    )

    @property
    def between(self) -> tuple[datetime.datetime | None, datetime.datetime | None]:
        return self.since, self.until

    def external(self) -> list[Path]:
        """An older run to mix in, an earlier batch to compare with, and who has withdrawn."""
        read = (
            self.replay and self.replay / MANIFEST,
            self.earlier and self.earlier / CARD,
            self.vault / WITHDRAWN,
        )
        return [path for path in read[:2] if path] + [path for path in read[2:] if path and path.is_file()]

    def stamp(self) -> str:
        """The signatures that stand now: one more, one corrected or one withdrawn makes the run stale."""
        from prescreen.monitor.feedback.gathering import WHO
        from prescreen.store.signatures import mark_signatures

        with open_clinic(self) as store, store.look(WHO) as act:
            return mark_signatures(act, self.between)


def main(recipe: FeedbackRecipe, run: Run) -> None:
    """Read, de-identify, judge; stop by name or write."""
    from prescreen.monitor.feedback.gathering import Terms, gather, read_store
    from prescreen.monitor.feedback.replay import draw_trusted, read_replay
    from prescreen.monitor.feedback.stops import judge, refuse
    from prescreen.monitor.feedback.writing import write_batch
    from prescreen.records.deid.taggers import load_detectors
    from prescreen.records.vault import Vault

    terms = Terms(recipe.mode, load_detectors(recipe.detectors), recipe.licence, recipe.label == "plumbing")
    older = run.inputs["replay"].folder if "replay" in run.inputs else recipe.replay
    replay = read_replay(older)
    with Vault(recipe.vault, recipe.key) as vault:
        with open_clinic(recipe) as store:
            signatures, first = read_store(store, recipe.between)
        gathered = gather(signatures, first, vault, terms)
    reference = read_doubted(recipe.earlier) if recipe.earlier else (0, 0)
    judged = judge(gathered.batch, recipe.limits, draw_trusted(replay.cases), reference, recipe.seed)
    refuse(judged.stops, run.folder)
    write_batch(recipe, run, gathered, judged, replay)


@contextmanager
def open_clinic(recipe: FeedbackRecipe) -> Iterator["Store"]:
    """The clinic's store, which must be there; closed at the end."""
    from prescreen.store.migrate import open_store

    url = os.environ.get(DATABASE) or f"sqlite:///{recipe.clinic.resolve() / 'prescreen.db'}"
    store = open_store(url, recipe.keys or recipe.clinic / "keys", make=False)
    try:
        yield store
    finally:
        store.close()


def read_doubted(folder: Path) -> tuple[int, int]:
    """How many levels of an earlier batch were contradicted, of how many that no rule gives."""
    path = folder / CARD
    if not path.is_file():
        raise RunError(f"{path}: is not there; name a finished feedback run under `earlier`, or none")
    doubted: list[int] = json.loads(path.read_text(encoding="utf-8"))["checks"]["doubted levels"]
    return doubted[0], doubted[1]
