"""The folder of releases and what its ledger says now: who serves, who is on trial, whose signature is missing.

Reads only. Knows no web, no SQL and no statistics.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import AwareDatetime, ValidationError

from prescreen.config import Strict, digest
from prescreen.errors import RunError
from prescreen.monitor.changes import Limits
from prescreen.monitor.ledger import Ledger, Line
from prescreen.pipeline import Stages
from prescreen.release import Release, key_of
from prescreen.store.base import Clock, Store, now_utc

SIGNING: Final = ("physician", "admin")  # a release needs one signature of each role, of two people
SHADOW: Final = "shadow.json"
CANARY: Final = "canary.json"
CANDIDATES: Final = "candidates"
Stage = Literal["none", "proposed", "shadow", "shadowed", "canary", "ready"]


class Proposal(Strict):
    """A candidate, and the limits it was made under."""

    release: Release
    limits: Limits


class Trying(Strict):
    """What shadow.json and canary.json say: which candidate the service tries beside the release, and how."""

    release: Release
    began: AwareDatetime
    share: float = 0.0  # of visits it drafts for nurses to see; 0 in shadow


class Shelf(NamedTuple):
    """Where releases are kept, by which stages their runs are read, who signs the ledger, what time it is."""

    folder: Path
    stages: Stages
    store: Store | None = None
    clock: Clock = now_utc

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder, self.clock, self.store)


class State(NamedTuple):
    """What the ledger says. `served` are the keys that may serve, the last one now; `approvals` role to user."""

    served: tuple[str, ...] = ()
    candidate: str = ""
    stage: Stage = "none"
    since: AwareDatetime | None = None
    approvals: Mapping[str, str] = {}

    @property
    def current(self) -> str:
        return self.served[-1] if self.served else ""

    @property
    def lacking(self) -> tuple[str, ...]:
        """Roles whose signature is missing."""
        return tuple(role for role in SIGNING if role not in self.approvals)


def read_state(lines: Sequence[Line]) -> State:
    """Replay the ledger."""
    state = State()
    for line in lines:
        state = follow(state, line)
    return state


def find_began(lines: Sequence[Line]) -> AwareDatetime | None:
    """Since when what serves has served: the last promotion or rollback."""
    return next((line.at for line in reversed(lines) if line.deed in ("promoted", "rolled back")), None)


def follow(state: State, line: Line) -> State:
    """The state after one line."""
    match line.deed:
        case "proposed":
            return state._replace(candidate=line.release, stage="proposed", since=line.at, approvals={})
        case "shadow began" | "canary began":
            stage: Stage = "shadow" if line.deed == "shadow began" else "canary"
            return state._replace(stage=stage, since=line.at)
        case "shadow judged" | "canary judged" if line.detail["verdict"] == "go":
            return state._replace(stage="shadowed" if line.deed == "shadow judged" else "ready")
        case "approved" if line.release == state.candidate:
            return state._replace(approvals={**state.approvals, line.role: line.who})
        case "promoted":
            return State(served=(*state.served, line.release))
        case "rolled back":
            return State(served=state.served[: int(str(line.detail["left"]))])
        case "retired" if line.release == state.candidate:
            return State(served=state.served)
    return state


def read_proposal(shelf: Shelf, lines: Sequence[Line], key: str) -> Proposal:
    """What was proposed under a key; RunError unless it is exactly that, limits included."""
    path = shelf.folder / CANDIDATES / f"{key}.json"
    told = [line.detail.get("limits") for line in lines if line.deed == "proposed" and line.release == key]
    try:
        proposal = Proposal.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, OSError):
        raise RunError(f"{path}: is missing or no proposal; `prescreen release retire` and propose again") from None
    if key_of(proposal.release) != key or not told or told[-1] != digest(proposal.limits.model_dump(mode="json")):
        raise RunError(f"{path}: is not what was proposed; `prescreen release retire` and propose again")
    return proposal


def read_proposed(shelf: Shelf, key: str) -> Release:
    """The candidate of a key, as it was proposed."""
    return read_proposal(shelf, shelf.ledger.read(), key).release


def read_trying(folder: Path, name: str) -> Trying | None:
    """What shadow.json or canary.json tries; None where it is not there."""
    path = folder / name
    return Trying.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None


def find_doubt(folder: Path, release: Release, store: Store) -> str:
    """Why a release may not serve a clinic that asks for two signatures; empty where both are in the ledger."""
    lines = Ledger(folder, store.clock, store).read()
    key, state = key_of(release), read_state(lines)
    signed = {line.role: line.who for line in lines if line.deed == "approved" and line.release == key}
    if not set(SIGNING) <= set(signed) or len(set(signed.values())) < len(SIGNING):
        return (
            f"{release.candidate} is unsigned: a physician and an admin must sign it, on the page Model "
            "or by `prescreen release approve`"
        )
    if not all(line.signature for line in lines if line.release == key):
        return f"{release.candidate} was approved without the clinic's store; promote it again with --data"
    return "" if state.current == key else "the ledger says that another release serves; promote it again"


def find_trial(folder: Path, store: Store) -> tuple[Stage, Trying] | None:
    """What the service may try beside the release: the file's candidate, where the ledger says the same."""
    ledger = Ledger(folder, store.clock, store)
    state = read_state(ledger.read()) if ledger.path.exists() else State()
    for stage, name in (("shadow", SHADOW), ("canary", CANARY)):
        trying = read_trying(folder, name) if state.stage == stage else None
        if trying is not None and key_of(trying.release) == state.candidate:
            return state.stage, trying
    return None
