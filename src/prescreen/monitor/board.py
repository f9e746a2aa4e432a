"""What a person looks at before signing a release: what drafts, what is on trial, what gate and trial found.

Reads only, and hashes no weights: that is done when somebody signs. Knows no web.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from prescreen.errors import PrescreenError
from prescreen.monitor.advance import judge, read_contacts
from prescreen.monitor.ledger import Line
from prescreen.monitor.shelf import Shelf, State, read_proposed, read_state
from prescreen.monitor.trial import Judged
from prescreen.pipeline import Stages, open_run
from prescreen.release import CURRENT, Release, read_release
from prescreen.run import MANIFEST, hash_file

SHOWN: Final = 12  # cases named beside a check


class Finding(NamedTuple):
    """One check of the gate: its outcome, what is asked, what was found, and which cases failed."""

    outcome: str
    asked: str
    where: str
    found: str
    cases: tuple[str, ...]


class Evidence(NamedTuple):
    """What a gate's run says of a release. `serves` is what the gate lets it do."""

    serves: str
    label: str
    judged: str
    findings: tuple[Finding, ...]
    champion: tuple[str, ...]


class Board(NamedTuple):
    """All of it. `faults` are sentences about what cannot be read; while there is one, nobody should sign."""

    state: State
    current: Release | None
    candidate: Release | None
    evidence: Evidence | None
    trial: Judged | None
    lines: Sequence[Line]
    faults: tuple[str, ...]

    def may_be_signed(self, role: str) -> bool:
        """Whether the candidate waits for this role's signature, and all of it can be read."""
        return self.state.stage == "ready" and role in self.state.lacking and not self.faults


def read_board(shelf: Shelf) -> Board:
    """Read the folder of releases and what the visits of a trial show so far."""
    state, lines, faults = State(), list[Line](), list[str]()
    current = candidate = evidence = trial = None
    try:
        path = shelf.folder / CURRENT
        current = read_release(path) if path.exists() else None
        lines = shelf.ledger.read()
        state = read_state(lines)
        if state.candidate:
            candidate = read_proposed(shelf, state.candidate)
            trial = judge(shelf, state, read_contacts(shelf)) if state.stage in ("shadow", "canary") else None
    except (PrescreenError, OSError) as error:
        faults.append(str(error))
    if (shown := candidate or current) is not None:
        try:
            evidence = read_evidence(shown, shelf.stages)
        except (PrescreenError, OSError, ValueError, KeyError, TypeError):
            faults.append(f"the gate of {shown.candidate} in {shown.gate} is gone, edited, or another one")
    return Board(state, current, candidate, evidence, trial, lines, tuple(faults))


def read_evidence(release: Release, stages: Stages) -> Evidence:
    """The gate's checks, as the release names them; ValueError where the run is another one or was edited."""
    gate = Path(release.gate)
    if hash_file(gate / MANIFEST) != release.verdict or open_run(gate, stages).damage():
        raise ValueError(f"{gate}: is not the run that was promoted")
    told: dict[str, Any] = json.loads((gate / "gate.json").read_text(encoding="utf-8"))
    findings = tuple(
        Finding(
            row["outcome"],
            row["check"]["say"],
            f"{row['check']['suite']}, {row['check']['view']}",
            row["sentence"],
            tuple(row["failures"][:SHOWN]),
        )
        for row in told.get("checks", ())
    )
    champion = told.get("champion") or {}
    return Evidence(
        told["serves"], told.get("label", ""), told.get("date", ""), findings, tuple(champion.get("reasons", ()))
    )
