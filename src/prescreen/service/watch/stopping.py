"""The stop rules, kept by the running service: a release beyond its bounds is rolled back, a bad trial ended.

Where the folder of releases cannot be written, or does not say what a release may do, the model is taken out of
service all the same, and people are told.
Knows the store and the rules; decides nothing a person could not read in limits.yaml.
"""

import datetime
import logging
from typing import Final

from prescreen.errors import PrescreenError, RunError
from prescreen.monitor.advance import judge, read_limits_of
from prescreen.monitor.guard import find_stops
from prescreen.monitor.life import note_judged, rollback
from prescreen.monitor.shelf import Shelf, find_began, read_state
from prescreen.release import CURRENT, key_of, read_release
from prescreen.service.house import House
from prescreen.store.base import Who
from prescreen.store.trials import read_trial_contacts

LOG = logging.getLogger("prescreen.service")
WHO: Final = Who("guard", "service")
SEEN: Final = datetime.timedelta(days=90)  # no rule looks back further


def keep_rules(house: House) -> str:
    """Evaluate every rule once; what was stopped and why, "" where nothing was."""
    shelf = house.shelf
    if shelf is None or house.label is None or not house.label.verdict:
        return ""
    with house.store.look(WHO) as look:
        contacts = read_trial_contacts(look, look.now - SEEN)
    if not shelf.ledger.path.exists() and not house.settings.needs_approvals:
        return ""  # a demonstration's release, promoted without one
    release = read_release(shelf.folder / CURRENT)
    try:
        lines = shelf.ledger.read()
        limits = read_limits_of(shelf, key_of(release))
        if not lines:
            raise RunError(f"{shelf.ledger.path}: is gone")
    except PrescreenError as error:
        why = f"nothing would stop this release, for its limits cannot be read ({error})"
        hold(house, f"{why}; restore the folder of releases and restart the service")
        return why
    stops = find_stops(
        contacts, limits.stop, release.weights, release.verdict, house.store.clock(), find_began(lines)
    )
    if stops:
        why = "; ".join(stop.sentence for stop in stops)
        take_back(house, shelf, why)
        return why
    state = read_state(lines)
    judged = judge(shelf, state, contacts)
    if judged is not None and judged.verdict == "stop":
        note_judged(shelf, WHO, "shadow" if state.stage == "shadow" else "canary", judged)
        return "; ".join(judged.reasons)
    return ""


def take_back(house: House, shelf: Shelf, why: str) -> None:
    """Roll back; where that cannot be written, let the rules draft alone from now on and say so."""
    try:
        rollback(shelf, WHO, why)
    except (OSError, PrescreenError) as error:
        LOG.error("a stop rule was broken and the rollback could not be written: %s", type(error).__name__)
        hold(house, f"a stop rule was broken ({why}) and the rollback could not be written; "
                    "run `prescreen release rollback` where the releases are kept")  # fmt: skip


def hold(house: House, why: str) -> None:
    """Let the rules draft alone, with a line in the audit log."""
    house.hold(why)
    with house.store.act(WHO) as act:
        act.log("model.held", house.settings.clinic.name[:64], "failed")
