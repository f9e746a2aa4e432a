"""A release's life, act by act: proposed, tried in shadow and canary, approved by two roles, promoted, rolled back.

Each act is a plain function of a `Shelf` and who does it, and a line of the ledger. Nothing is promoted that the
gate and, with a store, two people have not let through. Knows no web, no SQL and no training.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from prescreen.config import digest
from prescreen.errors import RefusedError
from prescreen.monitor.changes import Limits
from prescreen.monitor.ledger import Line
from prescreen.monitor.shelf import (
    CANARY,
    CANDIDATES,
    SHADOW,
    SIGNING,
    Proposal,
    Shelf,
    Stage,
    State,
    Trying,
    read_proposed,
    read_state,
)
from prescreen.monitor.trial import Judged
from prescreen.release import (
    CURRENT,
    Release,
    find_reasons,
    key_of,
    list_kept,
    make_current,
    read_candidate,
    refuse,
)
from prescreen.run import write_json
from prescreen.store.base import Who

_Deed = Literal["shadow judged", "canary judged"]
_DEEDS: Final[dict[str, _Deed]] = {"shadow": "shadow judged", "canary": "canary judged"}


def propose(shelf: Shelf, gate: Path, who: Who, limits: Limits | None = None) -> Release:
    """Put a gate's candidate forward; RunError names every reason why it may not serve."""
    release = read_candidate(gate, shelf.stages, shelf.clock(), who.id)
    state = read_state(shelf.ledger.read())
    if key_of(release) == state.candidate:
        return read_proposed(shelf, state.candidate)
    if state.candidate:
        raise RefusedError("another candidate is on trial; let it end, or end it by `prescreen release retire`")
    if key_of(release) in state.served[-1:]:
        raise RefusedError(f"{release.candidate} serves already")
    proposal = Proposal(release=release, limits=limits or Limits())
    place = shelf.folder / CANDIDATES
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / f"{key_of(release)}.json", proposal.model_dump(mode="json"))
    shelf.ledger.append(
        "proposed", who, key_of(release), candidate=release.candidate, weights=release.weights,
        verdict=release.verdict, limits=digest(proposal.limits.model_dump(mode="json")),
    )  # fmt: skip
    return release


def note_hold(shelf: Shelf, gate: Path, who: Who, reasons: Sequence[str]) -> Line:
    """The gate held a candidate: that is a finished decision, and a line."""
    return shelf.ledger.append("held", who, "", gate=f"{gate.parent.name}/{gate.name}", reasons=len(reasons))


def begin_shadow(shelf: Shelf, who: Who) -> Trying:
    """Let the service draft every visit by the candidate too, unseen."""
    return _begin(shelf, who, "proposed", "shadow began", SHADOW, 0.0)


def begin_canary(shelf: Shelf, who: Who, share: float) -> Trying:
    """Let the candidate draft a share of visits for nurses to see, marked."""
    return _begin(shelf, who, "shadowed", "canary began", CANARY, share)


def note_judged(shelf: Shelf, who: Who, stage: Literal["shadow", "canary"], judged: Judged) -> State:
    """Write down what a trial showed: go on, or end the candidate. Waiting is no line."""
    state = read_state(shelf.ledger.read())
    if judged.verdict == "wait" or state.stage != stage:
        return state
    shelf.ledger.append(
        _DEEDS[stage], who, state.candidate, verdict=judged.verdict, visits=judged.visits, **judged.figures
    )
    (shelf.folder / (SHADOW if stage == "shadow" else CANARY)).unlink(missing_ok=True)
    if judged.verdict == "stop":
        retire(shelf, who, "; ".join(judged.reasons))
    return read_state(shelf.ledger.read())


def skip_trial(shelf: Shelf, who: Who, why: str) -> State:
    """Where there is no champion to be compared with, or the limits ask for no canary: noted as such."""
    state = read_state(shelf.ledger.read())
    deed = _DEEDS["canary" if state.stage == "shadowed" else "shadow"]
    shelf.ledger.append(deed, who, state.candidate, verdict="go", visits=0, skipped=why)
    return read_state(shelf.ledger.read())


def approve(shelf: Shelf, who: Who, key: str) -> State:
    """A physician's or an admin's signature under exactly this candidate, gate and weights."""
    state = read_state(shelf.ledger.read())
    if not state.candidate or key != state.candidate:
        raise RefusedError("this is not the candidate; look at `prescreen release show` again")
    if state.stage != "ready":
        raise RefusedError(f"the candidate is {state.stage}; it is signed after its trial")
    if who.role not in SIGNING:
        raise RefusedError("a physician and an admin sign a release")
    if who.id in state.approvals.values() or who.role in state.approvals:
        raise RefusedError("this person or role has signed already; the other role's signature is missing")
    refuse(read_proposed(shelf, key), shelf.stages, shelf.clock().date())
    shelf.ledger.append("approved", who, key)
    return read_state(shelf.ledger.read())


