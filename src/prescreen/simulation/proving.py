"""What is left of the year must prove itself: ledger and audit log whole, and each draft's way back to the edits.

Knows runs, ledger and store. Knows nothing that was said.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.custody import CUSTODY, Correction, read_custody
from prescreen.monitor.shelf import read_state
from prescreen.simulation.desk import Desk
from prescreen.simulation.loop import Loop, Served
from prescreen.simulation.verdict import Bar
from prescreen.store.audit import verify
from prescreen.tracing import find_served, trace_up


class Proofs(NamedTuple):
    """Bars, and what they rest on."""

    bars: list[Bar]
    told: dict[str, Any]


def prove(desk: Desk, loop: Loop, out: Path) -> Proofs:
    """The chain of releases, the clinic's log, and the walk from a served report to what shaped it."""
    ledger = loop.shelf.ledger.verify()
    log = verify(desk.store)
    bars = [
        Bar(
            name="ledger",
            asks="every line of the releases' ledger verifies",
            figure=ledger.sentence,
            met=ledger.whole,
        ),
        Bar(name="audit log", asks="every line of the clinic's log verifies", figure=log.sentence, met=log.whole),
    ]
    lines = loop.shelf.ledger.read()
    told = [f"{line.at:%Y-%m-%d} {line.deed} by {line.role}" for line in lines]
    drafted = {truth.weights for truth in desk.book}
    updates = [one for one in loop.served if one.how.startswith("update") and one.weights in drafted]
    if not updates:
        none = Bar(
            name="trace", asks="from a served report to the edits that shaped it", figure="no update", met=None
        )
        return Proofs([*bars, none], {"ledger": told, "serves now": read_state(lines).current[:16]})
    steps, edits = walk(desk, loop, updates[-1])
    figure = f"{' < '.join(steps)}; edits: {'; '.join(f'{kind} {n}' for kind, n in edits.most_common())}"
    trace = Bar(
        name="trace", asks="from a served report to the edits that shaped it", figure=figure, met=edits.total() > 0
    )
    return Proofs([*bars, trace], {"ledger": told, "serves now": read_state(lines).current[:16]})


def walk(desk: Desk, loop: Loop, served: Served) -> tuple[list[str], Counter[str]]:
    """A visit drafted by an update, its release in the ledger, the runs behind it, the kinds of edit learned."""
    visit = next(truth.visit for truth in desk.book if truth.weights == served.weights)
    line = next(line for line in loop.shelf.ledger.read() if line.detail.get("weights") == served.weights)
    run = find_served(served.weights, loop.shelf.folder, loop.shelf.stages)
    assert run is not None, "what served was trained here"
    chain = list(trace_up(run))
    edits: Counter[str] = Counter()
    for parent in run.inputs.values():
        learned = read_custody(parent.folder) if (parent.folder / CUSTODY).is_file() else ()
        edits.update(
            kind for one in learned if isinstance(one, Correction) and one.part == "train" for kind in one.kinds
        )
    steps = [f"visit {visit[:8]}", f"release {line.release[:8]} (ledger line {line.number})"]
    return [*steps, *(step.name for step in chain)], edits
