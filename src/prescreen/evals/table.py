"""The tables a person reads in the terminal. Knows rich and metrics.json; computes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prescreen.evals.glossary import GLOSSARY, PLUMBING, SHORT, VIEW_NAMES
from prescreen.evals.prediction import VIEWS
from prescreen.evals.rate import Measure, Rate

COLUMNS = ("exact", "qwk", "under_triage", "over_triage", "missed_emergencies")
CAPTION = "count, figure, exact 95 % interval (kappa: bootstrap). As served: behind the red-flag rules."
MORE_COLUMNS = ("in_range", "red_flag_recall", "schema_valid")  # where the terminal is wide enough
WIDE = 120


def print_metrics(metrics: Mapping[str, Any], console: Console | None = None) -> None:
    """Every suite's table, with the plumbing label first and in each title where it applies."""
    console = console or Console()
    plumbing = metrics.get("label") == "plumbing"
    if plumbing:
        console.print(f"\n[bold yellow]{PLUMBING}[/]\n")
    columns = (*COLUMNS, *MORE_COLUMNS) if console.width >= WIDE else COLUMNS
    for suite, scores in metrics["suites"].items():
        console.print(build_table(suite, scores, columns, plumbing=plumbing))
    for task in metrics.get("tasks", {}).values():
        console.print(build_task(task))
        for why in task.get("skipped", []):
            console.print(f"[yellow]{escape(why)}[/]")
    if metrics.get("perplexity"):
        console.print(build_perplexity(metrics["perplexity"]))
    for suite in metrics.get("skipped", []):
        console.print(f"[yellow]suite {suite}: not in the data run, skipped[/]")


def build_table(suite: str, scores: Mapping[str, Any], columns: Sequence[str], *, plumbing: bool) -> Table:
    """One suite: systems in rows, first on their own, then as served behind the rules."""
    title = f"{suite}: {scores['labelled']} labelled cases" + (" · PLUMBING NUMBERS" if plumbing else "")
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption=CAPTION,
    )
    table.add_column("system", no_wrap=True)
    for metric in columns:
        table.add_column(GLOSSARY[metric].title, justify="right", min_width=12 if metric == "qwk" else None)
    for view in VIEWS:
        table.add_row(f"[italic]{VIEW_NAMES[view]}[/]")
        for system, by_view in scores["systems"].items():
            if view in by_view:
                cells = [format_cell(by_view[view].get(metric)).replace(" [", "\n[") for metric in columns]
                table.add_row(f"  {SHORT.get(system, system)}", *(escape(cell) for cell in cells))
        table.add_section()
    return table


def build_task(task: Mapping[str, Any]) -> Table:
    """One task: figures in rows, systems in columns."""
    table = Table(title=task["title"], title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("")
    for system in task["systems"]:
        table.add_column(SHORT.get(system, system), justify="right")
    for metric in dict.fromkeys(name for row in task["systems"].values() for name in row):
        cells = [format_cell(row.get(metric)).replace(" [", "\n[") for row in task["systems"].values()]
        table.add_row(GLOSSARY[metric].title, *(escape(cell) for cell in cells))
    return table


def build_perplexity(perplexity: Mapping[str, Mapping[str, float]]) -> Table:
    """Perplexity of each stage on held-out text; lower is better."""
    kinds = list(dict.fromkeys(kind for row in perplexity.values() for kind in row))
    table = Table(title="perplexity, lower is better", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("system")
    for kind in kinds:
        table.add_column(kind, justify="right")
    for system, row in perplexity.items():
        table.add_row(SHORT.get(system, system), *(f"{row[k]:.2f}" if k in row else "" for k in kinds))
    return table


def format_cell(row: Mapping[str, Any] | None) -> str:
    """A figure with its count and interval, short enough for a table."""
    if row is None:
        return "–"
    measure = Measure.from_json(row)
    figure = measure.figure
    if not isinstance(figure, Rate):
        bounds = f" [{figure.low:.2f}, {figure.high:.2f}]" if figure.low is not None else ""
        return "undefined" if figure.value is None else f"{figure.value:.2f}{bounds}"
    if figure.value is None or measure.bounds is None:
        return "no cases"
    low, high = measure.bounds
    return f"{figure.right}/{figure.n} {100 * figure.value:.0f}% [{100 * low:.0f}, {100 * high:.0f}]"