def promote(shelf: Shelf, who: Who) -> Release:
    """Let the candidate serve; RefusedError while a signature is missing, RunError where anything changed."""
    state = read_state(shelf.ledger.read())
    if state.stage != "ready":
        raise RefusedError(f"nothing is ready to be promoted (the candidate is {state.stage})")
    if shelf.store is not None and (state.lacking or len(set(state.approvals.values())) < len(SIGNING)):
        raise RefusedError(f"the signature of {' and '.join(state.lacking)} is missing: prescreen release approve")
    release = read_proposed(shelf, state.candidate)
    release = release.model_copy(update={"promoted": shelf.clock().replace(microsecond=0), "by": who.id})
    refuse(release, shelf.stages, shelf.clock().date())
    shelf.ledger.append(
        "promoted", who, state.candidate, candidate=release.candidate, weights=release.weights,
        verdict=release.verdict, signed=len(state.approvals),
    )  # fmt: skip
    make_current(release, shelf.folder)
    return release


def promote_unsigned(shelf: Shelf, gate: Path, who: Who) -> Release:
    """Let a gate's candidate serve on nobody's signature: for a demonstration; a clinic's service refuses it."""
    release = read_candidate(gate, shelf.stages, shelf.clock(), who.id)
    shelf.ledger.append(
        "promoted", who, key_of(release), candidate=release.candidate, weights=release.weights,
        verdict=release.verdict, signed=0,
    )  # fmt: skip
    make_current(release, shelf.folder)
    return release


def rollback(shelf: Shelf, who: Who, why: str) -> Release | None:
    """Take the release back: the one before it serves, byte for byte as it was; None where the rules draft alone.

    The current one is out at once; a release whose weights, verdict or day no longer hold is passed over.
    """
    shelf.ledger.check_signer()
    state = read_state(shelf.ledger.read())
    kept = {key_of(release): release for release in list_kept(shelf.folder).values()}
    for name in (CURRENT, SHADOW, CANARY):
        (shelf.folder / name).unlink(missing_ok=True)
    left = len(state.served) - 1
    while left > 0 and not stands(shelf, kept.get(state.served[left - 1])):
        left -= 1
    target = kept[state.served[left - 1]] if left > 0 else None
    shelf.ledger.append(
        "rolled back", who, state.current, why=why, left=max(left, 0),
        to="" if target is None else key_of(target), weights="" if target is None else target.weights,
    )  # fmt: skip
    if target is not None:
        write_json(shelf.folder / CURRENT, target.model_dump(mode="json"))
    return target


def retire(shelf: Shelf, who: Who, why: str) -> State:
    """End a candidate; what serves goes on."""
    shelf.ledger.check_signer()
    state = read_state(shelf.ledger.read())
    for name in (SHADOW, CANARY):
        (shelf.folder / name).unlink(missing_ok=True)
    if state.candidate:
        shelf.ledger.append("retired", who, state.candidate, why=why)
    return read_state(shelf.ledger.read())


def withdraw(shelf: Shelf, who: Who, why: str) -> str:
    """A person ends the candidate, wherever it stands; its key. RefusedError where there is none."""
    key = read_state(shelf.ledger.read()).candidate
    if not key:
        raise RefusedError("there is no candidate to retire; `prescreen release rollback` takes back what serves")
    retire(shelf, who, why)
    return key


def stands(shelf: Shelf, release: Release | None) -> bool:
    """Whether an earlier release may serve again: gate, day and the very weights."""
    return release is not None and not list(find_reasons(release, shelf.stages, shelf.clock().date()))


def _begin(
    shelf: Shelf, who: Who, after: Stage, deed: Literal["shadow began", "canary began"], name: str, share: float
) -> Trying:
    state = read_state(shelf.ledger.read())
    if state.stage != after:
        raise RefusedError(f"the candidate is {state.stage}, not {after}")
    release = read_proposed(shelf, state.candidate)
    refuse(release, shelf.stages, shelf.clock().date())
    trying = Trying(release=release, began=shelf.clock(), share=share)
    shelf.ledger.append(deed, who, state.candidate, share=share, weights=release.weights)
    write_json(shelf.folder / name, trying.model_dump(mode="json"))
    return trying
