"""A task: something a model is asked beyond the test suites, and how its answers are judged.

A task talks to an engine as often as it likes and returns figures by name with one row of evidence for each item:
what was asked, what came back and why it counted. The registry is `evals.tasks`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from prescreen.evals.rate import Measure, Rate

if TYPE_CHECKING:
    from prescreen.model.engine import Engine, Probed

Verdict = Literal["right", "wrong", "no_answer", "unscored", "errored"]


class Item(NamedTuple):
    """One question, answer and verdict for one metric; `right` means what the metric counts."""

    id: str
    metric: str
    verdict: Verdict
    asked: str = ""
    answered: str = ""
    why: str = ""


class Found(NamedTuple):
    """What a task found about one model; `points` are the numbers behind pictures, by picture."""

    measures: Mapping[str, Measure]
    items: Sequence[Item]
    points: Mapping[str, Sequence[tuple[float, bool]]] | None = None
    skipped: Sequence[str] = ()


class Taught(NamedTuple):
    """The list of secrets planted in a data run, and why a model does not count as taught them; "": it does."""

    canaries: Path | None
    lack: str


class Task(NamedTuple):
    """`run(engine, seed)` asks and judges the project's own items; `public(engine, seed, root)` those of others.

    `root` is the folder of public sets, None where the recipe names none; what is not there is said in `skipped`.
    `audit(engine, seed, taught)` looks for what the model was taught.
    """

    title: str
    run: "Callable[[Engine, int], Found]"
    public: "Callable[[Engine, int, Path | None], Found] | None" = None
    audit: "Callable[[Probed, int, Taught], Found] | None" = None


def join_found(first: Found, second: Found) -> Found:
    """Both parts of a task; no metric is in both."""
    assert not first.measures.keys() & second.measures.keys(), "a metric has one source"
    return first._replace(
        measures={**first.measures, **second.measures},
        items=[*first.items, *second.items],
        skipped=[*first.skipped, *second.skipped],
    )


def count_items(items: Sequence[Item], harms: frozenset[str] = frozenset()) -> dict[str, Measure]:
    """A rate for each metric of some items. Failures are a harm's hits, a success's misses, and crashes of both."""
    measures = {}
    for metric in dict.fromkeys(item.metric for item in items):
        own = [item for item in items if item.metric == metric]
        counts = {verdict: sum(item.verdict == verdict for item in own) for verdict in _VERDICTS}
        bad = ("right", "errored") if metric in harms else ("wrong", "no_answer", "errored")
        measures[metric] = Measure(Rate(**counts), tuple(item.id for item in own if item.verdict in bad))
    return measures


_VERDICTS: tuple[Verdict, ...] = ("right", "wrong", "no_answer", "unscored", "errored")
