"""The second engine: a candidate that drafts unseen (shadow), or drafts a share of visits marked (canary).

It waits behind every real draft, in processes of lowest priority; what it says of a visit in shadow goes into a
table that no page reads. Knows engines and the store, no page.
"""

import datetime
from typing import Final, NamedTuple

from prescreen.clinic.absences import code_absence
from prescreen.clinic.signed import ModelLabel
from prescreen.model.draft import Drafted
from prescreen.monitor.guard import UNREADABLE
from prescreen.monitor.shelf import Stage, find_trial
from prescreen.pipeline import Stages
from prescreen.release import key_of
from prescreen.service.engine.engines import Endpoint, Released, guard, open_candidate
from prescreen.service.engine.guarding import GuardedEngine, GuardSettings
from prescreen.service.house import House
from prescreen.store.base import Who
from prescreen.store.keys import Keys
from prescreen.store.shadows import ShadowWork, find_unshadowed, keep_shadow

WHO: Final = Who("shadow", "service")


class Tried(NamedTuple):
    """A candidate that answers: its engine and label, the key it was proposed under, and how it is tried."""

    engine: GuardedEngine
    label: ModelLabel
    release: str
    stage: Stage
    share: float
    since: datetime.datetime


def open_trial(house: House, stages: Stages) -> Tried | None:
    """The candidate the ledger says is on trial, opened; None where none is, or it cannot be."""
    settings = house.settings.engine
    if not isinstance(settings, Released | Endpoint):
        return None
    try:
        found = find_trial(settings.releases, house.store)
    except (ValueError, OSError):  # a ledger that does not hold tries nobody; the release's own check says so
        return None
    if found is None:
        return None
    stage, trying = found
    opened = open_candidate(settings, stages, trying.release)
    if opened.label is None:
        return None
    label = opened.label.model_copy(update={"trial": stage})
    timeout_s = house.settings.review.draft_by_s / (4 if stage == "canary" else 1)
    engine = guard(opened, GuardSettings(timeout_s=timeout_s, waiting=1))
    return Tried(engine, label, key_of(trying.release), stage, trying.share, trying.began)


def is_drawn(keys: Keys, visit: str, tried: Tried) -> bool:
    """Whether the candidate drafts this visit for a nurse: by a keyed hash, so that nobody can choose."""
    if tried.stage != "canary":
        return False
    drawn = int.from_bytes(keys.look("canary", f"{tried.release}|{visit}")[:4]) / 2**32
    return drawn < tried.share


def shadow_once(house: House, tried: Tried) -> bool:
    """Draft one visit beside its real draft; False where none waits, or real work does."""
    if tried.stage != "shadow":
        return False
    with house.store.look(WHO) as look:
        work = find_unshadowed(look, tried.release, tried.since)
    if work is None:
        return False
    drafted = tried.engine.draft(work.case)
    return keep(house, tried, work, drafted)


def keep(house: House, tried: Tried, work: ShadowWork, drafted: Drafted) -> bool:
    """Keep what the candidate drafted, or that its answer was no report; an engine that was away is no failure."""
    is_drafted = drafted.model is not None
    if not is_drafted and code_absence(drafted.error) not in UNREADABLE:
        return False
    with house.store.act(WHO) as act:
        report, seconds = drafted.report, drafted.seconds
        keep_shadow(act, work, tried.release, report, tried.label, drafted=is_drafted, seconds=seconds)
    return True
