"""The case bank by trap, by style of telling and by whether training shows the condition: where one is misled.

Knows what authors said about their cases and the triage metrics; a case with two traps counts under both.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from prescreen.clinic.authored import Entry, Trap
from prescreen.evals.prediction import VIEWS, Prediction
from prescreen.evals.triage import score_triage

METRICS = ("in_range", "under_triage", "severe_under", "over_triage", "missed_emergencies")
NO_TRAP = "no trap"
By = Callable[[Entry], Iterable[str]]


def score_groups(
    entries: Sequence[Entry], predictions: Mapping[str, Sequence[Prediction]], *, seed: int = 0
) -> dict[str, Any]:
    """Per kind of group (trap, style, condition) and group: cases, and the figures of every system and view."""
    kinds: dict[str, By] = {"trap": lambda e: e.traps or (NO_TRAP,), "style": lambda e: (e.style,)}
    kinds["condition"] = lambda e: ("also in the synthesizer" if e.trained else "in no training data of ours",)
    return {kind: _score_kind(entries, by, predictions, seed) for kind, by in kinds.items()}


def _score_kind(
    entries: Sequence[Entry], by: By, predictions: Mapping[str, Sequence[Prediction]], seed: int
) -> dict[str, Any]:
    members: dict[str, set[str]] = {}
    for entry in entries:
        for name in by(entry):
            members.setdefault(name, set()).add(entry.case.id)
    known = [*get_args(Trap), NO_TRAP]
    order = sorted(members, key=lambda name: (known.index(name) if name in known else 0, name))
    answered = {row.case_id for rows in predictions.values() for row in rows}
    groups = {}
    for name in order:
        if ids := members[name] & answered:
            systems = {system: _score(rows, ids, seed) for system, rows in predictions.items()}
            groups[name] = {"cases": len(ids), "systems": systems}
    return groups


def _score(rows: Sequence[Prediction], ids: set[str], seed: int) -> dict[str, Any]:
    """One system on one group, by view; a view the system does not have is left out."""
    own = [row for row in rows if row.case_id in ids]
    scores: dict[str, Any] = {}
    for view in VIEWS:
        if any(getattr(row, view) is not None for row in own):
            measures = score_triage([row.answer(view) for row in own], seed=seed)
            scores[view] = {name: measures[name].to_json() for name in METRICS}
    return scores
