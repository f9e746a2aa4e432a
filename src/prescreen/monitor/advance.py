"""The next step of a candidate, whoever calls: shadow, canary, the wait for two signatures, promotion.

Called every night it goes as far as what was seen allows and says in one sentence why no further. Knows contacts
and the ledger, no training.
"""

import datetime
from collections.abc import Sequence
from typing import Final, NamedTuple

from prescreen.clinic.contact import Contact
from prescreen.monitor.changes import Limits
from prescreen.monitor.life import begin_canary, begin_shadow, note_judged, promote, retire, skip_trial, stands
from prescreen.monitor.shelf import CANARY, SHADOW, Shelf, State, read_proposal, read_state, read_trying
from prescreen.monitor.trial import Judged, judge_canary, judge_shadow
from prescreen.release import CURRENT, Release, read_release
from prescreen.store.base import Who
from prescreen.store.trials import read_trial_contacts

HALF_A_YEAR: Final = datetime.timedelta(days=183)


class Step(NamedTuple):
    """Where a candidate stands after a step, in a sentence; `judged` is what its trial shows so far."""

    state: State
    sentence: str
    judged: Judged | None = None


def advance(shelf: Shelf, contacts: Sequence[Contact], who: Who) -> Step:
    """Take the candidate as far as it may go now."""
    while True:
        before = read_state(shelf.ledger.read())
        step = _step(shelf, before, contacts, who)
        if (step.state.stage, step.state.candidate) == (before.stage, before.candidate) or not step.state.candidate:
            return step


def judge(shelf: Shelf, state: State, contacts: Sequence[Contact]) -> Judged | None:
    """What the trial shows so far, written nowhere; None where nothing is on trial."""
    name = SHADOW if state.stage == "shadow" else CANARY
    trying = read_trying(shelf.folder, name)
    if state.stage not in ("shadow", "canary") or trying is None:
        return None
    limits = read_limits_of(shelf, state.candidate)
    known = [contact for contact in contacts if contact.finished >= trying.began]
    release = trying.release
    if state.stage == "shadow":
        judged = judge_shadow(known, release.weights, release.verdict, limits.shadow)
    else:
        judged = judge_canary(known, release.weights, release.verdict, limits.canary)
    trial = limits.shadow if state.stage == "shadow" else limits.canary
    if judged.verdict == "wait" and shelf.clock() - trying.began > datetime.timedelta(days=trial.days):
        late = f"no verdict within {trial.days} days: {judged.reasons[0]}"
        return judged._replace(verdict="stop", reasons=(late,))
    return judged


def read_limits_of(shelf: Shelf, key: str) -> Limits:
    """The limits a release was proposed under; the defaults for one that was promoted without a proposal."""
    lines = shelf.ledger.read()
    if not any(line.deed == "proposed" and line.release == key for line in lines):
        return Limits()
    return read_proposal(shelf, lines, key).limits


def find_champion(shelf: Shelf) -> Release | None:
    """The release that serves, where it still may."""
    path = shelf.folder / CURRENT
    release = read_release(path) if path.exists() else None
    return release if stands(shelf, release) else None


def read_contacts(shelf: Shelf) -> list[Contact]:
    """The visits a trial may count: of the last half year; none without a store."""
    if shelf.store is None:
        return []
    with shelf.store.look(Who("update", "service")) as look:
        return read_trial_contacts(look, look.now - HALF_A_YEAR)


def tell_status(shelf: Shelf, contacts: Sequence[Contact]) -> list[str]:
    """Who serves, who is on trial, what it shows so far and whose signature is missing."""
    state = read_state(shelf.ledger.read())
    lines = [f"serves: {state.current[:16] or 'nobody that the ledger knows'}"]
    if not state.candidate:
        return [*lines, "candidate: none"]
    lines.append(f"candidate: {state.candidate[:16]}, {state.stage} since {state.since:%Y-%m-%d}")
    lines.append(f"signatures missing: {', '.join(state.lacking) or 'none'}")
    judged = judge(shelf, state, contacts)
    if judged is not None:
        lines += [f"  {name}: {figure}" for name, figure in judged.figures.items()]
        lines.append(f"  {judged.verdict}: {'; '.join(judged.reasons) or 'nothing speaks against it'}")
    return lines


def _step(shelf: Shelf, state: State, contacts: Sequence[Contact], who: Who) -> Step:
    match state.stage:
        case "proposed":
            if find_champion(shelf) is None:
                return Step(skip_trial(shelf, who, "no release serves to compare with"), "no champion: no shadow")
            begin_shadow(shelf, who)
            return Step(read_state(shelf.ledger.read()), "shadow began")
        case "shadow" | "canary":
            return _judge(shelf, state, contacts, who)
        case "shadowed":
            share = read_limits_of(shelf, state.candidate).canary.share
            if find_champion(shelf) is None or not share:
                why = "the limits ask for none" if not share else "no release serves to compare with"
                return Step(skip_trial(shelf, who, why), f"no canary: {why}")
            begin_canary(shelf, who, share)
            return Step(read_state(shelf.ledger.read()), "canary began")
        case "ready" if shelf.store is None or not state.lacking:
            release = promote(shelf, who)
            return Step(read_state(shelf.ledger.read()), f"{release.candidate} serves until {release.expires}")
        case "ready":
            return Step(state, f"waits for the signature of {' and '.join(state.lacking)}")
    return Step(state, "no candidate is on trial")


def _judge(shelf: Shelf, state: State, contacts: Sequence[Contact], who: Who) -> Step:
    judged = judge(shelf, state, contacts)
    if judged is None:
        return Step(retire(shelf, who, "its trial's file is gone"), "the trial's file is gone: retired")
    after = note_judged(shelf, who, "shadow" if state.stage == "shadow" else "canary", judged)
    told = {"go": "passed", "stop": "ended", "wait": "goes on"}[judged.verdict]
    why = f": {'; '.join(judged.reasons)}" if judged.reasons else ""
    return Step(after, f"{state.stage} {told}{why}", judged)
