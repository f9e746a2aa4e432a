"""Sections of the page about tasks and about the case bank's groups. Knows metrics.json and the rows of a task.

Computes no metric; decides which rows a reader is shown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from prescreen.evals.glossary import GLOSSARY, SYSTEMS
from prescreen.evals.groups import METRICS
from prescreen.evals.table import format_cell
from prescreen.evals.task import Item
from prescreen.run import read_jsonl


class Row(NamedTuple):
    """One table row: a heading and its cells."""

    name: str
    cells: list[str]


def build_tasks(evals: Path, metrics: Mapping[str, Any], final: str) -> list[dict[str, Any]]:
    """Every task: figures of all systems, and the final system's failing items."""
    tasks = []
    for name, task in metrics.get("tasks", {}).items():
        systems = task["systems"]
        names = dict.fromkeys(metric for figures in systems.values() for metric in figures)
        rows = [
            Row(GLOSSARY[metric].title, [format_cell(systems[system].get(metric)) for system in systems])
            for metric in names
        ]
        items = read_items(evals / "tasks" / name / f"{final}.jsonl")
        tasks.append(
            {
                "name": name,
                "title": task["title"],
                "systems": [SYSTEMS.get(system, system) for system in systems],
                "rows": rows,
                "failing": None if items is None else [item for item in items if is_failing(item)],
                "num_items": len(items or ()),
                "skipped": task.get("skipped", []),
            }
        )
    return tasks


def read_items(path: Path) -> list[Item] | None:
    """A task's rows, None where this system was not put to it."""
    return [Item(**row) for row in read_jsonl(path)] if path.exists() else None


def is_failing(item: Item) -> bool:
    """Whether a reader should look: for a harm `right` means that it happened; a crash is always shown."""
    if item.verdict == "right":
        return not GLOSSARY[item.metric].more_is_better
    return item.verdict == "errored" or (
        item.verdict in ("wrong", "no_answer") and GLOSSARY[item.metric].more_is_better
    )


def build_groups(metrics: Mapping[str, Any], final: str) -> list[dict[str, Any]]:
    """The final system by trap and by style, on its own and as served, with the rules beside it."""
    tables = []
    for suite, scores in metrics["suites"].items():
        for kind, groups in scores.get("groups", {}).items():
            views = [(final, "alone"), (final, "served"), ("rules", "served")]
            rows = [
                {
                    "name": f"{name} ({group['cases']})",
                    "lines": [
                        Row(_name_view(system, view), [format_cell(figures.get(m)) for m in METRICS])
                        for system, view in dict.fromkeys(views)
                        if (figures := group["systems"].get(system, {}).get(view)) is not None
                    ],
                }
                for name, group in groups.items()
            ]
            tables.append({"suite": suite, "kind": kind, "rows": rows})
    return tables


def _name_view(system: str, view: str) -> str:
    return "rules alone" if system == "rules" else {"alone": "on its own", "served": "as served"}[view]
